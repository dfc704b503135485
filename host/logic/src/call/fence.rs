//! The fence that holds calls back while code and data change together.
//!
//! An *era* is a time in which the stored bytes have one meaning. Its number is even while calls
//! may begin, and odd while they are held back. Every target of a call knows its era. An attempt
//! takes its snapshot and then compares the target's era with the present one. So no call begins
//! with old code on new data, or with new code on old data. A call that began earlier has an older
//! snapshot. It cannot commit: the storage's fenced commit makes it conflict, and it runs again.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// The present era.
#[derive(Debug, Default)]
pub(crate) struct Fence {
    era: AtomicU64,
    changed: Notify,
}

impl Fence {
    /// The present era.
    pub(crate) fn era(&self) -> u64 {
        self.era.load(Ordering::SeqCst)
    }

    /// The present era, or the one before while calls are held back.
    pub(crate) fn last_open_era(&self) -> u64 {
        self.era() & !1
    }

    /// Waits while calls are held back.
    pub(crate) async fn until_open(&self) {
        loop {
            let changed = self.changed.notified();
            if self.era().is_multiple_of(2) {
                return;
            }
            changed.await;
        }
    }

    pub(crate) fn set_era(&self, era: u64) {
        self.era.store(era, Ordering::SeqCst);
        self.changed.notify_waiters();
    }
}
