//! The database file: its tables, its format version and its identity.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::Path;

use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition, TableError, TableHandle,
};

use crate::error::{BackendError, OpenError};

/// Stored keys and values; `stored.rs` defines both.
pub(super) const KV: TableDefinition<&[u8], &[u8]> = TableDefinition::new("kv");
/// Facts about the file, by name.
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// `META`: the format version.
const FORMAT: &str = "format";
/// The only format there is.
pub(crate) const FORMAT_VERSION: u64 = 1;
/// `META`: a random number that tells this file from others. Log records name it.
const FILE_ID: &str = "file";
/// `META`: the last batch that this file holds. Later batches are only in the log.
const LAST_BATCH: &str = "batch";

/// The file id, and the last batch that the file holds.
pub(crate) fn identity(db: &impl ReadableDatabase) -> Result<(u64, u64), BackendError> {
    let meta = |name: &str| -> Result<u64, redb::Error> {
        let table = db.begin_read()?.open_table(META)?;
        Ok(ReadableTable::get(&table, name)?.map_or(0, |value| value.value()))
    };
    Ok((meta(FILE_ID)?, meta(LAST_BATCH)?))
}

/// Notes in a transaction that the file holds all batches up to `batch`.
pub(super) fn set_last_batch(transaction: &redb::WriteTransaction, batch: u64) -> Result<(), redb::Error> {
    transaction.open_table(META)?.insert(LAST_BATCH, batch)?;
    Ok(())
}

/// Opens the database and checks that it is a store of this format.
///
/// # Errors
/// [`OpenError::InUse`], [`OpenError::NotAStore`], [`OpenError::FormatTooNew`]; or
/// [`OpenError::Backend`] if the file cannot be read or written.
pub(super) fn open(
    path: &Path,
    open_file: impl FnOnce() -> Result<Database, DatabaseError>,
) -> Result<Database, OpenError> {
    let failed = |error: redb::Error| OpenError::Backend {
        path: path.to_path_buf(),
        source: error.into(),
    };
    let db = open_file().map_err(|error| not_opened(path, error))?;
    match read_format(&db).map_err(failed)? {
        Format::Empty => create_tables(&db).map_err(failed)?,
        found => check(path, found)?,
    }
    Ok(db)
}

/// Why redb did not open the file at `path`.
pub(crate) fn not_opened(path: &Path, error: DatabaseError) -> OpenError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse {
            path: path.to_path_buf(),
        },
        DatabaseError::Storage(StorageError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
            OpenError::NotAStore {
                path: path.to_path_buf(),
            }
        }
        other => OpenError::Backend {
            path: path.to_path_buf(),
            source: redb::Error::from(other).into(),
        },
    }
}

/// Checks that a file with this format, which is not empty, is a store of this version.
///
/// # Errors
/// [`OpenError::FormatTooNew`], [`OpenError::NotAStore`].
pub(crate) fn check(path: &Path, found: Format) -> Result<(), OpenError> {
    match found {
        Format::Version(FORMAT_VERSION) => Ok(()),
        Format::Version(found) if found > FORMAT_VERSION => Err(OpenError::FormatTooNew {
            path: path.to_path_buf(),
            found,
            supported: FORMAT_VERSION,
        }),
        Format::Version(_) | Format::Foreign | Format::Empty => Err(OpenError::NotAStore {
            path: path.to_path_buf(),
        }),
    }
}

/// What the tables of a file say.
pub(crate) enum Format {
    Version(u64),
    /// It has no tables yet.
    Empty,
    /// It has the tables of another program.
    Foreign,
}

pub(crate) fn read_format(db: &impl ReadableDatabase) -> Result<Format, redb::Error> {
    let read = db.begin_read()?;
    if read.list_tables()?.next().is_none() {
        return Ok(Format::Empty);
    }
    let is_ours = |name: &str| name == KV.name() || name == META.name();
    if !read.list_tables()?.any(|table| is_ours(table.name())) {
        return Ok(Format::Foreign);
    }
    match read.open_table(META) {
        Ok(meta) => Ok(match ReadableTable::get(&meta, FORMAT)? {
            Some(format) => Format::Version(format.value()),
            None => Format::Foreign,
        }),
        Err(TableError::Storage(error)) => Err(error.into()),
        Err(_) => Ok(Format::Foreign),
    }
}

/// Creates the tables of an empty file, with its format and identity.
pub(super) fn create_tables(db: &Database) -> Result<(), redb::Error> {
    let write = db.begin_write()?;
    {
        let mut meta = write.open_table(META)?;
        meta.insert(FORMAT, FORMAT_VERSION)?;
        meta.insert(FILE_ID, RandomState::new().build_hasher().finish())?;
        write.open_table(KV)?;
    }
    write.commit()?;
    Ok(())
}

/// Makes the file at `path` look as if a newer version had written it.
#[cfg(test)]
pub(crate) fn raise_format(path: &Path) {
    let db = Database::open(path).unwrap();
    let write = db.begin_write().unwrap();
    write
        .open_table(META)
        .unwrap()
        .insert(FORMAT, FORMAT_VERSION + 1)
        .unwrap();
    write.commit().unwrap();
}
