//! The reads and writes of a transaction, as owned data.

use crate::range::KeyRange;
use crate::read_set::ReadSet;
use crate::stored;
use crate::write_set::{Op, WriteSet};

/// The reads and writes of a transaction. Two transactions on one snapshot have the same effect if
/// their writes are equal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Table and key of each key that was read. The key may be absent.
    pub keys: Vec<(String, Vec<u8>)>,
    /// Table and range of each range that was read.
    pub ranges: Vec<(String, KeyRange)>,
    /// Whether `keys` and `ranges` are incomplete, because the read set reached its limit.
    pub reads_cut: bool,
    /// Table, key and write of each written key, ordered by table and key.
    pub writes: Vec<(String, Vec<u8>, KeyWrite)>,
}

/// What a commit does to a key. [`Write`](crate::Write) is the borrowed form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyWrite {
    /// Sets this value.
    Put(Vec<u8>),
    /// Removes the key.
    Delete,
    /// Adds this to the counter.
    Add(i64),
    /// Sets a counter to this value, whatever the key held.
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

/// A stored range as a range of one table. `None` if it spans several tables.
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
