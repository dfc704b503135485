//! Changes laid over a state: a walk along both.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::ops::ControlFlow;

use crate::backend::{BackendSnapshot, Visit};

/// What a walk passes: the keys from `start` up to, not including, `end`.
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

/// Hands on a key that is changed, given its change and what lies under it, unless the change removes it.
pub(crate) trait Seen<C, E>:
    FnMut(&[u8], &C, Option<&[u8]>, &mut Visit<'_>) -> Result<ControlFlow<()>, E>
{
}

impl<C, E, F> Seen<C, E> for F where F: FnMut(&[u8], &C, Option<&[u8]>, &mut Visit<'_>) -> Result<ControlFlow<()>, E> {}

/// Walks along `below` as it is under `changes`, which come in the order of the walk, until `visit` breaks.
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

/// Hands on the changed keys before a key that lies below, then that key as it is under its change.
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
