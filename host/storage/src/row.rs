//! Rows of all tables in one order, with their kind: for copies of a whole store.

use std::ops::ControlFlow;

use crate::backend::BackendSnapshot;
use crate::error::BackendError;
use crate::merge;
use crate::stored::{self, Kind};

/// A row of any table. Rows are ordered by table name and a zero byte, then by key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// The table.
    pub table: &'a str,
    /// The key.
    pub key: &'a [u8],
    /// What the key holds.
    pub value: RowValue<'a>,
}

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowValue<'a> {
    /// The bytes of a value.
    Value(&'a [u8]),
    /// The number of a counter.
    Counter(i64),
}

impl RowValue<'_> {
    pub(crate) fn to_stored(self) -> Vec<u8> {
        match self {
            Self::Value(bytes) => stored::encode_value(bytes.to_vec()),
            Self::Counter(counter) => stored::encode_counter(counter).to_vec(),
        }
    }

    /// Bytes of the value; 8 for a counter.
    pub fn len_bytes(&self) -> usize {
        match self {
            Self::Value(bytes) => bytes.len(),
            Self::Counter(_) => stored::COUNTER_LEN - 1,
        }
    }
}

/// The row that a stored key and a stored value are. `None` if they are damaged.
pub(crate) fn decode<'a>(key: &'a [u8], value: &'a [u8]) -> Option<Row<'a>> {
    let (table, key) = stored::split_key(key)?;
    let value = match stored::decode(value)? {
        (Kind::Value, bytes) => RowValue::Value(bytes),
        (Kind::Counter, _) => RowValue::Counter(stored::decode_counter(value)?),
    };
    Some(Row { table, key, value })
}

/// Visits all rows after `after` in order, until `visit` breaks.
pub(crate) fn walk(
    state: &dyn BackendSnapshot,
    after: Option<(&str, &[u8])>,
    visit: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
) -> Result<(), BackendError> {
    let mut start = Vec::new();
    if let Some((table, key)) = after {
        stored::write_key(&mut start, table, key);
        start.push(0);
    }
    let mut has_unknown = false;
    // Table names are ASCII, so all stored keys are before this.
    state.walk(&start, &[0xff], false, &mut |key, value| match decode(key, value) {
        Some(row) => visit(row),
        None => {
            has_unknown = true;
            ControlFlow::Break(())
        }
    })?;
    match has_unknown {
        true => Err(merge::unknown_form()),
        false => Ok(()),
    }
}
