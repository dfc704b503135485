//! Table versions: whether the tables that a transaction read are still unchanged.
//!
//! Each table has a version: the last commit that wrote to it. What was read at a snapshot is
//! current as long as no table it was read from has a later version. Validation at commit goes by
//! key and is finer; this check is a few loads and needs no search.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::read_set::ReadSet;
use crate::stored;
use crate::sync::{AtomicU64, RwLock};

/// Tables with a version of their own. All further tables share one.
const MAX_TABLES: usize = 1024;

/// The last commit that wrote to a table.
type TableVersion = Arc<AtomicU64>;

/// The versions of all tables of a store.
#[derive(Debug, Default)]
pub(crate) struct VersionRegistry {
    tables: RwLock<HashMap<Box<[u8]>, TableVersion>>,
    shared: TableVersion,
    /// Nothing that was read before this commit is current.
    floor: AtomicU64,
}

impl VersionRegistry {
    /// Notes that commit `sequence`, which is about to be published, wrote these stored keys. They
    /// are sorted.
    pub(crate) fn advance<'k>(&self, sequence: u64, written: impl Iterator<Item = &'k [u8]>) {
        let mut last: &[u8] = &[];
        for table in written.filter_map(stored::table_of) {
            if table != last {
                self.version(table).store(sequence, Ordering::SeqCst);
                last = table;
            }
        }
    }

    /// Makes everything outdated that was read before `sequence`.
    pub(crate) fn clear(&self, sequence: u64) {
        self.floor.store(sequence, Ordering::SeqCst);
    }

    /// The version of a table. A new entry means that nothing has written to the table since the
    /// store was opened.
    fn version(&self, table: &[u8]) -> TableVersion {
        if let Some(version) = self.tables.read().get(table) {
            return Arc::clone(version);
        }
        let mut tables = self.tables.write();
        if tables.len() >= MAX_TABLES && !tables.contains_key(table) {
            return Arc::clone(&self.shared);
        }
        Arc::clone(tables.entry(table.into()).or_default())
    }
}

/// The versions of the tables that a transaction read from.
#[derive(Debug)]
pub struct TableVersions {
    sequence: u64,
    registry: Arc<VersionRegistry>,
    tables: Vec<TableVersion>,
}

impl TableVersions {
    /// `None` if a range spans several tables, so that the tables are not known.
    pub(crate) fn new(sequence: u64, registry: &Arc<VersionRegistry>, reads: &ReadSet) -> Option<TableVersions> {
        let mut names: Vec<&[u8]> = Vec::new();
        let points = reads.points().map(stored::table_of);
        let ranges = reads.ranges().map(|(start, end)| {
            let table = stored::table_of(start)?;
            let is_within = stored::table_of(end) == Some(table) || *end == *stored::end_of(table);
            is_within.then_some(table)
        });
        for table in points.chain(ranges) {
            let table = table?;
            if !names.contains(&table) {
                names.push(table);
            }
        }
        Some(TableVersions {
            sequence,
            registry: Arc::clone(registry),
            tables: names.into_iter().map(|table| registry.version(table)).collect(),
        })
    }

    /// Whether the transaction read anything.
    pub fn has_reads(&self) -> bool {
        !self.tables.is_empty()
    }

    /// Whether a transaction that begins now would read the same. Once false, it stays false.
    pub fn are_current(&self) -> bool {
        let unchanged = |version: &AtomicU64| version.load(Ordering::SeqCst) <= self.sequence;
        unchanged(&self.registry.floor) && self.tables.iter().all(|version| unchanged(version))
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
    fn reads_are_current_until_their_table_is_written() {
        let versions = Arc::new(VersionRegistry::default());
        versions.advance(3, [&b"a\0x"[..], b"b\0x"].into_iter());
        let both = TableVersions::new(3, &versions, &reads(&[b"a\0k"], &[(b"c\0", b"c\x01")])).unwrap();
        assert!(both.has_reads() && both.are_current());
        versions.advance(4, [&b"b\0x"[..], b"d\0x"].into_iter());
        assert!(both.are_current(), "other tables do not matter");
        let older = TableVersions::new(3, &versions, &reads(&[b"b\0k"], &[])).unwrap();
        assert!(!older.are_current(), "written after its snapshot");
        versions.advance(5, [&b"c\0x"[..]].into_iter());
        assert!(!both.are_current());
    }

    #[test]
    fn nothing_is_current_once_the_state_is_unknown() {
        let versions = Arc::new(VersionRegistry::default());
        let read = TableVersions::new(3, &versions, &reads(&[b"a\0k"], &[])).unwrap();
        versions.clear(4);
        assert!(!read.are_current());
        assert!(
            TableVersions::new(4, &versions, &reads(&[b"a\0k"], &[]))
                .unwrap()
                .are_current()
        );
    }

    #[test]
    fn a_range_over_several_tables_is_not_followed() {
        let versions = Arc::new(VersionRegistry::default());
        assert!(TableVersions::new(1, &versions, &reads(&[], &[(b"a\0", b"c\0")])).is_none());
        assert!(!TableVersions::new(1, &versions, &reads(&[], &[])).unwrap().has_reads());
    }

    #[test]
    fn tables_beyond_the_bound_share_a_version() {
        let versions = Arc::new(VersionRegistry::default());
        let key = |n: usize| format!("t{n:06}\0k").into_bytes();
        for n in 0..=MAX_TABLES {
            versions.advance(1, [&key(n)[..]].into_iter());
        }
        let beyond = TableVersions::new(1, &versions, &reads(&[&key(MAX_TABLES)], &[])).unwrap();
        assert!(beyond.are_current());
        versions.advance(2, [&key(MAX_TABLES + 1)[..]].into_iter());
        assert!(!beyond.are_current());
        assert_eq!(versions.tables.read().len(), MAX_TABLES);
    }
}
