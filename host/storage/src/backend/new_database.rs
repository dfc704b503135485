//! A database file that is written once, from rows in order, and then takes the place of another.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableDatabase, ReadableTable};

use super::KeyUpdate;
use super::database::FlushTransaction;
use super::format;
use super::pages::CheckedPages;
use crate::error::{BackendError, OpenError};

/// Keys of one transaction.
const CHUNK_KEYS: usize = 4096;
/// Bytes of one transaction.
const CHUNK_BYTES: usize = 8 << 20;
/// Memory for pages.
const CACHE_BYTES: usize = 32 << 20;

/// A file that is being filled. It is no store before [`NewDatabase::finish`].
pub(crate) struct NewDatabase {
    db: Database,
    /// The transaction in progress, with its keys and bytes.
    chunk: Option<(FlushTransaction, usize, usize)>,
    rows: u64,
}

impl NewDatabase {
    /// Creates the file. One that exists and is not empty is refused.
    ///
    /// # Errors
    /// If the file exists, or cannot be created.
    pub(crate) fn create(path: &Path) -> Result<Self, BackendError> {
        let mut options = File::options();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        if file.metadata()?.len() > 0 {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the file exists").into());
        }
        let disk = FileBackend::new(file).map_err(io::Error::other)?;
        let db = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(CheckedPages::new(Box::new(disk)));
        Ok(Self {
            db: db.map_err(redb::Error::from)?,
            chunk: None,
            rows: 0,
        })
    }

    /// Adds a stored row. It is fastest in the order of stored keys.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), BackendError> {
        self.rows += 1;
        self.update((key, Some(value)))
    }

    /// Removes a row that may be absent.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Result<(), BackendError> {
        self.update((key, None))
    }

    fn update(&mut self, (key, value): KeyUpdate<'_>) -> Result<(), BackendError> {
        let (transaction, keys, bytes) = match &mut self.chunk {
            Some(chunk) => chunk,
            empty => empty.insert((FlushTransaction::begin(&self.db)?, 0, 0)),
        };
        transaction.write([(key, value)].into_iter())?;
        *keys += 1;
        *bytes += key.len() + value.map_or(0, <[u8]>::len);
        if (*keys >= CHUNK_KEYS || *bytes >= CHUNK_BYTES)
            && let Some((transaction, ..)) = self.chunk.take()
        {
            transaction.commit()?;
        }
        Ok(())
    }

    /// Makes the file a store that holds all batches up to `batch`, and closes it. Returns the
    /// number of rows that were added.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn finish(mut self, file_id: u64, batch: u64) -> Result<u64, BackendError> {
        let transaction = match self.chunk.take() {
            Some((transaction, ..)) => transaction,
            None => FlushTransaction::begin(&self.db)?,
        };
        transaction.commit_identity(file_id, batch)?;
        self.db.close().map_err(redb::Error::from)?;
        Ok(self.rows)
    }
}

/// Converts a database of format 1 at `path`: its rows are copied into a new file, which then takes
/// its place. The old file stays as it is until then. It takes as much space again.
///
/// # Errors
/// If the old file is damaged or no store, or if the new one cannot be written.
pub(super) fn convert(path: &Path) -> Result<(), OpenError> {
    let file = File::options().read(true).write(true).open(path);
    let disk = file.map_err(|error| format::not_read(path, error.into()))?;
    let disk = FileBackend::new(disk).map_err(|error| format::not_opened(path, error))?;
    // This also locks the old file until the new one has its name. A damaged file is refused here,
    // while redb's own checksums can tell.
    let old = Builder::new()
        .set_cache_size(CACHE_BYTES)
        .set_check_integrity_on_open(true)
        .create_with_backend(disk);
    let old = old.map_err(|error| format::not_opened(path, error))?;
    let failed = |error: BackendError| format::not_read(path, error);
    let found = format::read_format(&old).map_err(|error| failed(error.into()))?;
    match found {
        format::Format::Version(format::UNCHECKED_FORMAT) => {}
        // An interrupted creation.
        format::Format::Empty => {}
        found => return format::check(path, found),
    }
    tracing::info!(path = %path.display(), "the database has format 1; it is copied to format 2");
    let copy = path.with_extension("converted");
    let rows = copy_rows(&old, &copy, matches!(found, format::Format::Empty)).map_err(failed);
    let rows = rows.inspect_err(|_| drop(fs::remove_file(&copy)))?;
    replace(&copy, path).map_err(|error| failed(error.into()))?;
    tracing::info!(path = %path.display(), rows, "the database has format 2 now");
    Ok(())
}

/// Copies all rows of an open database to the file `copy`, which is replaced.
fn copy_rows(old: &Database, copy: &Path, is_empty: bool) -> Result<u64, BackendError> {
    remove(copy)?;
    let mut new = NewDatabase::create(copy)?;
    if is_empty {
        return new.finish(format::new_file_id(), 0);
    }
    let (file_id, batch) = format::identity(old)?;
    let read = old.begin_read().map_err(redb::Error::from)?;
    let table = read.open_table(format::KV).map_err(redb::Error::from)?;
    for row in ReadableTable::range::<&[u8]>(&table, ..)? {
        let (key, value) = row?;
        new.put(key.value(), value.value())?;
    }
    new.finish(file_id, batch)
}

/// Removes a file that may be absent.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Gives a file that was synced its final name, durably.
///
/// # Errors
/// If the file system refuses.
pub(crate) fn replace(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    let directory = match to.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    File::open(directory)?.sync_all()
}

impl std::fmt::Debug for NewDatabase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewDatabase")
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}
