//! What a store needs from the place that keeps its bytes: snapshots, and atomic durable batches.

pub(crate) mod database;
#[cfg(test)]
mod figures;
pub(crate) mod flusher;
pub(crate) mod format;
mod layers;
pub(crate) mod memory;
mod memtable;
pub(crate) mod mutants;
pub(crate) mod new_database;
mod open_files;
pub(crate) mod opener;
pub(crate) mod overlay;
pub(crate) mod page_layout;
pub(crate) mod pages;
pub(crate) mod read_errors;
mod recovery;
pub(crate) mod redb;
pub(crate) mod scratch;
pub(crate) mod tree;
pub(crate) mod wal;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use crate::error::BackendError;

/// A key and the stored value it holds after a batch, or `None` if the batch removes the key.
pub(crate) type KeyUpdate<'a> = (&'a [u8], Option<&'a [u8]>);

/// A walk calls this with each stored key and stored value, until it breaks.
pub(crate) type Visit<'v> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'v;

/// Why a backend has not applied a batch.
#[derive(Debug)]
pub(crate) enum ApplyError {
    /// Nothing was written, and the backend is as before. It may succeed later.
    Refused(BackendError),
    /// The updates may be durable or not. The backend must be reopened.
    Failed(BackendError),
}

impl<E: Into<BackendError>> From<E> for ApplyError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// What a backend does beside the batches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct BackendLoad {
    /// Flushes since the backend was opened.
    pub(crate) flushes: u64,
    /// Bytes of the log that hold records now.
    pub(crate) log_bytes: u64,
}

/// Keeps stored keys and values. Only the committer uses it.
pub(crate) trait Backend: Send {
    /// The committed state.
    fn snapshot(&self) -> Result<Arc<dyn BackendSnapshot>, BackendError>;

    /// Makes all updates durable, or none, and returns the state after them. Updates are sorted by
    /// key, and each key occurs once.
    fn apply(
        &mut self,
        updates: &mut dyn Iterator<Item = KeyUpdate<'_>>,
    ) -> Result<Arc<dyn BackendSnapshot>, ApplyError>;

    /// When [`Backend::maintain`] is due next; `None` while there is nothing to do.
    fn maintenance_due(&self) -> Option<Instant> {
        None
    }

    /// Does the maintenance that is due. Returns a snapshot if the committed state moved.
    ///
    /// After an error the backend must be reopened.
    fn maintain(&mut self) -> Result<Option<Arc<dyn BackendSnapshot>>, BackendError> {
        Ok(None)
    }

    /// A state that is no earlier than that of the first call, and that stays readable however long
    /// it is held. `None` while that is being prepared; the caller then asks again after each
    /// [`Backend::maintain`].
    ///
    /// After an error the backend must be reopened.
    fn checkpoint(&mut self) -> Result<Option<CheckpointState>, ApplyError>;

    /// Whether opening it again may heal failed reads. At most now and then.
    fn should_reopen(&mut self) -> bool {
        false
    }

    /// What it does beside the batches.
    fn load(&self) -> BackendLoad {
        BackendLoad::default()
    }

    /// Closes what is open and opens it again. Reads of earlier snapshots may fail from then on.
    fn reopen(&mut self) -> Result<(), BackendError>;

    /// Closes for good. Reads of snapshots may fail from then on.
    fn close(&mut self) -> Result<(), BackendError>;
}

/// A committed state that memory alone cannot lose, and the last batch in it.
pub(crate) struct CheckpointState {
    pub(crate) state: Arc<dyn BackendSnapshot>,
    pub(crate) batch: u64,
}

/// A committed state. It never changes.
pub(crate) trait BackendSnapshot: Send + Sync {
    /// The stored value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError>;

    /// Whether a read failed because the disk did, since the last call. Opening the backend again
    /// may help.
    fn take_read_failure(&self) -> bool {
        false
    }

    /// Calls `visit` with the keys of the half-open range `start..end` and their stored values,
    /// until it breaks. `start` is before `end`. `visit` must not call the snapshot.
    fn walk(&self, start: &[u8], end: &[u8], reverse: bool, visit: &mut Visit<'_>) -> Result<(), BackendError>;
}

/// The snapshot of a closed backend: every read fails.
pub(crate) struct ClosedSnapshot;

impl BackendSnapshot for ClosedSnapshot {
    fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        Err(BackendError::Closed)
    }

    fn walk(&self, _: &[u8], _: &[u8], _: bool, _: &mut Visit<'_>) -> Result<(), BackendError> {
        Err(BackendError::Closed)
    }
}
