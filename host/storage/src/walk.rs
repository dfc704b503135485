//! A walk along a range: a scan, a count, or a search for what is to be deleted, at one go or piece by piece.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use memchr::memmem::Finder;

use crate::backend::BackendSnapshot;
use crate::error::Error;
use crate::merge;
use crate::range::{Entry, Page, ScanOptions};
use crate::read_set::ReadSet;
use crate::stored;
use crate::write_set::WriteSet;

/// Keys a walk passes between two looks at the clock.
const KEYS_PER_LOOK: u32 = 128;
/// Entries of a page before its list grows.
const FIRST_ENTRIES: usize = 32;

/// A walk that has begun. It belongs to the transaction that began it.
#[derive(Debug)]
pub struct Walk<V> {
    /// The stored keys it lies between.
    start: Vec<u8>,
    end: Vec<u8>,
    reverse: bool,
    /// The last key it passed before it paused.
    paused_at: Option<Vec<u8>>,
    /// The last key it looked at, where it stopped before the end of the range.
    stopped_at: Option<Vec<u8>>,
    ended: bool,
    visitor: V,
}

/// What a walk is for.
pub trait Visitor: sealed::Sealed {
    /// Takes a stored key and its value, and says whether the walk goes on.
    #[doc(hidden)]
    fn visit(&mut self, key: &[u8], stored: &[u8]) -> Result<ControlFlow<()>, Error>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Scan {}
    impl Sealed for super::Count {}
    impl Sealed for super::Found {}
}

