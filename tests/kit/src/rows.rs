//! The rows that storage holds.

use std::collections::BTreeMap;

use serde_json::Value;
use stowage_logic::{decoded, shown_key};
use stowage_storage::{Error, KeyRange, ScanOptions, Store};

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Bytes.
    Value(Vec<u8>),
    /// A counter.
    Counter(i64),
}

/// A key of a table and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key.
    pub key: Vec<u8>,
    /// What it holds.
    pub content: Content,
}

impl Row {
    /// The row as JSON: the number of a counter, or the value if the SDK wrote it (a MessagePack
    /// map or array). Null for any other value.
    pub fn json(&self) -> Value {
        match &self.content {
            Content::Value(value) => decoded(value).unwrap_or_default(),
            Content::Counter(counter) => Value::from(*counter),
        }
    }
}

/// The entries that one scan reads.
const PAGE: u32 = 10_000;

/// The rows of a table, in the order of their keys.
pub(crate) fn of_table(store: &Store, table: &str) -> Result<Vec<Row>, Error> {
    let mut transaction = store.begin();
    let mut range = KeyRange::all();
    let mut rows = Vec::new();
    loop {
        let options = ScanOptions {
            limit: PAGE,
            ..ScanOptions::default()
        };
        let page = transaction.scan(table, &range, &options)?;
        for entry in page.entries {
            let content = match transaction.counter(table, &entry.key) {
                Ok(counter) => Content::Counter(counter),
                Err(Error::NotACounter { .. }) => Content::Value(entry.value),
                Err(error) => return Err(error),
            };
            rows.push(Row {
                key: entry.key,
                content,
            });
        }
        let Some(mut cursor) = page.cursor else {
            return Ok(rows);
        };
        cursor.push(0);
        range.start = Some(cursor);
    }
}

/// The rows of every table.
pub(crate) fn of_all(store: &Store) -> Result<BTreeMap<String, Vec<Row>>, Error> {
    let tables = store.snapshot().tables()?;
    tables
        .into_iter()
        .map(|table| of_table(store, &table).map(|rows| (table, rows)))
        .collect()
}

/// The first row in which two states differ, as text.
pub(crate) fn first_difference(
    before: &BTreeMap<String, Vec<Row>>,
    after: &BTreeMap<String, Vec<Row>>,
) -> Option<String> {
    let flat = |state: &BTreeMap<String, Vec<Row>>| -> Vec<(String, Row)> {
        let rows = state
            .iter()
            .flat_map(|(t, rows)| rows.iter().map(move |r| (t.clone(), r.clone())));
        rows.collect()
    };
    let (before, after) = (flat(before), flat(after));
    let at = before
        .iter()
        .zip(&after)
        .position(|(a, b)| a != b)
        .unwrap_or(before.len().min(after.len()));
    let (table, row) = after.get(at).or_else(|| before.get(at))?;
    Some(format!("{table} {}", shown_key(&row.key)))
}
