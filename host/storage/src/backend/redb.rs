//! The file: a redb database with one table of stored keys and values.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{
    Builder, Database, DatabaseError, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable, StorageError,
    TableDefinition, TableError, TableHandle,
};

use super::{Backend, BackendSnapshot, Change, Visit};
use crate::error::{BackendError, OpenError};

/// Stored keys and values; `stored.rs` defines both.
const KV: TableDefinition<&[u8], &[u8]> = TableDefinition::new("kv");
/// Facts about the file.
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// The entry of `META` that holds the format.
const FORMAT: &str = "format";
/// The format this version writes, and the newest it reads.
const FORMAT_VERSION: u64 = 1;

type Opener = Box<dyn Fn() -> Result<Database, DatabaseError> + Send>;

/// A redb database, which is opened anew after a failure.
pub(crate) struct RedbBackend {
    path: PathBuf,
    opener: Opener,
    db: Option<Database>,
}

impl RedbBackend {
    /// Opens or creates the file at `path`, which no other process may have open.
    pub(crate) fn open(path: &Path, cache_size_bytes: usize) -> Result<Self, OpenError> {
        let file = path.to_path_buf();
        Self::open_with(
            path,
            Box::new(move || Builder::new().set_cache_size(cache_size_bytes).create(&file)),
        )
    }

    /// Opens with `opener`, now and after each failure. `path` is named in errors.
    pub(crate) fn open_with(path: &Path, opener: Opener) -> Result<Self, OpenError> {
        let db = open_database(path, &opener)?;
        Ok(Self {
            path: path.to_path_buf(),
            opener,
            db: Some(db),
        })
    }

    fn db(&self) -> Result<&Database, BackendError> {
        self.db.as_ref().ok_or(BackendError::Closed)
    }
}

impl Backend for RedbBackend {
    fn snapshot(&self) -> Result<Arc<dyn BackendSnapshot>, BackendError> {
        let read = self.db()?.begin_read().map_err(redb::Error::from)?;
        let table = read.open_table(KV).map_err(redb::Error::from)?;
        Ok(Arc::new(RedbSnapshot { table }))
    }

    fn apply(
        &mut self,
        changes: &mut dyn Iterator<Item = Change<'_>>,
    ) -> Result<Arc<dyn BackendSnapshot>, BackendError> {
        let mut write = self.db()?.begin_write().map_err(redb::Error::from)?;
        write.set_durability(Durability::Immediate).map_err(redb::Error::from)?;
        {
            let mut table = write.open_table(KV).map_err(redb::Error::from)?;
            for (key, value) in changes {
                match value {
                    Some(value) => table.insert(key, value).map(drop),
                    None => table.remove(key).map(drop),
                }
                .map_err(redb::Error::from)?;
            }
        }
        write.commit().map_err(redb::Error::from)?;
        self.snapshot()
    }

    fn reopen(&mut self) -> Result<(), BackendError> {
        if let Err(error) = self.close() {
            tracing::warn!(path = %self.path.display(), %error, "closing the failed storage failed as well");
        }
        let db = open_database(&self.path, &self.opener).map_err(|error| match error {
            OpenError::Backend { source, .. } => source,
            OpenError::InUse { .. }
            | OpenError::FormatTooNew { .. }
            | OpenError::NotAStore { .. }
            | OpenError::Thread(_) => BackendError::Failed(error.to_string().into()),
        })?;
        self.db = Some(db);
        Ok(())
    }

    fn close(&mut self) -> Result<(), BackendError> {
        match self.db.take() {
            Some(db) => Ok(db.close().map_err(redb::Error::from)?),
            None => Ok(()),
        }
    }
}

/// An open table of a read transaction, which it keeps alive.
struct RedbSnapshot {
    table: ReadOnlyTable<&'static [u8], &'static [u8]>,
}

impl BackendSnapshot for RedbSnapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        let value = ReadableTable::get(&self.table, key)?;
        Ok(value.map(|value| value.value().to_vec()))
    }

    fn walk(&self, start: &[u8], end: &[u8], reverse: bool, visit: &mut Visit<'_>) -> Result<(), BackendError> {
        let mut range = ReadableTable::range::<&[u8]>(&self.table, start..end)?;
        while let Some(entry) = if reverse { range.next_back() } else { range.next() } {
            let (key, value) = entry?;
            if visit(key.value(), value.value()).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Opens the database and makes sure that it is a store this version reads.
fn open_database(path: &Path, opener: &Opener) -> Result<Database, OpenError> {
    let failed = |error: redb::Error| OpenError::Backend {
        path: path.to_path_buf(),
        source: error.into(),
    };
    let db = opener().map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse {
            path: path.to_path_buf(),
        },
        DatabaseError::Storage(StorageError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
            OpenError::NotAStore {
                path: path.to_path_buf(),
            }
        }
        other => failed(other.into()),
    })?;
    match read_format(&db).map_err(failed)? {
        Format::Known(found) if found > FORMAT_VERSION => Err(OpenError::FormatTooNew {
            path: path.to_path_buf(),
            found,
            supported: FORMAT_VERSION,
        }),
        Format::Known(_) => Ok(db),
        Format::Foreign => Err(OpenError::NotAStore {
            path: path.to_path_buf(),
        }),
        Format::New => {
            create_tables(&db).map_err(failed)?;
            Ok(db)
        }
    }
}

enum Format {
    Known(u64),
    /// No tables yet.
    New,
    /// Somebody else's tables.
    Foreign,
}

fn read_format(db: &Database) -> Result<Format, redb::Error> {
    let read = db.begin_read()?;
    if read.list_tables()?.next().is_none() {
        return Ok(Format::New);
    }
    let known = |name: &str| name == KV.name() || name == META.name();
    if !read.list_tables()?.any(|table| known(table.name())) {
        return Ok(Format::Foreign);
    }
    match read.open_table(META) {
        Ok(meta) => Ok(match ReadableTable::get(&meta, FORMAT)? {
            Some(format) => Format::Known(format.value()),
            None => Format::Foreign,
        }),
        Err(TableError::Storage(error)) => Err(error.into()),
        Err(_) => Ok(Format::Foreign),
    }
}

fn create_tables(db: &Database) -> Result<(), redb::Error> {
    let write = db.begin_write()?;
    write.open_table(META)?.insert(FORMAT, FORMAT_VERSION)?;
    write.open_table(KV)?;
    write.commit()?;
    Ok(())
}

impl From<StorageError> for BackendError {
    fn from(error: StorageError) -> Self {
        redb::Error::from(error).into()
    }
}

impl From<redb::Error> for BackendError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::DatabaseClosed => Self::Closed,
            redb::Error::Io(error) => error.into(),
            redb::Error::Corrupted(what) => Self::Corrupted(what.into()),
            other => Self::Failed(other.to_string().into()),
        }
    }
}
