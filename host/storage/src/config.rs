//! The settings of a store, and the limits of a transaction.

/// Settings of a [`Store`](crate::Store). [`Config::default`] suits a desktop machine.
#[derive(Debug, Clone)]
pub struct Config {
    /// Memory for cached pages of the database, in bytes. Default: 32 MiB. The memory backend has
    /// no cache.
    pub cache_size_bytes: usize,
    /// Bytes of the write-ahead log that are filled before a flush starts. Default and maximum: 32
    /// MiB. Memtables take a few times as much memory. Flushed memtables that old snapshots still
    /// read take up to 8 times as much; beyond that, the oldest snapshots become unreadable.
    pub wal_bytes: usize,
    /// Limits of one transaction.
    pub limits: Limits,
    /// Commits that may wait for the committer, at least 1. Default: 1024. Further callers wait for
    /// space.
    pub queue_capacity: usize,
    /// The most transactions in a batch, at least 1. Default: 512.
    pub batch_transactions: usize,
    /// A batch is closed when its writes reach this many bytes. Default: 16 MiB.
    pub batch_bytes: usize,
    /// Keys of recent commits that are remembered for validation. Default: 100 000. A transaction
    /// whose snapshot is older conflicts.
    pub history_keys: usize,
    /// The most bytes of these keys. Default: 16 MiB.
    pub history_bytes: usize,
    /// Bytes of read keys that a transaction records exactly. Default: 4 MiB. Beyond it, reads are
    /// recorded as wider ranges. That may add conflicts, and misses none.
    pub read_set_bytes: usize,
    /// How often [`Store::update`](crate::Store::update) runs its closure before it gives up, at
    /// least 1. Default: 100.
    pub update_attempts: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cache_size_bytes: 32 << 20,
            wal_bytes: 32 << 20,
            limits: Limits::default(),
            queue_capacity: 1024,
            batch_transactions: 512,
            batch_bytes: 16 << 20,
            history_keys: 100_000,
            history_bytes: 16 << 20,
            read_set_bytes: 4 << 20,
            update_attempts: 100,
        }
    }
}

/// Limits of one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest key, in bytes. Default: 1024.
    pub key_bytes: usize,
    /// The longest value, in bytes. Default: 8 MiB.
    pub value_bytes: usize,
    /// All keys and values that a transaction writes, in bytes. Default: 64 MiB.
    pub write_bytes: usize,
    /// Keys that a transaction may write. Default: 1 000 000.
    pub writes: usize,
    /// The most entries of a page, whatever the `limit` of the scan is. Default: 10 000.
    pub page_entries: u32,
    /// Keys and values of a page, in bytes. Default: 4 MiB. A page has at least one matching entry,
    /// however large it is.
    pub page_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            key_bytes: 1024,
            value_bytes: 8 << 20,
            write_bytes: 64 << 20,
            writes: 1_000_000,
            page_entries: 10_000,
            page_bytes: 4 << 20,
        }
    }
}
