//! The checks of uploaded blobs that are due.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use stowage_cloud::Hash;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Looks that may be due at once. More uploads than this in the time a check takes go without their second check.
const MOST: usize = 10_000;

/// A check that is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BlobCheck {
    pub(crate) at: Instant,
    pub(crate) hash: Hash,
    pub(crate) size: u64,
    pub(crate) last: bool,
}

/// The checks that are due, soonest first.
#[derive(Default)]
pub(crate) struct BlobChecks {
    checks: Mutex<BTreeSet<BlobCheck>>,
    pub(crate) added: Notify,
}

impl BlobChecks {
    /// Has a blob of `size` bytes looked after.
    pub(crate) fn add(&self, hash: Hash, size: u64) {
        let last = false;
        let at = Instant::now();
        self.insert(BlobCheck { at, hash, size, last });
    }

    pub(crate) fn insert(&self, check: BlobCheck) {
        let mut checks = self.checks.lock();
        if checks.len() >= MOST {
            tracing::warn!(hash = %check.hash, "too many uploads at once; a blob is not looked after");
            return;
        }
        checks.insert(check);
        drop(checks);
        self.added.notify_one();
    }

    pub(crate) fn first(&self) -> Option<BlobCheck> {
        self.checks.lock().first().copied()
    }

    pub(crate) fn remove(&self, check: &BlobCheck) {
        self.checks.lock().remove(check);
    }
}
