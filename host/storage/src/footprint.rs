//! What a transaction looked at and what it would change, apart from the transaction.

use crate::range::KeyRange;
use crate::read_set::ReadSet;
use crate::stored;
use crate::write_set::{Op, WriteSet};

/// The reads and writes of a transaction. Two transactions on one snapshot did the same when their writes are equal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Table and key of every single key that was read; it may or may not have existed.
    pub keys: Vec<(String, Vec<u8>)>,
    /// Table and range of everything that was walked.
    pub ranges: Vec<(String, KeyRange)>,
    /// Whether more was read than a read set keeps: `keys` and `ranges` then do not tell all.
    pub reads_cut: bool,
    /// Table, key and change of every key that was written, by table and key.
    pub writes: Vec<(String, Vec<u8>, KeyWrite)>,
}

/// What happens to a key when the transaction commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyWrite {
    /// It holds this value.
    Put(Vec<u8>),
    /// It is gone.
    Delete,
    /// This much is added to its counter.
    Add(i64),
    /// It holds a counter of this value, whatever it held before.
    Counter(i64),
}

impl Footprint {
    pub(crate) fn new(reads: &ReadSet, writes: &WriteSet) -> Footprint {
        let split = |key: &[u8]| stored::split_key(key).map(|(table, key)| (table.to_owned(), key.to_vec()));
        let mut footprint = Footprint {
            keys: Vec::with_capacity(reads.points().count()),
            ..Footprint::default()
        };
        for key in reads.points() {
            match split(key) {
                Some(place) => footprint.keys.push(place),
                None => footprint.reads_cut = true,
            }
        }
        for (start, end) in reads.ranges() {
            match range(start, end) {
                Some(range) => footprint.ranges.push(range),
                None => footprint.reads_cut = true,
            }
        }
        footprint.writes = writes
            .ops()
            .iter()
            .filter_map(|(key, op)| {
                let (table, key) = split(key)?;
                let change = match op {
                    Op::Put(stored) => KeyWrite::Put(stored[..stored.len() - 1].to_vec()),
                    Op::Delete => KeyWrite::Delete,
                    Op::Add(delta) => KeyWrite::Add(*delta),
                    Op::Counter(value) => KeyWrite::Counter(*value),
                    Op::Touch => return None,
                };
                Some((table, key, change))
            })
            .collect();
        footprint
    }
}

/// Stored keys as a range of one table; `None` where they span several.
fn range(start: &[u8], end: &[u8]) -> Option<(String, KeyRange)> {
    let (table, first) = stored::split_key(start)?;
    let start = (!first.is_empty()).then(|| first.to_vec());
    let end = match stored::split_key(end) {
        Some((other, last)) if other == table => Some(last.to_vec()),
        _ if *end == *stored::table_end(table) => None,
        _ => return None,
    };
    Some((table.to_owned(), KeyRange { start, end }))
}
