//! Counts of what a store has done since it was opened.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the store was opened. They are read one by one, so they may differ by a commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Committed transactions with writes.
    pub commits: u64,
    /// Committed transactions without writes.
    pub read_only_commits: u64,
    /// Transactions that were refused because of a conflict.
    pub conflicts: u64,
    /// Batches. `commits` divided by this is the average batch.
    pub batches: u64,
    /// The most transactions in one batch.
    pub largest_batch: u64,
    /// Keys written.
    pub keys_written: u64,
    /// Bytes of the written keys and values, without overhead of the backend.
    pub bytes_written: u64,
    /// Batches that the backend failed to write, and failed flushes.
    pub failed_batches: u64,
    /// How often the backend was reopened after a failure.
    pub reopens: u64,
    /// Keys in the history of recent commits now.
    pub history_keys: u64,
    /// Commits that wait in the queue now.
    pub queued: u64,
}

/// The counters behind [`Stats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) commits: AtomicU64,
    pub(crate) read_only_commits: AtomicU64,
    pub(crate) conflicts: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) largest_batch: AtomicU64,
    pub(crate) keys_written: AtomicU64,
    pub(crate) bytes_written: AtomicU64,
    pub(crate) failed_batches: AtomicU64,
    pub(crate) reopens: AtomicU64,
    pub(crate) history_keys: AtomicU64,
}

/// Adds to a counter. No other memory access is ordered by it.
pub(crate) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn read(&self, queued: u64) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            commits: read(&self.commits),
            read_only_commits: read(&self.read_only_commits),
            conflicts: read(&self.conflicts),
            batches: read(&self.batches),
            largest_batch: read(&self.largest_batch),
            keys_written: read(&self.keys_written),
            bytes_written: read(&self.bytes_written),
            failed_batches: read(&self.failed_batches),
            reopens: read(&self.reopens),
            history_keys: read(&self.history_keys),
            queued,
        }
    }
}
