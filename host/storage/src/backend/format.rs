//! The database file: its tables, its format version and its identity.
//!
//! Format 1 was a plain file of redb. Format 2 has a checksum for each page (`pages.rs`).

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, StorageError, TableDefinition,
    TableError, TableHandle,
};

use super::page_layout::PagesError;
use super::pages::CheckedPages;
use super::read_errors::ReadErrors;
use crate::error::{BackendError, OpenError};

/// Stored keys and values; `stored.rs` defines both.
pub(super) const KV: TableDefinition<&[u8], &[u8]> = TableDefinition::new("kv");
/// Facts about the file, by name.
const META: TableDefinition<&str, u64> = TableDefinition::new(META_NAME);
pub(super) const META_NAME: &str = "meta";
/// `META`: the format version.
const FORMAT: &str = "format";
/// The format that is written.
pub(crate) const FORMAT_VERSION: u64 = 2;
/// The format without checksums of pages. It is converted when it is opened.
pub(crate) const UNCHECKED_FORMAT: u64 = 1;
/// `META`: a random number that tells this file from others. Log records name it.
pub(super) const FILE_ID: &str = "file";
/// `META`: the last batch that this file holds. Later batches are only in the log.
pub(super) const LAST_BATCH: &str = "batch";

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

/// Notes what makes the file a store: format, identity, and the last batch that it holds.
pub(super) fn set_identity(transaction: &redb::WriteTransaction, file_id: u64, batch: u64) -> Result<(), redb::Error> {
    let mut meta = transaction.open_table(META)?;
    meta.insert(FORMAT, FORMAT_VERSION)?;
    meta.insert(FILE_ID, file_id)?;
    meta.insert(LAST_BATCH, batch)?;
    transaction.open_table(KV)?;
    Ok(())
}

/// A file id that no other file has.
pub(crate) fn new_file_id() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Opens the database and checks that it is a store of this format.
///
/// # Errors
/// [`OpenError::InUse`], [`OpenError::NotAStore`], [`OpenError::FormatTooNew`],
/// [`OpenError::Damaged`]; [`OpenError::FormatTooOld`] for a file of [`UNCHECKED_FORMAT`]; or
/// [`OpenError::Backend`] if the file cannot be read or written.
pub(crate) fn open(
    path: &Path,
    disk: Box<dyn StorageBackend>,
    cache_size_bytes: usize,
    errors: &Arc<ReadErrors>,
) -> Result<Database, OpenError> {
    open_checked(path, disk, cache_size_bytes, errors).map_err(|error| match error {
        OpenError::Damaged { path, damage } if errors.any() => OpenError::Backend {
            path,
            source: io::Error::other(format!("the disk cannot read a page: {damage}")).into(),
        },
        other => other,
    })
}

fn open_checked(
    path: &Path,
    disk: Box<dyn StorageBackend>,
    cache_size_bytes: usize,
    errors: &Arc<ReadErrors>,
) -> Result<Database, OpenError> {
    let mut builder = Builder::new();
    builder.set_cache_size(cache_size_bytes);
    // redb may panic on a damaged file.
    let pages = CheckedPages::noting(disk, Arc::clone(errors));
    let opened = catch_unwind(AssertUnwindSafe(|| builder.create_with_backend(pages)));
    let opened = opened.unwrap_or_else(|_| Err(StorageError::Corrupted("redb panicked".to_owned()).into()));
    let db = opened.map_err(|error| not_opened(path, error))?;
    let failed = |error: redb::Error| not_read(path, error.into());
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
        DatabaseError::Storage(StorageError::Io(error)) => match PagesError::of(&error) {
            Some(PagesError::Foreign) => OpenError::NotAStore {
                path: path.to_path_buf(),
            },
            Some(PagesError::Unchecked) => OpenError::FormatTooOld {
                path: path.to_path_buf(),
                found: UNCHECKED_FORMAT,
            },
            Some(PagesError::TooNew(found)) => OpenError::FormatTooNew {
                path: path.to_path_buf(),
                found: found.into(),
                supported: FORMAT_VERSION,
            },
            Some(damage @ (PagesError::HeadDamaged | PagesError::HeaderDamaged)) => OpenError::Damaged {
                path: path.to_path_buf(),
                damage: damage.to_string(),
            },
            // redb's own header is not what the head promises.
            None if error.kind() == io::ErrorKind::InvalidData => OpenError::Damaged {
                path: path.to_path_buf(),
                damage: error.to_string(),
            },
            None => not_read(path, error.into()),
        },
        other => not_read(path, redb::Error::from(other).into()),
    }
}

/// Why the file at `path` could not be read.
pub(crate) fn not_read(path: &Path, source: BackendError) -> OpenError {
    match source {
        BackendError::Corrupted(damage) => OpenError::Damaged {
            path: path.to_path_buf(),
            damage: damage.to_string(),
        },
        source => OpenError::Backend {
            path: path.to_path_buf(),
            source,
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
    let mut write = db.begin_write()?;
    write.set_quick_repair(true);
    set_identity(&write, new_file_id(), 0)?;
    write.commit()?;
    Ok(())
}

/// Makes the file at `path` look as if a newer version had written it.
#[cfg(test)]
pub(crate) fn raise_format(path: &Path) {
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let disk = redb::backends::FileBackend::new(file).unwrap();
    let db = Builder::new()
        .create_with_backend(CheckedPages::new(Box::new(disk)))
        .unwrap();
    let mut write = db.begin_write().unwrap();
    write.set_quick_repair(true);
    write
        .open_table(META)
        .unwrap()
        .insert(FORMAT, FORMAT_VERSION + 1)
        .unwrap();
    write.commit().unwrap();
}
