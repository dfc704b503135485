//! What a store needs of the place it keeps its bytes in: snapshots, and batches that become durable as one.

mod database;
pub(crate) mod disk_file;
mod flusher;
mod journal;
mod key_map;
pub(crate) mod memory;
mod memtable;
pub(crate) mod redb;

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::error::BackendError;

/// A change of one key in a batch: its stored value from now on, or `None` to remove it.
pub(crate) type Change<'a> = (&'a [u8], Option<&'a [u8]>);

/// What a walk hands each stored key and stored value to.
pub(crate) type Visit<'v> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'v;

/// Called from any thread when the backend should be looked after.
pub(crate) type News = Box<dyn Fn() + Send + Sync>;

/// Keeps stored keys and values. Used by the committer alone.
pub(crate) trait Backend: Send {
    /// The committed state.
    fn snapshot(&self) -> Result<Arc<dyn BackendSnapshot>, BackendError>;

    /// Makes all changes durable, or none, and returns the state after them. They come sorted by key, each key once.
    ///
    /// After an error the backend must be opened again; whether the changes are durable then is not known.
    fn apply(
        &mut self,
        changes: &mut dyn Iterator<Item = Change<'_>>,
    ) -> Result<Arc<dyn BackendSnapshot>, BackendError>;

    /// Calls `news` from now on when there is something to look after.
    fn on_news(&mut self, _news: News) {}

    /// Does what has to be done from time to time, and returns the committed state where it is now read from somewhere else.
    ///
    /// After an error the backend must be opened again.
    fn look_after(&mut self) -> Result<Option<Arc<dyn BackendSnapshot>>, BackendError> {
        Ok(None)
    }

    /// Closes what is open and opens it again. Snapshots taken before may fail to read from then on.
    fn reopen(&mut self) -> Result<(), BackendError>;

    /// Closes for good. Snapshots may fail to read from then on.
    fn close(&mut self) -> Result<(), BackendError>;
}

/// A committed state that does not change.
pub(crate) trait BackendSnapshot: Send + Sync {
    /// The stored value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError>;

    /// Hands the keys from `start` up to, not including, `end` and their stored values to `visit`, until it
    /// breaks. `start` is before `end`. `visit` must not call back into the snapshot.
    fn walk(&self, start: &[u8], end: &[u8], reverse: bool, visit: &mut Visit<'_>) -> Result<(), BackendError>;
}

/// What stands in for a snapshot while the backend is closed.
pub(crate) struct ClosedSnapshot;

impl BackendSnapshot for ClosedSnapshot {
    fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        Err(BackendError::Closed)
    }

    fn walk(&self, _: &[u8], _: &[u8], _: bool, _: &mut Visit<'_>) -> Result<(), BackendError> {
        Err(BackendError::Closed)
    }
}
