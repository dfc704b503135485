//! What a call read, looked up again on the snapshot it was read from; and whether another call read more.

use stowage_logic::is_module_table;
use stowage_storage::{Error, Footprint, KeyRange, ScanOptions, Transaction};

use crate::bytes::Bytes;
use crate::format::{Content, Entry, Place, Read, ReadRange, Reads};

/// Entries of one step of a walk.
const PAGE: u32 = 10_000;

/// Why the reads of a call are not to be had.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// They are larger than the bound.
    TooLarge,
    /// Storage failed.
    Storage(Error),
}

impl From<Error> for Unreadable {
    fn from(error: Error) -> Unreadable {
        Unreadable::Storage(error)
    }
}

/// Looks up what a footprint of a transaction on the same snapshot names, without the host's tables; keys and values of at most
/// `most_bytes`.
pub(crate) fn look_up(
    transaction: &mut Transaction,
    footprint: &Footprint,
    most_bytes: usize,
) -> Result<Reads, Unreadable> {
    let mut left = most_bytes;
    let mut take = |bytes: usize| {
        left = left.checked_sub(bytes).ok_or(Unreadable::TooLarge)?;
        Ok::<(), Unreadable>(())
    };
    let mut reads = Reads::default();
    for (table, range) in merged(&footprint.ranges) {
        let mut entries = Vec::new();
        let mut from = range.clone();
        loop {
            let options = ScanOptions {
                limit: PAGE,
                ..ScanOptions::default()
            };
            let page = transaction.scan(&table, &from, &options)?;
            for entry in page.entries {
                take(entry.key.len() + entry.value.len())?;
                let content = content(transaction, &table, &entry.key, entry.value)?;
                entries.push(Entry {
                    key: Bytes(entry.key),
                    content,
                });
            }
            let Some(mut cursor) = page.cursor else { break };
            cursor.push(0);
            from.start = Some(cursor);
        }
        reads.ranges.push(ReadRange {
            table,
            start: range.start.map(Bytes),
            end: range.end.map(Bytes),
            entries,
        });
    }
    let mut keys: Vec<_> = footprint
        .keys
        .iter()
        .filter(|(table, _)| is_module_table(table))
        .collect();
    keys.sort();
    keys.dedup();
    for (table, key) in keys {
        if reads.ranges.iter().any(|range| range.holds(table, key)) {
            continue;
        }
        take(key.len())?;
        let content = match transaction.get(table, key)? {
            Some(value) => {
                take(value.len())?;
                Some(content(transaction, table, key, value)?)
            }
            None => None,
        };
        reads.keys.push(Read {
            place: Place {
                table: table.clone(),
                key: Bytes(key.clone()),
            },
            content,
        });
    }
    Ok(reads)
}

/// What a key of the snapshot holds, whose bytes are `value`.
pub(crate) fn content(
    transaction: &mut Transaction,
    table: &str,
    key: &[u8],
    value: Vec<u8>,
) -> Result<Content, Error> {
    // The bytes of a counter are eight; whether eight bytes are one only the store knows.
    if value.len() == 8 {
        match transaction.counter(table, key) {
            Ok(counter) => return Ok(Content::Counter(counter)),
            Err(Error::NotACounter { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Content::Value(Bytes(value)))
}

/// Ranges of the modules' tables in their order, those that overlap or touch made one.
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
            Some((last_table, last)) if *last_table == table && reaches(&last.end, &range.start) => {
                if ends_before(&last.end, &range.end) {
                    last.end = range.end;
                }
            }
            _ => merged.push((table, range)),
        }
    }
    merged
}

fn is_empty(range: &KeyRange) -> bool {
    matches!((&range.start, &range.end), (Some(start), Some(end)) if start >= end)
        || range.end.as_ref().is_some_and(Vec::is_empty)
}

/// Whether a range that ends at `end` touches one that starts at `start`.
fn reaches(end: &Option<Vec<u8>>, start: &Option<Vec<u8>>) -> bool {
    match (end, start) {
        (None, _) | (_, None) => true,
        (Some(end), Some(start)) => end >= start,
    }
}

fn ends_before(end: &Option<Vec<u8>>, other: &Option<Vec<u8>>) -> bool {
    match (end, other) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(end), Some(other)) => end < other,
    }
}

impl ReadRange {
    fn holds(&self, table: &str, key: &[u8]) -> bool {
        self.table == table
            && self.start.as_ref().is_none_or(|start| start.0.as_slice() <= key)
            && self.end.as_ref().is_none_or(|end| key < end.0.as_slice())
    }

    fn covers(&self, table: &str, range: &KeyRange) -> bool {
        let starts = match (&self.start, &range.start) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(start), Some(other)) => start.0 <= *other,
        };
        let ends = match (&self.end, &range.end) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(end), Some(other)) => end.0 >= *other,
        };
        self.table == table && starts && ends
    }
}

impl Reads {
    /// Table and place of all that a footprint read and these reads do not hold, for a person.
    pub(crate) fn lack(&self, footprint: &Footprint) -> Vec<String> {
        let mut lacking = Vec::new();
        for (table, key) in &footprint.keys {
            let known = !is_module_table(table)
                || self.ranges.iter().any(|range| range.holds(table, key))
                || self
                    .keys
                    .iter()
                    .any(|read| read.place.table == *table && read.place.key.0 == *key);
            if !known {
                lacking.push(format!("{table} {}", stowage_logic::shown_key(key)));
            }
        }
        for (table, range) in merged(&footprint.ranges) {
            if !self.ranges.iter().any(|known| known.covers(&table, &range)) {
                let bound = |key: &Option<Vec<u8>>| key.as_deref().map(stowage_logic::shown_key).unwrap_or_default();
                lacking.push(format!("{table} {}..{}", bound(&range.start), bound(&range.end)));
            }
        }
        lacking
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
    fn ranges_that_touch_are_one_and_the_hosts_are_none() {
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
    async fn what_is_looked_up_is_what_was_read() {
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
            .map(|r| (r.place.key.0.as_slice(), r.content.clone()))
            .collect();
        assert_eq!(
            keys,
            [
                (&b"total"[..], Some(Content::Counter(7))),
                (b"a", Some(Content::Value(Bytes(b"1".to_vec())))),
                (b"none", None),
            ]
        );
        assert_eq!(reads.ranges.len(), 1);
        assert_eq!(reads.ranges[0].entries.len(), 1);
        assert_eq!(
            reads.ranges[0].entries[0].content,
            Content::Value(Bytes(7u64.to_le_bytes().to_vec())),
            "eight bytes are no counter by themselves"
        );
        assert!(reads.lack(&call.footprint()).is_empty());

        call.get("t", b"z").unwrap();
        call.count("t", &KeyRange::prefix(*b"h")).unwrap();
        assert_eq!(reads.lack(&call.footprint()), ["t z", "t h..i"]);
        assert!(matches!(
            look_up(&mut again, &call.footprint(), 20),
            Err(Unreadable::TooLarge)
        ));
    }
}
