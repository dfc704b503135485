//! A checkpoint: a committed state that stays readable however long it is held.

use std::fmt;
use std::ops::ControlFlow;

use crate::backend::CheckpointState;
use crate::error::BackendError;
use crate::row::{self, Row};

/// A committed state of the whole store, for a copy of it. [`Store::checkpoint`] makes it.
///
/// Unlike a [`Snapshot`] it never becomes [`BackendError::Outdated`]: the database alone holds it.
/// While it is held, pages of rows that are overwritten are not reused, so the file grows by about
/// what is written meanwhile. The space is reused afterwards. Its reads fail with
/// [`BackendError::Closed`] after the store is closed, or reopened after a failure.
///
/// [`Store::checkpoint`]: crate::Store::checkpoint
/// [`Snapshot`]: crate::Snapshot
pub struct Checkpoint(CheckpointState);

impl Checkpoint {
    pub(crate) fn new(state: CheckpointState) -> Self {
        Self(state)
    }

    /// The number of the last batch in it. Batch numbers are kept in the files and never restart,
    /// so a later checkpoint of the same store has the same number only if nothing was written.
    pub fn batch(&self) -> u64 {
        self.0.batch
    }

    /// Visits all rows in order, until `visit` breaks. With `after`, a table and a key, it begins
    /// behind that place.
    ///
    /// # Errors
    ///
    /// If the database cannot be read. [`BackendError::Damaged`] names the place.
    pub fn walk(
        &self,
        after: Option<(&str, &[u8])>,
        mut visit: impl FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        row::walk(&*self.0.state, after, &mut visit)
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint")
            .field("batch", &self.0.batch)
            .finish_non_exhaustive()
    }
}
