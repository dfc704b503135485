//! The keys of recent commits, to tell whether what a transaction read has changed since.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};

use foldhash::quality::RandomState;

use crate::keys::Keys;
use crate::read_set::ReadSet;

/// Keys written by recent transactions. Bounded: the oldest are forgotten, and a transaction whose snapshot is older
/// than what is remembered cannot be validated.
pub(crate) struct History {
    /// Every commit after this one is remembered.
    floor: u64,
    /// The last commit that wrote a key with this hash. Two keys of one hash cost a needless conflict, no more.
    last: HashMap<u64, u64, BuildHasherDefault<Hashed>>,
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
            last: HashMap::default(),
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
        let newer = |key: &[u8]| {
            let last = self.last.get(&self.hasher.hash_one(key));
            last.is_some_and(|last| *last > snapshot)
        };
        if reads.points().any(newer) {
            return false;
        }
        !self
            .log
            .iter()
            .rev()
            .take_while(|record| record.sequence > snapshot)
            .any(|record| reads.overlaps(&record.keys))
    }

    /// Remembers what a transaction wrote. `sequence` is above all earlier ones.
    pub(crate) fn record(&mut self, sequence: u64, keys: Keys) {
        for key in keys.iter() {
            self.last.insert(self.hasher.hash_one(key), sequence);
        }
        self.keys += keys.len();
        self.bytes += keys.bytes();
        self.log.push_back(Record { sequence, keys });
        while self.keys > self.max_keys || self.bytes > self.max_bytes {
            let Some(oldest) = self.log.pop_front() else {
                break;
            };
            self.forget(oldest);
        }
    }

    /// Forgets everything: transactions on snapshots before `sequence` cannot be validated.
    pub(crate) fn reset(&mut self, sequence: u64) {
        self.last.clear();
        self.log.clear();
        self.keys = 0;
        self.bytes = 0;
        self.floor = sequence;
    }

    /// How many keys are remembered.
    pub(crate) fn len(&self) -> usize {
        self.keys
    }

    fn forget(&mut self, record: Record) {
        for key in record.keys.iter() {
            let hash = self.hasher.hash_one(key);
            if self.last.get(&hash) == Some(&record.sequence) {
                self.last.remove(&hash);
            }
        }
        self.keys -= record.keys.len();
        self.bytes -= record.keys.bytes();
        self.floor = record.sequence;
    }
}

/// Takes a hash for its own hash.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
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
        assert_eq!((history.len(), history.last.len()), (0, 0));
        assert!(!history.unchanged_since(5, &point("x")));
        assert!(history.unchanged_since(6, &point("x")));
    }
}