impl<V: Visitor> Walk<V> {
    pub(crate) fn new(start: Vec<u8>, end: Vec<u8>, reverse: bool, visitor: V) -> Walk<V> {
        Walk {
            ended: start >= end,
            start,
            end,
            reverse,
            paused_at: None,
            stopped_at: None,
            visitor,
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Nothing further is looked at.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// Goes on until the end, or until `time` is over.
    pub(crate) fn advance(
        &mut self,
        state: &dyn BackendSnapshot,
        writes: &WriteSet,
        deadline: Option<Instant>,
        time: Option<Duration>,
    ) -> Result<(), Error> {
        let beyond;
        let rest = match &self.paused_at {
            None => (&self.start[..], &self.end[..]),
            Some(last) if self.reverse => (&self.start[..], &last[..]),
            Some(last) => {
                beyond = after(last);
                (&beyond[..], &self.end[..])
            }
        };
        let pause = time.map(|time| Instant::now() + time);
        let watched = deadline.is_some() || pause.is_some();
        let is_past = |moment: Option<Instant>| moment.is_some_and(|moment| Instant::now() >= moment);
        if is_past(deadline) {
            return Err(Error::DeadlineExceeded);
        }
        let (mut paused_at, mut stopped_at) = (None, None);
        let mut failure = None;
        let mut unlooked = 0;
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
            unlooked += 1;
            if watched && unlooked == KEYS_PER_LOOK {
                unlooked = 0;
                if is_past(deadline) {
                    failure = Some(Error::DeadlineExceeded);
                    return ControlFlow::Break(());
                }
                if is_past(pause) {
                    paused_at = Some(key.to_vec());
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        if let Some(error) = failure {
            return Err(error);
        }
        self.ended = paused_at.is_none();
        self.paused_at = paused_at;
        self.stopped_at = stopped_at;
        Ok(())
    }

    /// Records all of the range as read.
    pub(crate) fn record_all(&self, reads: &mut ReadSet) {
        reads.insert_range(&self.start, &self.end);
    }

    /// Records what a walk that has ended looked at, which is all that what it found depends on.
    pub(crate) fn record(&self, reads: &mut ReadSet) {
        match &self.stopped_at {
            Some(last) if self.reverse => reads.insert_range(last, &self.end),
            Some(last) => reads.insert_range(&self.start, &after(last)),
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
    /// How many keys there are.
    pub fn count(&self) -> u64 {
        self.visitor.0
    }
}

impl Walk<Found> {
    pub(crate) fn into_keys(self) -> Vec<Vec<u8>> {
        self.visitor.keys
    }
}

/// The first key after this one.
fn after(key: &[u8]) -> Vec<u8> {
    let mut after = Vec::with_capacity(key.len() + 1);
    after.extend_from_slice(key);
    after.push(0);
    after
}

/// Counts keys.
#[derive(Debug, Default)]
pub struct Count(u64);

impl Visitor for Count {
    fn visit(&mut self, _: &[u8], _: &[u8]) -> Result<ControlFlow<()>, Error> {
        self.0 += 1;
        Ok(ControlFlow::Continue(()))
    }
}

/// Keys that are to be deleted.
#[derive(Debug)]
pub struct Found {
    keys: Vec<Vec<u8>>,
    /// One more than these is enough to be refused.
    most: usize,
}

impl Found {
    pub(crate) fn new(most: usize) -> Found {
        Found { keys: Vec::new(), most }
    }
}

impl Visitor for Found {
    fn visit(&mut self, key: &[u8], _: &[u8]) -> Result<ControlFlow<()>, Error> {
        self.keys.push(key.to_vec());
        match self.keys.len() > self.most {
            true => Ok(ControlFlow::Break(())),
            false => Ok(ControlFlow::Continue(())),
        }
    }
}

/// A page in the making.
#[derive(Debug)]
pub struct Scan {
    /// Boxed, for few scans have one and it is large.
    finder: Option<Box<Finder<'static>>>,
    skip: u32,
    keys_only: bool,
    limit: usize,
    page_bytes: usize,
    prefix_len: usize,
    bytes: usize,
    page: Page,
    /// The last key passed since the last entry, if any.
    passed: Vec<u8>,
}

impl Scan {
    pub(crate) fn new(table: &str, options: &ScanOptions, limit: usize, page_bytes: usize) -> Scan {
        let needle = options.contains.as_deref().filter(|needle| !needle.is_empty());
        let mut page = Page::default();
        page.entries.reserve(limit.min(FIRST_ENTRIES));
        Scan {
            finder: needle.map(|needle| Box::new(Finder::new(needle).into_owned())),
            skip: options.skip,
            keys_only: options.keys_only,
            limit,
            page_bytes,
            prefix_len: table.len() + 1,
            bytes: 0,
            page,
            passed: Vec::new(),
        }
    }

    /// The page; where it is cut short, with the key to go on after.
    fn into_page(mut self, cut: bool) -> Page {
        if cut {
            self.page.cursor = if self.passed.is_empty() {
                self.page.entries.last().map(|entry| entry.key.clone())
            } else {
                Some(self.passed[self.prefix_len..].to_vec())
            };
        }
        self.page
    }
}

impl Visitor for Scan {
    fn visit(&mut self, key: &[u8], stored: &[u8]) -> Result<ControlFlow<()>, Error> {
        let (_, value) = stored::decode(stored).ok_or_else(merge::corrupted)?;
        let matches = self.finder.as_ref().is_none_or(|finder| finder.find(value).is_some());
        if !matches || self.skip > 0 {
            self.skip -= u32::from(matches);
            // Before the first entry no page is cut short, so that passing over many keys costs nothing here.
            if !self.page.entries.is_empty() {
                self.passed.clear();
                self.passed.extend_from_slice(key);
            }
            return Ok(ControlFlow::Continue(()));
        }
        let value = if self.keys_only { &[] } else { value };
        let len = key.len() - self.prefix_len + value.len();
        if !self.page.entries.is_empty() && self.bytes + len > self.page_bytes {
            return Ok(ControlFlow::Break(()));
        }
        self.bytes += len;
        self.page.entries.push(Entry {
            key: key[self.prefix_len..].to_vec(),
            value: value.to_vec(),
        });
        self.passed.clear();
        Ok(if self.page.entries.len() == self.limit {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }
}
