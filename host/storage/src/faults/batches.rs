//! Batches for the real backend that stand for the writes of the model.
//!
//! A key of the model is sixteen keys here, as many as a chunk of a flush. All records that go to
//! the log have the same length, and two of them fill a half.

use super::trace::Stored;
use crate::backend::wal::HEADER_BYTES;
use crate::model::disk::update;
use crate::model::state::{KEYS, RECORDS, Rows, Write};

/// The updates of a batch, sorted by key.
pub(super) type Updates = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// Keys that stand for one key of the model.
pub(super) const SPREAD: usize = 16;
/// Bytes of a stored key.
const KEY_BYTES: usize = 5;
/// Bytes of all values of a batch that goes to the log.
const SHORT_BYTES: usize = 2 * SPREAD * 40;
/// Bytes of all values of a batch that skips it.
const LONG_BYTES: usize = 2 * SPREAD * 150;

/// Bytes of a half of the log.
pub(super) const HALF_BYTES: usize = RECORDS * (HEADER_BYTES + 2 * SPREAD * (8 + KEY_BYTES) + SHORT_BYTES);

/// A batch that goes to the log.
pub(super) fn short(write: Write) -> Updates {
    batch(write, SHORT_BYTES)
}

/// A batch that skips the log.
pub(super) fn long(write: Write) -> Updates {
    batch(write, LONG_BYTES)
}

fn batch(write: Write, bytes: usize) -> Updates {
    let changed: Vec<_> = (0..KEYS).filter_map(|key| Some((key, update(write, key)?))).collect();
    let values = changed.iter().filter(|(_, value)| value.is_some()).count() * SPREAD;
    let spread = changed.into_iter().flat_map(|(key, value)| {
        let value = value.map(|write| vec![write; bytes / values]);
        (0..SPREAD).map(move |n| (stored_key(key, n), value.clone()))
    });
    spread.collect()
}

fn stored_key(key: usize, n: usize) -> Vec<u8> {
    format!("t\0{key}{n:02}").into_bytes()
}

/// The rows of the model that these rows stand for.
///
/// # Errors
/// If the sixteen keys of one key differ: a part of a batch is there.
pub(super) fn rows(stored: &Stored) -> Result<Rows, String> {
    let mut rows = Rows::default();
    let mut count = 0;
    for (key, row) in rows.iter_mut().enumerate() {
        let mut found = (0..SPREAD).map(|n| stored.get(&stored_key(key, n)));
        let first = found.next().flatten();
        if found.any(|other| other != first) {
            return Err(format!("a part of the rows of key {key}"));
        }
        *row = first.map(|value| value[0]);
        count += first.map_or(0, |_| SPREAD);
    }
    match count == stored.len() {
        true => Ok(rows),
        false => Err("other keys".to_owned()),
    }
}

/// The rows after these writes.
pub(super) fn after(writes: impl IntoIterator<Item = Write>) -> Rows {
    writes
        .into_iter()
        .fold(Rows::default(), |rows, write| crate::model::disk::after(&rows, write))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_batches_for_the_log_have_the_same_length() {
        let len = |updates: Updates| -> usize {
            let lens = updates
                .iter()
                .map(|(key, value)| 8 + key.len() + value.as_ref().map_or(0, Vec::len));
            lens.sum()
        };
        for write in 1..=6 {
            assert_eq!(RECORDS * (HEADER_BYTES + len(short(write))), HALF_BYTES, "{write}");
            assert!(len(long(write)) > HALF_BYTES, "{write}");
        }
    }
}
