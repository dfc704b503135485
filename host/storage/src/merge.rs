//! What a transaction sees: its snapshot with its own writes over it.

use std::ops::{Bound, ControlFlow};

use crate::backend::overlay::{self, Way};
use crate::backend::{BackendSnapshot, Visit};
use crate::error::{BackendError, Error};
use crate::stored;
use crate::write_set::{Op, WriteSet};

/// The error for an addition to a key that holds a value.
pub(crate) fn not_a_counter(key: &[u8]) -> Error {
    match stored::split_key(key) {
        Some((table, key)) => Error::NotACounter {
            table: table.to_owned(),
            key: key.to_vec(),
        },
        None => corrupted(),
    }
}

/// The error for a stored key or value that no version writes.
pub(crate) fn unknown_form() -> BackendError {
    BackendError::Corrupted("a stored key or value has an unknown form".into())
}

pub(crate) fn corrupted() -> Error {
    Error::Backend(unknown_form())
}

/// An addition met a stored value that is not a counter.
pub(crate) struct OnStoredValue;

/// The counter after an addition to what a key holds.
pub(crate) fn add_to(held: Option<&[u8]>, delta: i64) -> Result<i64, OnStoredValue> {
    let Some(held) = held else { return Ok(delta) };
    match stored::decode_counter(held) {
        Some(counter) => Ok(counter.wrapping_add(delta)),
        None => Err(OnStoredValue),
    }
}

/// Calls `visit` with the keys of the half-open range `start..end`, own writes included, until it
/// breaks.
pub(crate) fn walk(
    state: &dyn BackendSnapshot,
    writes: &WriteSet,
    (start, end): (&[u8], &[u8]),
    reverse: bool,
    visit: &mut Visit<'_>,
) -> Result<(), Error> {
    if start >= end {
        return Ok(());
    }
    if writes.is_empty() {
        return Ok(state.walk(start, end, reverse, visit)?);
    }
    let own = writes
        .ops()
        .range::<[u8], _>((Bound::Included(start), Bound::Excluded(end)));
    let way = Way { start, end, reverse };
    if reverse {
        overlay::walk(state, own.rev(), way, visit_own, visit)
    } else {
        overlay::walk(state, own, way, visit_own, visit)
    }
}

fn visit_own(key: &[u8], op: &&Op, held: Option<&[u8]>, visit: &mut Visit<'_>) -> Result<ControlFlow<()>, Error> {
    Ok(match *op {
        Op::Put(stored) => visit(key, stored),
        Op::Delete => ControlFlow::Continue(()),
        Op::Counter(value) => visit(key, &stored::encode_counter(*value)),
        Op::Add(delta) => {
            let counter = add_to(held, *delta).map_err(|OnStoredValue| not_a_counter(key))?;
            visit(key, &stored::encode_counter(counter))
        }
        Op::Touch => held.map_or(ControlFlow::Continue(()), |held| visit(key, held)),
    })
}
