//! What a call read, looked up again on its snapshot, and whether another call read more.

use stowage_logic::is_module_table;
use stowage_storage::{Error, Footprint, KeyRange, ScanOptions, Transaction};

use crate::base64_bytes::Base64Bytes;
use crate::recorded_call::{Content, Entry, ReadKey, ReadRange, RecordedKey, RecordedReads};

/// Entries that one scan reads.
const PAGE: u32 = 10_000;

/// Bytes of keys and values that a recorded call may have read.
pub(crate) const MAX_READ_BYTES: usize = 4 << 20;

/// Why the reads of a call cannot be looked up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadsError {
    #[error("it read more than {} MiB", MAX_READ_BYTES >> 20)]
    TooLarge,
    #[error("what it read cannot be read again: {0}")]
    Storage(#[from] Error),
}

/// Bytes that may still be looked up.
struct Budget(usize);

impl Budget {
    fn take(&mut self, bytes: usize) -> Result<(), ReadsError> {
        self.0 = self.0.checked_sub(bytes).ok_or(ReadsError::TooLarge)?;
        Ok(())
    }
}

/// Looks up the keys and ranges of a footprint, except the host's tables. The transaction must be
/// on the snapshot of the footprint. Keys and values take at most `max_bytes`.
pub(crate) fn look_up(
    transaction: &mut Transaction,
    footprint: &Footprint,
    max_bytes: usize,
) -> Result<RecordedReads, ReadsError> {
    let mut budget = Budget(max_bytes);
    let ranges = merged(&footprint.ranges)
        .into_iter()
        .map(|(table, range)| look_up_range(transaction, table, range, &mut budget))
        .collect::<Result<Vec<_>, _>>()?;
    let mut keys: Vec<_> = footprint
        .keys
        .iter()
        .filter(|(table, _)| is_module_table(table))
        .collect();
    keys.sort();
    keys.dedup();
    let mut read_keys = Vec::new();
    for (table, key) in keys {
        if ranges.iter().any(|range| range.holds(table, key)) {
            continue;
        }
        budget.take(key.len())?;
        let content = match transaction.get(table, key)? {
            Some(value) => {
                budget.take(value.len())?;
                Some(content(transaction, table, key, value)?)
            }
            None => None,
        };
        read_keys.push(ReadKey {
            key: RecordedKey {
                table: table.clone(),
                key: Base64Bytes(key.clone()),
            },
            content,
        });
    }
    Ok(RecordedReads {
        keys: read_keys,
        ranges,
    })
}

fn look_up_range(
    transaction: &mut Transaction,
    table: String,
    range: KeyRange,
    budget: &mut Budget,
) -> Result<ReadRange, ReadsError> {
    let options = ScanOptions {
        limit: PAGE,
        ..ScanOptions::default()
    };
    let mut entries = Vec::new();
    let mut rest = range.clone();
    loop {
        let page = transaction.scan(&table, &rest, &options)?;
        for entry in page.entries {
            budget.take(entry.key.len() + entry.value.len())?;
            let content = content(transaction, &table, &entry.key, entry.value)?;
            entries.push(Entry {
                key: Base64Bytes(entry.key),
                content,
            });
        }
        let Some(mut cursor) = page.cursor else { break };
        // The first key after the cursor.
        cursor.push(0);
        rest.start = Some(cursor);
    }
    Ok(ReadRange {
        table,
        start: range.start.map(Base64Bytes),
        end: range.end.map(Base64Bytes),
        entries,
    })
}

