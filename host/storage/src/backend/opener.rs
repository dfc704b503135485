//! How the two files of a store are opened, and with which sizes and times.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use redb::StorageBackend;
use redb::backends::FileBackend;

use super::flusher::{CHUNK_KEYS, FlushMode};
use super::new_database;
use super::wal::HALF_BYTES;

/// The time between a flush that found no space and the next one, at first.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The least time between two openings that may heal failed reads.
pub(crate) const HEAL_INTERVAL: Duration = Duration::from_secs(60);
/// Space that must be free before a flush is tried again.
const SPACE_BYTES: usize = 1 << 20;

/// Opens a file.
pub(crate) type OpenDisk = Box<dyn Fn() -> io::Result<Box<dyn StorageBackend>> + Send>;

/// Opens the two files.
pub(crate) struct Opener {
    pub(crate) database: OpenDisk,
    pub(crate) wal: OpenDisk,
    /// Fails if the disk is full.
    pub(crate) has_space: Box<dyn Fn() -> io::Result<()> + Send>,
    /// Memory for pages of the database.
    pub(crate) cache_size_bytes: usize,
    /// Bytes of a half of the log.
    pub(crate) half_bytes: usize,
    /// Bytes of a half that are filled before its memtable is flushed.
    pub(crate) fill_bytes: usize,
    pub(crate) flush_mode: FlushMode,
    /// Keys of a transaction of the database.
    pub(crate) chunk_keys: usize,
    /// After a flush found no space: when the next one is tried.
    pub(crate) first_retry: Duration,
    /// The least time between two openings that may heal failed reads.
    pub(crate) heal_interval: Duration,
}

impl Opener {
    /// Opens the database at `path` and its log, which is `path` with the extension `wal`.
    pub(super) fn of_files(path: &Path, cache_size_bytes: usize, fill_bytes: usize) -> Self {
        Self {
            database: file_opener(path.to_path_buf()),
            wal: file_opener(path.with_extension("wal")),
            has_space: space_probe(path.with_extension("space")),
            cache_size_bytes,
            half_bytes: HALF_BYTES,
            fill_bytes,
            flush_mode: FlushMode::Thread,
            chunk_keys: CHUNK_KEYS,
            first_retry: FIRST_RETRY,
            heal_interval: HEAL_INTERVAL,
        }
    }
}

/// Opens or creates the file at `path`.
pub(crate) fn file_opener(path: PathBuf) -> OpenDisk {
    Box::new(move || {
        let file = FileBackend::new(open_file(&path)?).map_err(io::Error::other)?;
        Ok(Box::new(file))
    })
}

/// Writes some bytes to a file and removes it. A file system tells only so that it has space.
fn space_probe(path: PathBuf) -> Box<dyn Fn() -> io::Result<()> + Send> {
    Box::new(move || {
        let write = || {
            let mut file = File::create(&path)?;
            file.write_all(&vec![0xa5; SPACE_BYTES])?;
            file.sync_all()
        };
        let written = write();
        new_database::remove(&path)?;
        written
    })
}

/// Opens or creates a file.
fn open_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}
