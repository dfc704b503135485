//! A walk over two layers: updates over a state.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::ops::ControlFlow;

use crate::backend::{BackendSnapshot, Visit};

/// The half-open range `start..end` of keys, and the direction of the walk.
#[derive(Clone, Copy)]
pub(crate) struct Way<'a> {
    pub(crate) start: &'a [u8],
    pub(crate) end: &'a [u8],
    pub(crate) reverse: bool,
}

impl Way<'_> {
    fn order(&self, one: &[u8], other: &[u8]) -> Ordering {
        match self.reverse {
            true => other.cmp(one),
            false => one.cmp(other),
        }
    }
}

/// Visits an updated key, given its update and the value below. Skips the key if the update removes
/// it.
pub(crate) trait Seen<C, E>:
    FnMut(&[u8], &C, Option<&[u8]>, &mut Visit<'_>) -> Result<ControlFlow<()>, E>
{
}

impl<C, E, F> Seen<C, E> for F where F: FnMut(&[u8], &C, Option<&[u8]>, &mut Visit<'_>) -> Result<ControlFlow<()>, E> {}

/// Walks over `below` with `changes` over it, until `visit` breaks. `changes` come in the order of
/// the walk.
pub(crate) fn walk<K: AsRef<[u8]>, C, E: From<crate::BackendError>>(
    below: &dyn BackendSnapshot,
    changes: impl Iterator<Item = (K, C)>,
    way: Way<'_>,
    mut seen: impl Seen<C, E>,
    visit: &mut Visit<'_>,
) -> Result<(), E> {
    let mut changes = changes.peekable();
    let mut failure = None;
    let mut stopped = false;
    below.walk(way.start, way.end, way.reverse, &mut |key, value| {
        let flow = step(&mut changes, way, (key, value), &mut seen, visit).unwrap_or_else(|error| {
            failure = Some(error);
            ControlFlow::Break(())
        });
        stopped = flow.is_break();
        flow
    })?;
    if let Some(error) = failure {
        return Err(error);
    }
    if stopped {
        return Ok(());
    }
    for (key, change) in changes {
        if seen(key.as_ref(), &change, None, visit)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// Visits the updated keys before a key of the lower layer, then that key with its update.
fn step<K: AsRef<[u8]>, C, E>(
    changes: &mut Peekable<impl Iterator<Item = (K, C)>>,
    way: Way<'_>,
    (key, value): (&[u8], &[u8]),
    seen: &mut impl Seen<C, E>,
    visit: &mut Visit<'_>,
) -> Result<ControlFlow<()>, E> {
    while let Some((changed, change)) = changes.next_if(|(changed, _)| way.order(changed.as_ref(), key).is_le()) {
        let hit = changed.as_ref() == key;
        let flow = seen(changed.as_ref(), &change, hit.then_some(value), visit)?;
        if hit || flow.is_break() {
            return Ok(flow);
        }
    }
    Ok(visit(key, value))
}
