//! The checks of uploaded blobs that are due.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use stowage_cloud::Hash;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The most checks that may be due at once. Blobs beyond this limit are not checked.
const MOST: usize = 10_000;

/// A check to run. Ordered by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BlobCheck {
    pub(crate) at: Instant,
    pub(crate) hash: Hash,
    pub(crate) size: u64,
    /// Whether this is the last check of the blob.
    pub(crate) last: bool,
}

/// The checks to run, soonest first.
#[derive(Default)]
pub(crate) struct BlobChecks {
    checks: Mutex<BTreeSet<BlobCheck>>,
    /// Notified when a check was added.
    pub(crate) added: Notify,
}

impl BlobChecks {
    /// Adds a first check of a blob of `size` bytes, due now.
    pub(crate) fn add(&self, hash: Hash, size: u64) {
        let last = false;
        let at = Instant::now();
        self.insert(BlobCheck { at, hash, size, last });
    }

    pub(crate) fn insert(&self, check: BlobCheck) {
        let mut checks = self.checks.lock();
        if checks.len() >= MOST {
            tracing::warn!(hash = %check.hash, "too many checks are due; this blob is not checked");
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
