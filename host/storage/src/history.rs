//! The keys of recent batches. They tell whether what a transaction read has changed since.

use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasher as _;

use foldhash::quality::RandomState;

use crate::batch::Batch;
use crate::keys::Keys;
use crate::read_set::ReadSet;
use crate::write_set::WriteSet;

/// Slots of the filter. Few enough to stay in the processor's cache: each written key touches one.
const SLOTS: usize = 1 << 15;

/// The keys that recent batches wrote. It is bounded: the oldest batches are forgotten, and a
/// transaction on an older snapshot cannot be validated.
pub(crate) struct History {
    /// All batches after this commit are remembered.
    floor: u64,
    /// For each slot, the last commit that wrote one of its keys. The hash of a key is its slot.
    last: Vec<u64>,
    hasher: RandomState,
    log: VecDeque<Record>,
    keys: usize,
    bytes: usize,
    max_keys: usize,
    max_bytes: usize,
}

/// The keys that a batch wrote, and its last commit.
struct Record {
    sequence: u64,
    keys: Keys,
}

impl History {
    pub(crate) fn new(max_keys: usize, max_bytes: usize) -> Self {
        Self {
            floor: 0,
            last: vec![0; SLOTS],
            hasher: RandomState::default(),
            log: VecDeque::new(),
            keys: 0,
            bytes: 0,
            max_keys,
            max_bytes,
        }
    }

    /// Whether a key or range that was read has been written after `snapshot`, or by `batch`. Also
    /// true if that is no longer known, because the snapshot is older than the history.
    pub(crate) fn has_conflict(&self, snapshot: u64, reads: &ReadSet, batch: &Batch<'_>) -> bool {
        if snapshot < self.floor {
            return true;
        }
        // A key that shares its slot with no later write is clean. Few keys remain to be searched.
        let suspects = reads.points().filter(|key| self.last[self.slot(key)] > snapshot);
        let suspects: HashSet<&[u8], RandomState> = suspects.collect();
        let conflicts_with_batch = suspects.iter().any(|key| batch.writes(key))
            || reads.ranges().any(|(start, end)| batch.writes_between(start, end));
        conflicts_with_batch
            || self
                .log
                .iter()
                .rev()
                .take_while(|record| record.sequence > snapshot)
                .any(|record| {
                    !suspects.is_empty() && record.keys.iter().any(|key| suspects.contains(key))
                        || reads.overlaps(&record.keys)
                })
    }

    /// Notes the writes of a transaction that joined the batch as commit `sequence`, which is
    /// higher than all before.
    pub(crate) fn admit(&mut self, sequence: u64, writes: &WriteSet) {
        for key in writes.ops().keys() {
            let slot = self.slot(key);
            self.last[slot] = sequence;
        }
    }

    /// Remembers the keys of a batch after it was committed. Its last commit is `sequence`.
    pub(crate) fn record(&mut self, sequence: u64, keys: Keys) {
        self.keys += keys.len();
        self.bytes += keys.bytes();
        self.log.push_back(Record { sequence, keys });
        while self.keys > self.max_keys || self.bytes > self.max_bytes {
            let Some(oldest) = self.log.pop_front() else {
                break;
            };
            self.keys -= oldest.keys.len();
            self.bytes -= oldest.keys.bytes();
            self.floor = oldest.sequence;
        }
    }

    /// Forgets everything. Transactions on snapshots before `sequence` cannot be validated.
    pub(crate) fn reset(&mut self, sequence: u64) {
        self.log.clear();
        self.keys = 0;
        self.bytes = 0;
        self.floor = sequence;
    }

    /// The number of remembered keys.
    pub(crate) fn len(&self) -> usize {
        self.keys
    }

    fn slot(&self, key: &[u8]) -> usize {
        self.hasher.hash_one(key) as usize % SLOTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::backend::ClosedSnapshot;
    use crate::config::Limits;
    use crate::write_set::Op;

    impl History {
        fn unchanged_since(&self, snapshot: u64, reads: &ReadSet) -> bool {
            !self.has_conflict(snapshot, reads, &Batch::default())
        }

        /// Commits a batch of one transaction.
        fn commit(&mut self, sequence: u64, keys: &[&str]) {
            self.admit(sequence, &writes(keys));
            self.record(sequence, Keys::copied(keys.iter().map(|key| key.as_bytes())));
        }
    }

    fn writes(keys: &[&str]) -> WriteSet {
        let mut writes = WriteSet::default();
        for key in keys {
            writes.set(key.as_bytes(), Op::Delete, &Limits::default()).unwrap();
        }
        writes
    }

    fn point(key: &str) -> ReadSet {
        let mut reads = ReadSet::new(1024);
        reads.insert_key(key.as_bytes());
        reads
    }

    #[test]
    fn a_read_conflicts_with_later_writes_only() {
        let mut history = History::new(100, 1000);
        history.commit(1, &["a", "c"]);
        history.commit(2, &["b"]);
        assert!(!history.unchanged_since(0, &point("a")));
        assert!(history.unchanged_since(1, &point("a")));
        assert!(history.unchanged_since(0, &point("x")));
        let mut range = ReadSet::new(1024);
        range.insert_range(b"b", b"c");
        assert!(!history.unchanged_since(1, &range));
        assert!(history.unchanged_since(2, &range));
    }

    #[test]
    fn a_read_conflicts_with_the_batch_in_the_making() {
        let mut history = History::new(100, 1000);
        history.commit(1, &["a"]);
        let (state, first) = (ClosedSnapshot, writes(&["b", "c"]));
        let mut batch = Batch::default();
        batch.include(&state, &first).unwrap();
        history.admit(2, &first);
        assert!(!history.has_conflict(1, &point("a"), &batch));
        assert!(history.has_conflict(1, &point("b"), &batch));
        let mut range = ReadSet::new(1024);
        range.insert_range(b"bb", b"cc");
        assert!(history.has_conflict(1, &range, &batch));
        history.record(2, batch.keys());
        assert!(!history.unchanged_since(1, &range));
        assert!(history.unchanged_since(2, &range) && history.unchanged_since(2, &point("b")));
    }

    #[test]
    fn keys_that_share_a_slot_are_told_from_each_other() {
        let mut history = History::new(1 << 20, 64 << 20);
        for sequence in 1..=2 * SLOTS as u64 {
            history.commit(sequence, &[&format!("written {sequence}")]);
        }
        let mut unwritten = ReadSet::new(1 << 20);
        for n in 0..1000 {
            unwritten.insert_key(format!("unwritten {n}").as_bytes());
        }
        assert!(history.unchanged_since(0, &unwritten));
        unwritten.insert_key(b"written 1000");
        assert!(!history.unchanged_since(999, &unwritten));
        assert!(history.unchanged_since(1000, &unwritten));
    }

    #[test]
    fn what_is_older_than_the_history_is_unknown() {
        let mut history = History::new(2, 1000);
        for sequence in 1..=5 {
            history.commit(sequence, &["a"]);
        }
        assert_eq!(history.len(), 2);
        assert!(!history.unchanged_since(2, &point("x")));
        assert!(history.unchanged_since(3, &point("x")));
        assert!(!history.unchanged_since(3, &point("a")));
        history.commit(6, &["b", "c", "d"]);
        assert_eq!(history.len(), 0);
        assert!(!history.unchanged_since(5, &point("x")));
        assert!(history.unchanged_since(6, &point("x")));
    }
}
