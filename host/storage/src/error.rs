//! Why a call failed, one type per kind of call.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a read or a write inside a transaction was refused. The transaction is as it was before the call.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A table name is not 1 to 64 characters of `a-z`, `0-9`, `-` and `.`.
    #[error("{table:?} is no table name: 1 to 64 characters of a-z, 0-9, '-' and '.'")]
    TableNameInvalid {
        /// The name, cut to its first 64 characters.
        table: String,
    },
    /// A key has no bytes.
    #[error("a key has at least one byte")]
    KeyEmpty,
    /// A key is longer than the limit.
    #[error("a key of {len_bytes} bytes is longer than {limit_bytes}")]
    KeyTooLong {
        /// Its length.
        len_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// A value is longer than the limit.
    #[error("a value of {len_bytes} bytes is longer than {limit_bytes}")]
    ValueTooLong {
        /// Its length.
        len_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// The keys and values written would exceed the limit.
    #[error("the transaction writes more than {limit_bytes} bytes")]
    TransactionTooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// More keys would be written than the limit allows.
    #[error("the transaction writes more than {limit} keys")]
    TooManyWrites {
        /// The limit.
        limit: usize,
    },
    /// A counter was expected where the key holds a value.
    #[error("a key of table {table:?} holds a value, not a counter")]
    NotACounter {
        /// The table.
        table: String,
        /// The key.
        key: Vec<u8>,
    },
    /// The backend could not read.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the file.
    #[error("{} is in use by another process", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a newer version.
    #[error("{} has format {found}, and this version reads up to {supported}", path.display())]
    FormatTooNew {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest format this version reads.
        supported: u64,
    },
    /// The file is something else.
    #[error("{} is not a store", path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be opened, read or written.
    #[error("{} cannot be opened", path.display())]
    Backend {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: BackendError,
    },
    /// The committer's thread could not be started.
    #[error("the committer's thread cannot be started")]
    Thread(#[source] io::Error),
}

/// Why a transaction was not committed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// Another transaction changed what this one read, or its snapshot is older than what is remembered. Nothing was
    /// written; running it again on a new snapshot may succeed.
    #[error("another transaction changed what this one read")]
    Conflict,
    /// It adds to a key that holds a value. Nothing was written.
    #[error("a key of table {table:?} holds a value, not a counter")]
    NotACounter {
        /// The table.
        table: String,
        /// The key.
        key: Vec<u8>,
    },
    /// The store is closed. Nothing was written.
    #[error("the store is closed")]
    Closed,
    /// The backend failed. Nothing was made visible, but a write the disk failed to confirm may still turn up once the
    /// file has been opened again.
    #[error("the commit failed")]
    Backend(#[from] BackendError),
}

/// Why [`Store::update`](crate::Store::update) gave up.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError<E> {
    /// The closure returned an error; nothing was written.
    #[error("{0}")]
    Aborted(E),
    /// Every attempt conflicted; nothing was written.
    #[error("gave up after {attempts} conflicts")]
    Contended {
        /// How often the closure ran.
        attempts: u32,
    },
    /// The commit failed for another reason than a conflict.
    #[error(transparent)]
    Commit(CommitError),
}

/// Why the backend failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BackendError {
    /// The backend is closed, for good or until it has been opened again after a failure. A snapshot taken before
    /// stays closed.
    #[error("the storage is closed")]
    Closed,
    /// The snapshot is one of many old ones that had been held, and of those a bounded number is kept. The latest one can be read.
    #[error("the snapshot is older than what is kept")]
    Outdated,
    /// The disk failed, or is full.
    #[error("the disk failed: {0}")]
    Io(#[source] Arc<io::Error>),
    /// What was read is not what was written.
    #[error("the storage is corrupted: {0}")]
    Corrupted(Arc<str>),
    /// The backend broke down in a way that is a bug.
    #[error("the storage broke down: {0}")]
    Failed(Arc<str>),
}

impl From<io::Error> for BackendError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}
