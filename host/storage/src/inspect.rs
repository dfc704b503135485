//! What the files of a store say of themselves, read without a change and without a [`Store`].
//!
//! [`Store`]: crate::Store

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use redb::backends::FileBackend;
use redb::{Builder, DatabaseError, ReadOnlyDatabase, StorageBackend as _};

use crate::backend::format::{self, FORMAT_VERSION, Format, UNCHECKED_FORMAT};
use crate::backend::page_layout::REDB_MAGIC;
use crate::backend::pages::CheckedPages;
use crate::backend::wal::{HALF_BYTES, Wal};
use crate::error::OpenError;
use crate::log_file;

/// Memory for pages of the database. Only its tables' heads are read.
const CACHE_BYTES: usize = 1 << 20;

/// What the files of a store say of themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// The file is empty. The next open makes a store of it.
    Empty,
    /// The store was closed in order.
    Closed {
        /// The format of the file.
        format: u64,
        /// Batches that are durable in the log only. The next open moves them into the database.
        waiting_batches: u64,
    },
    /// The process that had it open did not close it. The next open repairs it from what is
    /// durable.
    NotClosed,
}

/// Looks into the database at `path` and its log. Nothing is written. While it looks, no store can
/// open the file.
///
/// # Errors
///
/// Those of [`Store::open`](crate::Store::open), and [`OpenError::Backend`] if there is no file.
pub fn inspect(path: &Path) -> Result<FileState, OpenError> {
    let failed = |source| OpenError::Backend {
        path: path.to_path_buf(),
        source,
    };
    // redb takes an empty file for a damaged one when it may not write.
    let found = std::fs::metadata(path).map_err(|error| failed(error.into()))?;
    if !found.is_file() {
        return Err(failed(std::io::Error::other("it is no regular file").into()));
    }
    if found.len() == 0 {
        return Ok(FileState::Empty);
    }
    if is_new(path).map_err(|error| failed(error.into()))? {
        return Ok(FileState::Empty);
    }
    let checked = open(path, |builder, disk| {
        builder.open_read_only_with_backend(CheckedPages::new(Box::new(disk)))
    });
    let opened = match checked {
        // The next open converts it.
        Err(OpenError::FormatTooOld { .. }) => open(path, Builder::open_read_only_with_backend)?,
        other => other?,
    };
    let Some(db) = opened else {
        return Ok(FileState::NotClosed);
    };
    let found = format::read_format(&db).map_err(|error| failed(error.into()))?;
    let format = match found {
        Format::Empty => return Ok(FileState::Empty),
        Format::Version(UNCHECKED_FORMAT) => UNCHECKED_FORMAT,
        found => {
            format::check(path, found)?;
            FORMAT_VERSION
        }
    };
    Ok(FileState::Closed {
        format,
        waiting_batches: waiting_batches(&db, path).map_err(failed)?,
    })
}

/// The format of the database at `path`, if it is an older one: to open it converts it.
///
/// # Errors
///
/// If the file cannot be read.
pub fn older_format(path: &Path) -> io::Result<Option<u64>> {
    let mut start = Vec::new();
    File::open(path)?
        .take(REDB_MAGIC.len() as u64)
        .read_to_end(&mut start)?;
    Ok((start == REDB_MAGIC).then_some(UNCHECKED_FORMAT))
}

/// Whether the creation of the file was interrupted.
fn is_new(path: &Path) -> io::Result<bool> {
    let disk = FileBackend::new(File::open(path)?).map_err(io::Error::other)?;
    Ok(CheckedPages::new(Box::new(disk)).len().is_ok_and(|len| len == 0))
}

/// Opens the database without writing. `None` if it was not closed.
fn open(
    path: &Path,
    open: impl FnOnce(&Builder, FileBackend) -> Result<ReadOnlyDatabase, DatabaseError>,
) -> Result<Option<ReadOnlyDatabase>, OpenError> {
    let file = File::open(path).map_err(|error| OpenError::Backend {
        path: path.to_path_buf(),
        source: error.into(),
    })?;
    let disk = FileBackend::new(file).map_err(|error| format::not_opened(path, error))?;
    match open(Builder::new().set_cache_size(CACHE_BYTES), disk) {
        Ok(db) => Ok(Some(db)),
        Err(DatabaseError::RepairAborted) => Ok(None),
        Err(error) => Err(format::not_opened(path, error)),
    }
}

/// The batches of the log that the database does not hold.
fn waiting_batches(db: &ReadOnlyDatabase, path: &Path) -> Result<u64, crate::BackendError> {
    let Some(disk) = log_file::open(path)? else {
        return Ok(0);
    };
    let (file_id, flushed) = format::identity(db)?;
    let wal = Wal::open(Box::new(disk), file_id, HALF_BYTES)?;
    let replay = wal.replay(flushed, |_, _| {})?;
    Ok(replay.last.saturating_sub(flushed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::format::raise_format;
    use crate::{Config, Store};

    async fn store(path: &Path) -> Store {
        let store = Store::open(path, Config::default()).unwrap();
        store
            .update::<_, crate::Error>(|tx| tx.put("t", b"key", b"value".to_vec()))
            .await
            .unwrap();
        store
    }

    #[tokio::test]
    async fn a_closed_store_tells_its_format_and_is_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("test.redb");
        store(&path).await.close().await;
        let bytes = std::fs::read(&path).unwrap();
        let closed = FileState::Closed {
            format: FORMAT_VERSION,
            waiting_batches: 0,
        };
        assert_eq!(inspect(&path).unwrap(), closed);
        assert_eq!(inspect(&path).unwrap(), closed, "a look changes nothing");
        assert!(std::fs::read(&path).unwrap() == bytes, "a look writes nothing");
    }

    #[tokio::test]
    async fn an_open_store_is_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("test.redb");
        let store = store(&path).await;
        assert!(matches!(inspect(&path), Err(OpenError::InUse { .. })));
        store.close().await;
    }

    /// As after a kill: a copy of the files while they are open.
    #[tokio::test]
    async fn a_store_that_was_not_closed_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("test.redb");
        let store = store(&path).await;
        let copy = dir.path().join("copy.redb");
        std::fs::copy(&path, &copy).unwrap();
        std::fs::copy(path.with_extension("wal"), copy.with_extension("wal")).unwrap();
        store.close().await;
        assert_eq!(inspect(&copy).unwrap(), FileState::NotClosed);
        Store::open(&copy, Config::default()).unwrap().close().await;
        assert!(matches!(inspect(&copy).unwrap(), FileState::Closed { .. }));
    }

    #[tokio::test]
    async fn a_newer_format_a_foreign_file_and_no_file_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("test.redb");
        store(&path).await.close().await;
        raise_format(&path);
        assert!(matches!(inspect(&path), Err(OpenError::FormatTooNew { found, .. }) if found == FORMAT_VERSION + 1));

        let foreign = dir.path().join("foreign");
        std::fs::write(&foreign, [7; 10_000]).unwrap();
        assert!(matches!(inspect(&foreign), Err(OpenError::NotAStore { .. })));
        assert!(matches!(
            inspect(&dir.path().join("none")),
            Err(OpenError::Backend { .. })
        ));
        let empty = dir.path().join("empty");
        std::fs::write(&empty, b"").unwrap();
        assert_eq!(inspect(&empty).unwrap(), FileState::Empty);
    }
}
