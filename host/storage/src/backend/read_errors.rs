//! Whether the disk has failed to read pages, and whether somebody needs one of them.

use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by a database and its snapshots. A page that could not be read stays unreadable in redb's
/// cache until the database is opened again.
#[derive(Debug, Default)]
pub(crate) struct ReadErrors {
    any: AtomicBool,
    wanted: AtomicBool,
}

impl ReadErrors {
    /// The disk has failed to read a page.
    pub(super) fn note_error(&self) {
        self.any.store(true, Ordering::Release);
    }

    /// Somebody needs a page that is damaged, or could not be read.
    pub(super) fn note_need(&self) {
        if self.any() {
            self.wanted.store(true, Ordering::Release);
        }
    }

    pub(super) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Whether somebody has needed such a page since the last call.
    pub(super) fn take_need(&self) -> bool {
        self.wanted.load(Ordering::Acquire) && self.wanted.swap(false, Ordering::AcqRel)
    }
}
