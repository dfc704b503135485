//! A walk over a range of keys: a scan, a count, or a search for keys to delete.
//!
//! A walk runs to its end at once, or piece by piece with a time limit for each piece.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::backend::BackendSnapshot;
use crate::error::Error;
use crate::merge;
use crate::range::Page;
use crate::read_set::ReadSet;
use crate::visitor::{Count, Found, Scan, Visitor};
use crate::write_set::WriteSet;

/// Keys that a walk visits between two looks at the clock.
const KEYS_PER_CLOCK_CHECK: u32 = 128;

/// A walk in progress. Use it only with the transaction that began it.
#[derive(Debug)]
pub struct Walk<V> {
    /// The first stored key of the range.
    start: Vec<u8>,
    /// The first stored key after the range.
    end: Vec<u8>,
    reverse: bool,
    /// The last key before the pause, while the walk is paused.
    paused_at: Option<Vec<u8>>,
    /// The last key that was visited, if the visitor stopped before the end of the range.
    stopped_at: Option<Vec<u8>>,
    has_ended: bool,
    visitor: V,
}

impl<V: Visitor> Walk<V> {
    pub(crate) fn new(start: Vec<u8>, end: Vec<u8>, reverse: bool, visitor: V) -> Walk<V> {
        Walk {
            has_ended: start >= end,
            start,
            end,
            reverse,
            paused_at: None,
            stopped_at: None,
            visitor,
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Ends the walk. It visits no further keys.
    pub(crate) fn end(&mut self) {
        self.has_ended = true;
    }

    /// Continues to the end, or until about `time` has passed.
    ///
    /// # Errors
    /// If the snapshot cannot be read, or if the visitor fails.
    pub(crate) fn advance(
        &mut self,
        state: &dyn BackendSnapshot,
        writes: &WriteSet,
        time: Option<Duration>,
    ) -> Result<(), Error> {
        let next;
        let rest = match &self.paused_at {
            None => (&self.start[..], &self.end[..]),
            Some(last) if self.reverse => (&self.start[..], &last[..]),
            Some(last) => {
                next = key_after(last);
                (&next[..], &self.end[..])
            }
        };
        let pause = time.map(|time| Instant::now() + time);
        let (mut paused_at, mut stopped_at) = (None, None);
        let mut failure = None;
        let mut unchecked = 0;
        let visitor = &mut self.visitor;
        merge::walk(state, writes, rest, self.reverse, &mut |key, stored| {
            match visitor.visit(key, stored) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => {
                    stopped_at = Some(key.to_vec());
                    return ControlFlow::Break(());
                }
                Err(error) => {
                    failure = Some(error);
                    return ControlFlow::Break(());
                }
            }
            unchecked += 1;
            if let Some(pause) = pause
                && unchecked == KEYS_PER_CLOCK_CHECK
            {
                unchecked = 0;
                if Instant::now() >= pause {
                    paused_at = Some(key.to_vec());
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        if let Some(error) = failure {
            return Err(error);
        }
        self.has_ended = paused_at.is_none();
        self.paused_at = paused_at;
        self.stopped_at = stopped_at;
        Ok(())
    }

    /// Records the whole range as read.
    pub(crate) fn record_all(&self, reads: &mut ReadSet) {
        reads.insert_range(&self.start, &self.end);
    }

    /// Records what an ended walk visited. Its result depends on nothing else.
    pub(crate) fn record(&self, reads: &mut ReadSet) {
        match &self.stopped_at {
            Some(last) if self.reverse => reads.insert_range(last, &self.end),
            Some(last) => reads.insert_range(&self.start, &key_after(last)),
            None => self.record_all(reads),
        }
    }
}

impl Walk<Scan> {
    /// The page that was found.
    pub fn into_page(self) -> Page {
        self.visitor.into_page(self.stopped_at.is_some())
    }
}

impl Walk<Count> {
    /// The number of keys in the range.
    pub fn count(&self) -> u64 {
        self.visitor.count()
    }
}

impl Walk<Found> {
    pub(crate) fn into_keys(self) -> Vec<Vec<u8>> {
        self.visitor.into_keys()
    }
}

/// The next possible key.
fn key_after(key: &[u8]) -> Vec<u8> {
    let mut after = Vec::with_capacity(key.len() + 1);
    after.extend_from_slice(key);
    after.push(0);
    after
}
