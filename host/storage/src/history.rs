//! The keys of recent commits, to tell whether what a transaction read has changed since.

use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasher as _;

use foldhash::quality::RandomState;

use crate::keys::Keys;
use crate::read_set::ReadSet;

/// Few enough to stay close to the processor: every key that is written goes through them.
const SLOTS: usize = 1 << 15;

/// Keys written by recent transactions. Bounded: the oldest are forgotten, and a transaction whose snapshot is older
/// than what is remembered cannot be validated.
pub(crate) struct History {
    /// Every commit after this one is remembered.
    floor: u64,
    /// The last commit that wrote a key of a slot, which its hash chooses.
    last: Vec<u64>,
    hasher: RandomState,
    log: VecDeque<Record>,
    keys: usize,
    bytes: usize,
    max_keys: usize,
    max_bytes: usize,
}

/// The keys a transaction wrote.
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

    /// Whether nothing that was read has been written after `snapshot`; also false where that is no longer known.
    pub(crate) fn unchanged_since(&self, snapshot: u64, reads: &ReadSet) -> bool {
        if snapshot < self.floor {
            return false;
        }
        // Most keys that were read share their slot with none that was written since.
        let suspects = reads.points().filter(|key| self.last[self.slot(key)] > snapshot);
        let suspects: HashSet<&[u8], RandomState> = suspects.collect();
        !self
            .log
            .iter()
            .rev()
            .take_while(|record| record.sequence > snapshot)
            .any(|record| {
                !suspects.is_empty() && record.keys.iter().any(|key| suspects.contains(key))
                    || reads.overlaps(&record.keys)
            })
    }

    /// Remembers what a transaction wrote. `sequence` is above all earlier ones.
    pub(crate) fn record(&mut self, sequence: u64, keys: Keys) {
        for key in keys.iter() {
            let slot = self.slot(key);
            self.last[slot] = sequence;
        }
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

    /// Forgets everything: transactions on snapshots before `sequence` cannot be validated.
    pub(crate) fn reset(&mut self, sequence: u64) {
        self.log.clear();
        self.keys = 0;
        self.bytes = 0;
        self.floor = sequence;
    }

    /// How many keys are remembered.
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

    fn keys(keys: &[&str]) -> Keys {
        Keys::copied(keys.iter().map(|key| key.as_bytes()))
    }

    fn point(key: &str) -> ReadSet {
        let mut reads = ReadSet::new(1024);
        reads.insert_key(key.as_bytes());
        reads
    }

    #[test]
    fn a_read_conflicts_with_later_writes_only() {
        let mut history = History::new(100, 1000);
        history.record(1, keys(&["a", "c"]));
        history.record(2, keys(&["b"]));
        assert!(!history.unchanged_since(0, &point("a")));
        assert!(history.unchanged_since(1, &point("a")));
        assert!(history.unchanged_since(0, &point("x")));
        let mut range = ReadSet::new(1024);
        range.insert_range(b"b", b"c");
        assert!(!history.unchanged_since(1, &range));
        assert!(history.unchanged_since(2, &range));
    }

    #[test]
    fn keys_that_share_a_slot_are_told_from_each_other() {
        let mut history = History::new(1 << 20, 64 << 20);
        for sequence in 1..=2 * SLOTS as u64 {
            history.record(sequence, keys(&[&format!("written {sequence}")]));
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
            history.record(sequence, keys(&["a"]));
        }
        assert_eq!(history.len(), 2);
        assert!(!history.unchanged_since(2, &point("x")));
        assert!(history.unchanged_since(3, &point("x")));
        assert!(!history.unchanged_since(3, &point("a")));
        history.record(6, keys(&["b", "c", "d"]));
        assert_eq!(history.len(), 0);
        assert!(!history.unchanged_since(5, &point("x")));
        assert!(history.unchanged_since(6, &point("x")));
    }
}
