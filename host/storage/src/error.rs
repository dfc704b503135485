//! The errors, one type for each kind of call.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// A read or a write of a transaction failed. The transaction is unchanged.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A table name is not 1 to 64 characters of `a-z`, `0-9`, `-` and `.`.
    #[error("invalid table name {table:?}: expected 1 to 64 characters of a-z, 0-9, '-' and '.'")]
    TableNameInvalid {
        /// The first 64 characters of the name.
        table: String,
    },
    /// A key is empty.
    #[error("a key is empty: expected at least one byte")]
    KeyEmpty,
    /// A key is longer than the limit.
    #[error("a key has {len_bytes} bytes: expected at most {limit_bytes}")]
    KeyTooLong {
        /// Its length.
        len_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// A value is longer than the limit.
    #[error("a value has {len_bytes} bytes: expected at most {limit_bytes}")]
    ValueTooLong {
        /// Its length.
        len_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// The keys and values written exceed the limit.
    #[error("the transaction writes more than {limit_bytes} bytes")]
    TransactionTooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// More keys are written than the limit allows.
    #[error("the transaction writes more than {limit} keys")]
    TooManyWrites {
        /// The limit.
        limit: usize,
    },
    /// A key holds a value where a counter is expected.
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

/// A store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file is open in another process, or in another store of this one.
    #[error("{} is in use by another process: stop that process first", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a newer version.
    #[error(
        "{} has format {found}, but this version reads only formats 1 to {supported}: use a newer version of the \
         program, or restore a backup that this version can read",
        path.display()
    )]
    FormatTooNew {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest format this version reads.
        supported: u64,
    },
    /// The file has an older format that cannot be converted where it is. Opening a store converts
    /// it; looking into the file does not.
    #[error("{} has the old format {found}: start the server once, which converts it", path.display())]
    FormatTooOld {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// The file was changed by something else, or the disk lost a part of it.
    #[error(
        "{} is damaged: {damage}. Restore a backup, or save what can be read with `stowage db salvage`",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is damaged.
        damage: String,
    },
    /// The file is missing or empty, but its log holds commits.
    #[error(
        "{} is missing or empty, but its log {} is not: put the database back beside its log, or restore a backup; to \
         begin anew without what the log holds, move the log away",
        path.display(),
        log.display()
    )]
    LogWithoutDatabase {
        /// The file.
        path: PathBuf,
        /// Its log.
        log: PathBuf,
    },
    /// The file is not a store.
    #[error("{} is not a Stowage database: move it away, or choose another data directory", path.display())]
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
    /// The committer thread could not be started.
    #[error("the committer thread cannot be started")]
    Thread(#[source] io::Error),
}

/// A transaction was not committed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// Another transaction changed what this one read, or its snapshot is older than the history.
    /// Nothing was written. It may succeed if it runs again on a new snapshot.
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
    /// The backend failed. No snapshot sees the writes. But the disk may hold them although it
    /// reported an error, and they then appear after the files are reopened.
    #[error("the commit failed")]
    Backend(#[from] BackendError),
}

/// [`Store::update`](crate::Store::update) gave up.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError<E> {
    /// The closure returned an error. Nothing was written.
    #[error("{0}")]
    Aborted(E),
    /// Every attempt conflicted. Nothing was written.
    #[error("gave up after {attempts} conflicts")]
    Contended {
        /// How often the closure was run.
        attempts: u32,
    },
    /// The commit failed for another reason than a conflict.
    #[error(transparent)]
    Commit(CommitError),
}

/// The backend failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BackendError {
    /// The backend is closed, or is being reopened after a failure. Earlier snapshots stay closed.
    #[error("the storage is closed")]
    Closed,
    /// The memory for old snapshots is full, and this snapshot was discarded. The latest snapshot
    /// can be read.
    #[error("the snapshot is older than what is kept")]
    Outdated,
    /// The disk failed, or is full.
    #[error("the disk failed: {0}")]
    Io(#[source] Arc<io::Error>),
    /// The stored data is not what was written.
    #[error("the storage is corrupted: {0}")]
    Corrupted(Arc<str>),
    /// A part of the database is not what was written. What it held is not served. Other rows are.
    #[error(
        "the database is damaged at table {table:?}, key {}: restore a backup, or save what can be read \
         with `stowage db salvage`",
        key.escape_ascii()
    )]
    Damaged {
        /// The table of the row or range that was to be read.
        table: String,
        /// The key of the row, or the place in the range.
        key: Vec<u8>,
    },
    /// Writes are refused while the database cannot be written. Nothing of the commit was written.
    /// Rows can be read.
    #[error("the storage takes no writes: {0}")]
    ReadOnly(#[source] Arc<BackendError>),
    /// The database failed for another reason, or could not be reopened.
    #[error("the database failed: {0}")]
    Database(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// An internal error: a bug.
    #[error("internal storage error: {0}")]
    Failed(Arc<str>),
}

impl From<io::Error> for BackendError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

impl BackendError {
    /// Whether the disk is full, or the user's share of it. Writes succeed again without a restart
    /// when there is space.
    pub fn is_no_space(&self) -> bool {
        let mut error: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(current) = error {
            let io = current.downcast_ref::<io::Error>();
            let io = io.or_else(|| current.downcast_ref::<Arc<io::Error>>().map(|error| &**error));
            if io.is_some_and(|error| is_full(error.kind())) {
                return true;
            }
            error = current.source();
        }
        false
    }

    /// Whether a part of the data is not what was written.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Corrupted(_) | Self::Damaged { .. } => true,
            Self::ReadOnly(reason) => reason.is_damage(),
            _ => false,
        }
    }
}

fn is_full(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_through_every_wrapping() {
        let full = BackendError::from(io::Error::from(io::ErrorKind::StorageFull));
        let wrapped = BackendError::ReadOnly(Arc::new(full.clone()));
        let opened = OpenError::Backend {
            path: PathBuf::new(),
            source: full.clone(),
        };
        let reopened = BackendError::Database(Arc::new(opened));
        assert!(full.is_no_space() && wrapped.is_no_space() && reopened.is_no_space());
        assert!(!BackendError::from(io::Error::from(io::ErrorKind::NotFound)).is_no_space());
        assert!(!wrapped.is_damage() && BackendError::Corrupted("x".into()).is_damage());
    }
}
