//! What follows from a row: index entries and shares of counters.

use crate::key::MAX_KEY_BYTES;

/// The table of references to blobs: one counter a hash.
pub(crate) const BLOBS: &str = "blobs";

/// The index entries of a row, and what it adds to counters.
///
/// It must depend on the stored row alone. Then removing a row removes exactly what adding it
/// added.
#[derive(Debug, Default)]
pub struct Derived {
    pub(crate) entries: Vec<IndexEntry>,
    pub(crate) counters: Vec<(Counter, i64)>,
}

/// An entry of an index table.
#[derive(Debug)]
pub(crate) struct IndexEntry {
    pub(crate) table: &'static str,
    pub(crate) key: Vec<u8>,
    /// Whether the value is the row's text; otherwise it is empty.
    pub(crate) is_listed: bool,
}

impl IndexEntry {
    pub(crate) fn is_among(&self, entries: &[IndexEntry]) -> bool {
        entries
            .iter()
            .any(|entry| (entry.table, &entry.key) == (self.table, &self.key))
    }
}

/// A counter: its table and its key.
pub(crate) type Counter = (&'static str, Vec<u8>);

impl Derived {
    /// Adds an index entry whose value is the row's text.
    pub fn listed(&mut self, table: &'static str, key: Vec<u8>) {
        self.entries.push(IndexEntry {
            table,
            key,
            is_listed: true,
        });
    }

    /// Adds an index entry without a value.
    pub fn indexed(&mut self, table: &'static str, key: Vec<u8>) {
        self.entries.push(IndexEntry {
            table,
            key,
            is_listed: false,
        });
    }

    /// Adds an amount to a counter.
    pub fn counted(&mut self, table: &'static str, key: Vec<u8>, amount: i64) {
        self.counters.push(((table, key), amount));
    }

    /// Adds a reference to a blob. `hash` must be a hash ([`is_hash`](crate::is_hash)).
    pub fn refers(&mut self, hash: &str) {
        self.counted(BLOBS, hash.as_bytes().to_vec(), 1);
    }

    /// Whether each key has a length that storage accepts.
    pub(crate) fn fits(&self) -> bool {
        let entries = self.entries.iter().map(|entry| &entry.key);
        let counters = self.counters.iter().map(|((_, key), _)| key);
        entries
            .chain(counters)
            .all(|key| (1..=MAX_KEY_BYTES).contains(&key.len()))
    }
}
