//! A snapshot: a committed state of the whole store.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::backend::BackendSnapshot;
use crate::error::BackendError;
use crate::row::{self, Row};
use crate::stored;
use crate::table_versions::VersionRegistry;

/// A committed state. It never changes. Cloning is cheap. Hold it no longer than needed: while a
/// clone lives, the space of rows that were overwritten since is not reused.
#[derive(Clone)]
pub struct Snapshot(Arc<Published>);

/// What the committer publishes.
pub(crate) struct Published {
    /// The last transaction in the state.
    pub(crate) sequence: u64,
    pub(crate) state: Arc<dyn BackendSnapshot>,
    pub(crate) versions: Arc<VersionRegistry>,
    /// Whether the backend was in service when this was published.
    pub(crate) in_service: bool,
}

impl Snapshot {
    pub(crate) fn new(published: Arc<Published>) -> Self {
        Self(published)
    }

    /// The [`Commit::sequence`](crate::Commit) of the last transaction in it. 0 when a store is
    /// opened.
    pub fn sequence(&self) -> u64 {
        self.0.sequence
    }

    /// The names of all tables that have keys, in order.
    ///
    /// # Errors
    ///
    /// If the backend cannot read.
    pub fn tables(&self) -> Result<Vec<String>, BackendError> {
        let mut tables: Vec<String> = Vec::new();
        let mut from = Vec::new();
        loop {
            let mut found = None;
            // Table names are ASCII, so all stored keys are before this.
            self.0.state.walk(&from, &[0xff], false, &mut |key, _| {
                found = Some(stored::split_key(key).map(|(table, _)| table.to_owned()));
                ControlFlow::Break(())
            })?;
            match found {
                None => return Ok(tables),
                Some(None) => {
                    return Err(BackendError::Corrupted("a key without a table".into()));
                }
                Some(Some(table)) => {
                    from = stored::table_end(&table);
                    tables.push(table);
                }
            }
        }
    }

    /// Visits all rows of all tables in order, until `visit` breaks. With `after`, a table and a
    /// key, it begins behind that place. Nothing is recorded as read.
    ///
    /// # Errors
    ///
    /// If the backend cannot read.
    pub fn walk(
        &self,
        after: Option<(&str, &[u8])>,
        mut visit: impl FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        row::walk(self.state(), after, &mut visit)
    }

    pub(crate) fn state(&self) -> &dyn BackendSnapshot {
        &*self.0.state
    }

    /// The stored value of a stored key.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        self.0.state.get(key)
    }

    pub(crate) fn versions(&self) -> &Arc<VersionRegistry> {
        &self.0.versions
    }

    /// Whether the backend is in service, and has not failed to read since the last call.
    pub(crate) fn in_service(&self) -> bool {
        self.0.in_service && !self.0.state.take_read_failure()
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("sequence", &self.0.sequence)
            .finish_non_exhaustive()
    }
}
