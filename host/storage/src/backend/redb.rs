//! The file: a redb database with one table of stored keys and values, and the journal beside it.
//!
//! A batch is durable once it is in the journal; the database takes it up in memory, so that it is read at once, and writes its own
//! pages when the journal is full. Each of those pages then holds what many batches changed in it.

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable, StorageBackend,
    StorageError, TableDefinition, TableError, TableHandle, WriteTransaction,
};

use super::journal::Journal;
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
/// The entry of `META` that tells this file from others.
const FILE: &str = "file";
/// The entry of `META` with the number of the last batch that the file holds by itself; those after it are in the journal.
const BATCH: &str = "batch";

/// What opens the two files.
pub(crate) struct Opener {
    pub(crate) database: Box<dyn Fn() -> Result<Database, DatabaseError> + Send>,
    pub(crate) journal: Box<dyn Fn() -> io::Result<Box<dyn StorageBackend>> + Send>,
}

/// A redb database, which is opened anew after a failure.
pub(crate) struct RedbBackend {
    path: PathBuf,
    opener: Opener,
    open: Option<Open>,
}

struct Open {
    db: Database,
    journal: Journal,
    /// The last batch.
    batch: u64,
    /// Whether the database holds it by itself.
    settled: bool,
}

impl RedbBackend {
    /// Opens or creates the file at `path`, which no other process may have open, and its journal: `path` with the extension
    /// `journal`.
    pub(crate) fn open(path: &Path, cache_size_bytes: usize) -> Result<Self, OpenError> {
        let file = path.to_path_buf();
        let journal = path.with_extension("journal");
        let opener = Opener {
            database: Box::new(move || Builder::new().set_cache_size(cache_size_bytes).create(&file)),
            journal: Box::new(move || {
                let mut options = File::options();
                let file = options
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .open(&journal)?;
                let backend = FileBackend::new(file).map_err(io::Error::other)?;
                Ok(Box::new(backend))
            }),
        };
        Self::open_with(path, opener)
    }

    /// Opens with `opener`, now and after each failure. `path` is named in errors.
    pub(crate) fn open_with(path: &Path, opener: Opener) -> Result<Self, OpenError> {
        let open = open_both(path, &opener)?;
        Ok(Self {
            path: path.to_path_buf(),
            opener,
            open: Some(open),
        })
    }
}

impl Backend for RedbBackend {
    fn snapshot(&self) -> Result<Arc<dyn BackendSnapshot>, BackendError> {
        self.open.as_ref().ok_or(BackendError::Closed)?.snapshot()
    }

    fn apply(
        &mut self,
        changes: &mut dyn Iterator<Item = Change<'_>>,
    ) -> Result<Arc<dyn BackendSnapshot>, BackendError> {
        let open = self.open.as_mut().ok_or(BackendError::Closed)?;
        open.apply(changes)?;
        open.snapshot()
    }

    fn reopen(&mut self) -> Result<(), BackendError> {
        if let Err(error) = self.close() {
            tracing::warn!(path = %self.path.display(), %error, "closing the failed storage failed as well");
        }
        let open = open_both(&self.path, &self.opener).map_err(|error| match error {
            OpenError::Backend { source, .. } => source,
            OpenError::InUse { .. }
            | OpenError::FormatTooNew { .. }
            | OpenError::NotAStore { .. }
            | OpenError::Thread(_) => BackendError::Failed(error.to_string().into()),
        })?;
        self.open = Some(open);
        Ok(())
    }

    fn close(&mut self) -> Result<(), BackendError> {
        match self.open.take() {
            Some(open) => open.close(),
            None => Ok(()),
        }
    }
}

impl Open {
    fn snapshot(&self) -> Result<Arc<dyn BackendSnapshot>, BackendError> {
        let read = self.db.begin_read().map_err(redb::Error::from)?;
        let table = read.open_table(KV).map_err(redb::Error::from)?;
        Ok(Arc::new(RedbSnapshot { table }))
    }

    fn apply(&mut self, changes: &mut dyn Iterator<Item = Change<'_>>) -> Result<(), BackendError> {
        let batch = self.batch + 1;
        let mut write = self.db.begin_write().map_err(redb::Error::from)?;
        self.journal.begin(batch);
        {
            let mut table = write.open_table(KV).map_err(redb::Error::from)?;
            for (key, value) in changes {
                self.journal.push((key, value));
                match value {
                    Some(value) => table.insert(key, value).map(drop),
                    None => table.remove(key).map(drop),
                }
                .map_err(redb::Error::from)?;
            }
        }
        // What is read must be durable, so the journal comes first.
        if self.journal.write()? {
            write.set_durability(Durability::None).map_err(redb::Error::from)?;
            write.commit().map_err(redb::Error::from)?;
            self.settled = false;
        } else {
            settle(write, batch)?;
            self.journal.rewind();
            self.settled = true;
        }
        self.batch = batch;
        Ok(())
    }

    /// Closes both files, of which the database then holds everything by itself.
    fn close(mut self) -> Result<(), BackendError> {
        if !self.settled {
            let write = self.db.begin_write().map_err(redb::Error::from)?;
            settle(write, self.batch)?;
        }
        self.db.close().map_err(redb::Error::from)?;
        Ok(self.journal.empty()?)
    }
}

/// Commits a transaction, and every one before it, as what the database holds by itself.
fn settle(mut write: WriteTransaction, batch: u64) -> Result<(), redb::Error> {
    write.open_table(META)?.insert(BATCH, batch)?;
    write.set_durability(Durability::Immediate)?;
    Ok(write.commit()?)
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

/// Opens the database, and has it take up what the journal holds beyond it.
fn open_both(path: &Path, opener: &Opener) -> Result<Open, OpenError> {
    let db = open_database(path, opener)?;
    take_up_journal(db, opener).map_err(|source| OpenError::Backend {
        path: path.to_path_buf(),
        source,
    })
}

fn take_up_journal(db: Database, opener: &Opener) -> Result<Open, BackendError> {
    let meta = |name: &str| -> Result<u64, redb::Error> {
        let table = db.begin_read()?.open_table(META)?;
        Ok(ReadableTable::get(&table, name)?.map_or(0, |value| value.value()))
    };
    let (file, settled) = (meta(FILE)?, meta(BATCH)?);
    let journal = Journal::open((opener.journal)()?, file)?;
    let write = db.begin_write().map_err(redb::Error::from)?;
    let batch = {
        let mut table = write.open_table(KV).map_err(redb::Error::from)?;
        journal.replay(settled, |(key, value)| {
            match value {
                Some(value) => table.insert(key, value).map(drop),
                None => table.remove(key).map(drop),
            }
            .map_err(BackendError::from)
        })?
    };
    if batch > settled {
        settle(write, batch)?;
    } else {
        write.abort().map_err(redb::Error::from)?;
    }
    Ok(Open {
        db,
        journal,
        batch,
        settled: true,
    })
}

/// Opens the database and makes sure that it is a store this version reads.
fn open_database(path: &Path, opener: &Opener) -> Result<Database, OpenError> {
    let failed = |error: redb::Error| OpenError::Backend {
        path: path.to_path_buf(),
        source: error.into(),
    };
    let db = (opener.database)().map_err(|error| match error {
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
    {
        let mut meta = write.open_table(META)?;
        meta.insert(FORMAT, FORMAT_VERSION)?;
        meta.insert(FILE, RandomState::new().build_hasher().finish())?;
        write.open_table(KV)?;
    }
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
