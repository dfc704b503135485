//! Counts of what a store has done since it was opened.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::distribution::{Distribution, DistributionCounts, TIME_BOUNDS_US};

/// Bounds for the transactions of a batch.
const BATCH_BOUNDS: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

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
    /// Memtables that were written into the database. Always 0 in memory.
    pub flushes: u64,
    /// Bytes of the current half of the write-ahead log that hold records now.
    pub log_bytes: u64,
}

/// How large batches were, and how long they took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchStats {
    /// From the start of a batch to its replies, in microseconds. Failed batches count.
    pub times_us: DistributionCounts,
    /// Committed transactions in each batch.
    pub sizes: DistributionCounts,
}

/// Whether a store can commit, as its own threads see it. Reading it never waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceState {
    /// [`Store::close`](crate::Store::close) was called.
    pub closed: bool,
    /// The files could not be written, and are not open again.
    pub failed: bool,
    /// For how long the committer has worked on its present batch or maintenance; none while it
    /// waits for work.
    pub busy: Option<Duration>,
}

/// The counters behind [`Stats`].
#[derive(Debug)]
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
    pub(crate) flushes: AtomicU64,
    pub(crate) log_bytes: AtomicU64,
    batch_times: Distribution,
    batch_sizes: Distribution,
    opened: Instant,
    /// When the committer began what it does now, in microseconds since `opened`, plus 1; 0 while
    /// it waits.
    busy_since_us: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            commits: AtomicU64::new(0),
            read_only_commits: AtomicU64::new(0),
            conflicts: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            largest_batch: AtomicU64::new(0),
            keys_written: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
            failed_batches: AtomicU64::new(0),
            reopens: AtomicU64::new(0),
            history_keys: AtomicU64::new(0),
            flushes: AtomicU64::new(0),
            log_bytes: AtomicU64::new(0),
            batch_times: Distribution::new(TIME_BOUNDS_US),
            batch_sizes: Distribution::new(BATCH_BOUNDS),
            opened: Instant::now(),
            busy_since_us: AtomicU64::new(0),
        }
    }
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
            flushes: read(&self.flushes),
            log_bytes: read(&self.log_bytes),
        }
    }

    pub(crate) fn read_batches(&self) -> BatchStats {
        BatchStats {
            times_us: self.batch_times.read(),
            sizes: self.batch_sizes.read(),
        }
    }

    /// The committer begins a batch or maintenance.
    pub(crate) fn begin_work(&self) {
        let since = u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX - 1);
        self.busy_since_us.store(since + 1, Ordering::Relaxed);
    }

    /// The committer waits for work again.
    pub(crate) fn end_work(&self) {
        self.busy_since_us.store(0, Ordering::Relaxed);
    }

    /// For how long the committer has been at work; none while it waits.
    pub(crate) fn busy(&self) -> Option<Duration> {
        let since = self.busy_since_us.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.opened.elapsed().saturating_sub(Duration::from_micros(since)))
    }

    pub(crate) fn add_batch_time(&self, time: Duration) {
        self.batch_times.add_time(time);
    }

    pub(crate) fn add_batch_size(&self, transactions: u64) {
        self.batch_sizes.add(transactions);
    }
}