/// What a key holds whose bytes are `value`.
fn content(transaction: &mut Transaction, table: &str, key: &[u8], value: Vec<u8>) -> Result<Content, Error> {
    // A counter has eight bytes. Only the store knows whether eight bytes are a counter.
    if value.len() == 8 {
        match transaction.counter(table, key) {
            Ok(counter) => return Ok(Content::Counter(counter)),
            Err(Error::NotACounter { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Content::Value(Base64Bytes(value)))
}

/// The ranges of the modules' tables in order. Those that overlap or touch are merged.
fn merged(ranges: &[(String, KeyRange)]) -> Vec<(String, KeyRange)> {
    let mut sorted: Vec<_> = ranges
        .iter()
        .filter(|(table, range)| is_module_table(table) && !is_empty(range))
        .cloned()
        .collect();
    sorted.sort_by(|(a, x), (b, y)| (a, &x.start).cmp(&(b, &y.start)));
    let mut merged: Vec<(String, KeyRange)> = Vec::with_capacity(sorted.len());
    for (table, range) in sorted {
        match merged.last_mut() {
            Some((last_table, last)) if *last_table == table && (last.end.is_none() || last.end >= range.start) => {
                if end_order(last.end.as_ref()) < end_order(range.end.as_ref()) {
                    last.end = range.end;
                }
            }
            _ => merged.push((table, range)),
        }
    }
    merged
}

fn is_empty(range: &KeyRange) -> bool {
    let start = range.start.as_deref().unwrap_or_default();
    range.end.as_deref().is_some_and(|end| start >= end)
}

/// Orders ends. A range without an end ends last.
fn end_order(end: Option<&Vec<u8>>) -> (bool, Option<&Vec<u8>>) {
    (end.is_none(), end)
}

impl ReadRange {
    fn holds(&self, table: &str, key: &[u8]) -> bool {
        self.table == table
            && self.start.as_ref().is_none_or(|start| start.0.as_slice() <= key)
            && self.end.as_ref().is_none_or(|end| key < end.0.as_slice())
    }

    fn covers(&self, table: &str, range: &KeyRange) -> bool {
        let start = self.start.as_ref().map(|start| &start.0);
        let end = self.end.as_ref().map(|end| &end.0);
        // `None` is less than any start.
        self.table == table && start <= range.start.as_ref() && end_order(end) >= end_order(range.end.as_ref())
    }
}

impl RecordedReads {
    /// Describes all keys and ranges of a footprint that are not recorded here.
    pub(crate) fn missing(&self, footprint: &Footprint) -> Vec<String> {
        let mut missing = Vec::new();
        for (table, key) in &footprint.keys {
            let known = !is_module_table(table)
                || self.ranges.iter().any(|range| range.holds(table, key))
                || self
                    .keys
                    .iter()
                    .any(|read| read.key.table == *table && read.key.key.0 == *key);
            if !known {
                missing.push(format!("{table} {}", stowage_logic::shown_key(key)));
            }
        }
        for (table, range) in merged(&footprint.ranges) {
            if !self.ranges.iter().any(|known| known.covers(&table, &range)) {
                let bound = |key: &Option<Vec<u8>>| key.as_deref().map(stowage_logic::shown_key).unwrap_or_default();
                missing.push(format!("{table} {}..{}", bound(&range.start), bound(&range.end)));
            }
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use stowage_storage::{Config, Store};

    use super::*;

    fn range(table: &str, start: Option<&str>, end: Option<&str>) -> (String, KeyRange) {
        let bytes = |text: &str| text.as_bytes().to_vec();
        let range = KeyRange {
            start: start.map(bytes),
            end: end.map(bytes),
        };
        (table.to_owned(), range)
    }

    #[test]
    fn ranges_that_touch_are_merged_and_host_tables_are_ignored() {
        let ranges = [
            range("t", Some("m"), None),
            range("t", Some("c"), Some("d")),
            range("t", None, Some("b")),
            range("t", Some("a"), Some("c")),
            range("t", Some("x"), Some("x")),
            range("host.tasks", None, None),
            range("s", Some("z"), None),
        ];
        assert_eq!(
            merged(&ranges),
            [
                range("s", Some("z"), None),
                range("t", None, Some("d")),
                range("t", Some("m"), None)
            ]
        );
    }

    #[tokio::test]
    async fn the_reads_of_a_call_are_looked_up_again() {
        let store = Store::in_memory(Config::default());
        store
            .update::<_, Error>(|tx| {
                tx.put("t", b"a", b"1".to_vec())?;
                tx.put("t", b"eight", 7u64.to_le_bytes().to_vec())?;
                tx.put("t", b"z", b"far".to_vec())?;
                tx.add("n", b"total", 7)?;
                tx.put("host.tasks", b"a", b"secret".to_vec())
            })
            .await
            .unwrap();
        let mut call = store.begin();
        call.get("t", b"a").unwrap();
        call.get("t", b"none").unwrap();
        call.get("host.tasks", b"a").unwrap();
        call.counter("n", b"total").unwrap();
        call.count("t", &KeyRange::prefix(*b"e")).unwrap();
        let mut again = store.begin();
        let reads = look_up(&mut again, &call.footprint(), 1000).unwrap();
        let keys: Vec<_> = reads
            .keys
            .iter()
            .map(|r| (r.key.key.0.as_slice(), r.content.clone()))
            .collect();
        assert_eq!(
            keys,
            [
                (&b"total"[..], Some(Content::Counter(7))),
                (b"a", Some(Content::Value(Base64Bytes(b"1".to_vec())))),
                (b"none", None),
            ]
        );
        assert_eq!(reads.ranges.len(), 1);
        assert_eq!(reads.ranges[0].entries.len(), 1);
        assert_eq!(
            reads.ranges[0].entries[0].content,
            Content::Value(Base64Bytes(7u64.to_le_bytes().to_vec())),
            "eight bytes may be a value"
        );
        assert!(reads.missing(&call.footprint()).is_empty());

        call.get("t", b"z").unwrap();
        call.count("t", &KeyRange::prefix(*b"h")).unwrap();
        assert_eq!(reads.missing(&call.footprint()), ["t z", "t h..i"]);
        assert!(matches!(
            look_up(&mut again, &call.footprint(), 20),
            Err(ReadsError::TooLarge)
        ));
    }
}
