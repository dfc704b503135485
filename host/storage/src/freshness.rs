//! Whether what a transaction read is still as it was, told without reading it again.
//!
//! Every table has a mark: the last commit that wrote to it. What was read of a snapshot stands as long as no table it was read from has a
//! later mark. That is coarser than the validation of a commit, which goes by keys; it costs a few loads instead of a search.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::read_set::ReadSet;
use crate::stored;

/// Tables with a mark of their own; those beyond share one.
const MOST_TABLES: usize = 1024;

/// The marks of one store.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    tables: RwLock<HashMap<Box<[u8]>, Mark>>,
    others: Mark,
    /// What was read of states before this one stands no more, whatever it was.
    floor: AtomicU64,
}

type Mark = Arc<AtomicU64>;

impl Marks {
    /// The state `sequence`, which is about to be published, has written these stored keys, which are sorted.
    pub(crate) fn advance<'k>(&self, sequence: u64, written: impl Iterator<Item = &'k [u8]>) {
        let mut last: &[u8] = &[];
        for table in written.filter_map(stored::table_of) {
            if table != last {
                self.of(table).store(sequence, Ordering::SeqCst);
                last = table;
            }
        }
    }

    /// What was read of states before `sequence` stands no more.
    pub(crate) fn clear(&self, sequence: u64) {
        self.floor.store(sequence, Ordering::SeqCst);
    }

    /// A table's mark. One that is new is that of a table which has not been written to since the store was opened.
    fn of(&self, table: &[u8]) -> Mark {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(mark) = tables.get(table) {
            return Arc::clone(mark);
        }
        drop(tables);
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        if tables.len() >= MOST_TABLES && !tables.contains_key(table) {
            return Arc::clone(&self.others);
        }
        Arc::clone(tables.entry(table.into()).or_default())
    }
}

/// What a transaction read, as far as telling whether it still is as it was.
#[derive(Debug)]
pub struct Freshness {
    sequence: u64,
    marks: Arc<Marks>,
    tables: Vec<Mark>,
}

impl Freshness {
    /// None where it is not known which tables the reads were of.
    pub(crate) fn new(sequence: u64, marks: &Arc<Marks>, reads: &ReadSet) -> Option<Freshness> {
        let mut names: Vec<&[u8]> = Vec::new();
        let points = reads.points().map(stored::table_of);
        let ranges = reads.ranges().map(|(start, end)| {
            let table = stored::table_of(start)?;
            let within = stored::table_of(end) == Some(table) || *end == *stored::end_of(table);
            within.then_some(table)
        });
        for table in points.chain(ranges) {
            let table = table?;
            if !names.contains(&table) {
                names.push(table);
            }
        }
        Some(Freshness {
            sequence,
            marks: Arc::clone(marks),
            tables: names.into_iter().map(|table| marks.of(table)).collect(),
        })
    }

    /// Whether it read anything at all.
    pub fn has_reads(&self) -> bool {
        !self.tables.is_empty()
    }

    /// Whether a transaction that begins now would read the same. Once it would not, it never will again.
    pub fn is_fresh(&self) -> bool {
        let since = |mark: &AtomicU64| mark.load(Ordering::SeqCst) <= self.sequence;
        since(&self.marks.floor) && self.tables.iter().all(|mark| since(mark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(keys: &[&[u8]], ranges: &[(&[u8], &[u8])]) -> ReadSet {
        let mut reads = ReadSet::new(1024);
        keys.iter().for_each(|key| reads.insert_key(key));
        ranges.iter().for_each(|(start, end)| reads.insert_range(start, end));
        reads
    }

    #[test]
    fn reads_stand_until_their_table_is_written() {
        let marks = Arc::new(Marks::default());
        marks.advance(3, [&b"a\0x"[..], b"b\0x"].into_iter());
        let both = Freshness::new(3, &marks, &reads(&[b"a\0k"], &[(b"c\0", b"c\x01")])).unwrap();
        assert!(both.has_reads() && both.is_fresh());
        marks.advance(4, [&b"b\0x"[..], b"d\0x"].into_iter());
        assert!(both.is_fresh(), "other tables do not matter");
        let older = Freshness::new(3, &marks, &reads(&[b"b\0k"], &[])).unwrap();
        assert!(!older.is_fresh(), "written after its snapshot");
        marks.advance(5, [&b"c\0x"[..]].into_iter());
        assert!(!both.is_fresh());
    }

    #[test]
    fn nothing_stands_once_the_state_is_unknown() {
        let marks = Arc::new(Marks::default());
        let read = Freshness::new(3, &marks, &reads(&[b"a\0k"], &[])).unwrap();
        marks.clear(4);
        assert!(!read.is_fresh());
        assert!(Freshness::new(4, &marks, &reads(&[b"a\0k"], &[])).unwrap().is_fresh());
    }

    #[test]
    fn a_range_over_several_tables_is_not_followed() {
        let marks = Arc::new(Marks::default());
        assert!(Freshness::new(1, &marks, &reads(&[], &[(b"a\0", b"c\0")])).is_none());
        assert!(!Freshness::new(1, &marks, &reads(&[], &[])).unwrap().has_reads());
    }

    #[test]
    fn tables_beyond_the_bound_share_a_mark() {
        let marks = Arc::new(Marks::default());
        let key = |n: usize| format!("t{n:06}\0k").into_bytes();
        for n in 0..=MOST_TABLES {
            marks.advance(1, [&key(n)[..]].into_iter());
        }
        let beyond = Freshness::new(1, &marks, &reads(&[&key(MOST_TABLES)], &[])).unwrap();
        assert!(beyond.is_fresh());
        marks.advance(2, [&key(MOST_TABLES + 1)[..]].into_iter());
        assert!(!beyond.is_fresh());
        assert_eq!(marks.tables.read().unwrap().len(), MOST_TABLES);
    }
}
