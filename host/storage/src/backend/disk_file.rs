//! The database's file, written out bit by bit.
//!
//! The database writes thousands of pages at once and then syncs them. A sync of the journal that falls in between would wait for
//! all of them, and every call with it; so they are synced as they come.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};

/// Bytes that are written before they are synced.
const BYTES_PER_SYNC: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct DiskFile {
    file: FileBackend,
    unsynced_bytes: AtomicUsize,
}

impl DiskFile {
    pub(super) fn new(file: File) -> Result<Self, DatabaseError> {
        Ok(Self {
            file: FileBackend::new(file)?,
            unsynced_bytes: AtomicUsize::new(0),
        })
    }
}

impl StorageBackend for DiskFile {
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)?;
        let unsynced = self.unsynced_bytes.fetch_add(data.len(), Ordering::Relaxed) + data.len();
        if unsynced >= BYTES_PER_SYNC {
            self.sync_data()?;
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.unsynced_bytes.store(0, Ordering::Relaxed);
        self.file.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
