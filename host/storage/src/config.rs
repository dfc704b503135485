//! What a store is opened with, and the limits it holds every transaction to.

/// Settings of a [`Store`](crate::Store). [`Config::default`] suits a desktop machine.
#[derive(Debug, Clone)]
pub struct Config {
    /// Memory for cached pages of the file, in bytes; 32 MiB unless set. The memory backend has no cache.
    pub cache_size_bytes: usize,
    /// Bytes of changes in the wal before the file takes them up; 32 MiB unless set, and at most. A few times as much memory
    /// holds them meanwhile, and up to 16 times as much what only old snapshots see; of more, the oldest cannot be read any longer.
    pub wal_bytes: usize,
    /// What one transaction may do.
    pub limits: Limits,
    /// Commits that may wait for the committer, at least 1; 1024 unless set. Further callers wait for room.
    pub queue_capacity: usize,
    /// The most transactions that are made durable together, at least 1; 512 unless set.
    pub batch_transactions: usize,
    /// A batch takes no further transaction once its writes reach this many bytes; 16 MiB unless set.
    pub batch_bytes: usize,
    /// Keys of recent commits that are remembered to validate transactions; 100 000 unless set. A transaction whose
    /// snapshot is older than what is remembered conflicts.
    pub history_keys: usize,
    /// The most bytes those keys may take; 16 MiB unless set.
    pub history_bytes: usize,
    /// Bytes of read keys a transaction records exactly; 4 MiB unless set. Beyond it, what was read is recorded as
    /// wider ranges, which costs conflicts but never correctness.
    pub read_set_bytes: usize,
    /// How often [`Store::update`](crate::Store::update) runs its closure before it gives up, at least 1; 100 unless
    /// set.
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
    /// The longest key, in bytes; 1024 unless set.
    pub key_bytes: usize,
    /// The longest value, in bytes; 8 MiB unless set.
    pub value_bytes: usize,
    /// All keys and values a transaction writes together, in bytes; 64 MiB unless set.
    pub write_bytes: usize,
    /// Keys a transaction may write; 1 000 000 unless set.
    pub writes: usize,
    /// The most entries a page holds, whatever its `limit` says; 10 000 unless set.
    pub page_entries: u32,
    /// Keys and values of a page together, in bytes; 4 MiB unless set. A page always holds at least one matching
    /// entry, however large.
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
