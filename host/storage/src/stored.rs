//! The stored form of keys and values. All tables share one ordered space.
//!
//! A stored key is the table name, a zero byte, and the key. A stored value is the bytes and a last
//! byte for the kind: a value, or a counter of 8 bytes, little-endian. The kind is last, so that an
//! owned value is stored without moving it.

use crate::error::Error;

/// The last byte of a stored value.
const VALUE: u8 = 0;
/// The last byte of a stored counter.
const COUNTER: u8 = 1;
/// Ends the table name in a stored key. No name contains it.
const SEPARATOR: u8 = 0;
/// The longest table name.
const TABLE_NAME_CHARS: usize = 64;
/// The length of a stored counter.
pub(crate) const COUNTER_LEN: usize = 9;

/// What a stored value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Value,
    Counter,
}

/// The stored form of a value.
pub(crate) fn encode_value(mut value: Vec<u8>) -> Vec<u8> {
    value.reserve_exact(1);
    value.push(VALUE);
    value
}

/// The stored form of a counter.
pub(crate) fn encode_counter(counter: i64) -> [u8; COUNTER_LEN] {
    let mut stored = [COUNTER; COUNTER_LEN];
    stored[..COUNTER_LEN - 1].copy_from_slice(&counter.to_le_bytes());
    stored
}

/// Splits a stored value into kind and bytes. `None` if it is damaged.
pub(crate) fn decode(stored: &[u8]) -> Option<(Kind, &[u8])> {
    match stored.split_last() {
        Some((&VALUE, bytes)) => Some((Kind::Value, bytes)),
        Some((&COUNTER, bytes)) if bytes.len() == COUNTER_LEN - 1 => Some((Kind::Counter, bytes)),
        _ => None,
    }
}

/// The value of a stored counter. `None` if it is not a counter.
pub(crate) fn decode_counter(stored: &[u8]) -> Option<i64> {
    match decode(stored) {
        Some((Kind::Counter, bytes)) => bytes.try_into().ok().map(i64::from_le_bytes),
        _ => None,
    }
}

/// Replaces the contents of `buffer` by the stored key.
pub(crate) fn write_key(buffer: &mut Vec<u8>, table: &str, key: &[u8]) {
    buffer.clear();
    buffer.reserve(table.len() + 1 + key.len());
    buffer.extend_from_slice(table.as_bytes());
    buffer.push(SEPARATOR);
    buffer.extend_from_slice(key);
}

/// The first possible stored key after all keys of a table.
pub(crate) fn table_end(table: &str) -> Vec<u8> {
    end_of(table.as_bytes())
}

/// [`table_end`] of a table name in its stored form.
pub(crate) fn end_of(table: &[u8]) -> Vec<u8> {
    let mut end = Vec::with_capacity(table.len() + 1);
    end.extend_from_slice(table);
    end.push(SEPARATOR + 1);
    end
}

/// The table name of a stored key, in its stored form.
pub(crate) fn table_of(stored: &[u8]) -> Option<&[u8]> {
    memchr::memchr(SEPARATOR, stored).map(|at| &stored[..at])
}

/// Splits a stored key into table and key.
pub(crate) fn split_key(stored: &[u8]) -> Option<(&str, &[u8])> {
    let table = table_of(stored)?;
    Some((std::str::from_utf8(table).ok()?, &stored[table.len() + 1..]))
}

/// Checks a table name.
pub(crate) fn check_table(table: &str) -> Result<(), Error> {
    let valid = (1..=TABLE_NAME_CHARS).contains(&table.len())
        && table
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'));
    if valid {
        return Ok(());
    }
    Err(Error::TableNameInvalid {
        table: table.chars().take(TABLE_NAME_CHARS).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_key_splits_into_what_it_was_made_of() {
        let mut buffer = b"old".to_vec();
        write_key(&mut buffer, "t-1", b"\x00k\x00");
        assert_eq!(split_key(&buffer), Some(("t-1", &b"\x00k\x00"[..])));
        assert!(buffer < table_end("t-1"));
        assert!(table_end("t-1") < b"t-1.x\x00".to_vec());
    }

    #[test]
    fn values_and_counters_are_told_apart() {
        assert_eq!(decode(&encode_value(vec![])), Some((Kind::Value, &[][..])));
        assert_eq!(decode_counter(&encode_counter(-5)), Some(-5));
        assert_eq!(decode_counter(&encode_value(vec![1; 8])), None);
        assert_eq!(decode(b""), None);
        assert_eq!(decode(&[7, 1]), None);
    }

    #[test]
    fn table_names_are_checked() {
        for name in ["a", "host.outbox", &"x".repeat(64)] {
            assert!(check_table(name).is_ok(), "{name}");
        }
        for name in ["", "A", "a b", "a\0", "ü", &"x".repeat(65)] {
            assert!(check_table(name).is_err(), "{name}");
        }
    }
}
