//! What a walk does with the keys it visits: collect a page, count, or collect keys to delete.

use std::ops::ControlFlow;

use memchr::memmem::Finder;

use crate::error::Error;
use crate::merge;
use crate::range::{Entry, Page, ScanOptions};
use crate::stored;

/// The most entries that a page reserves memory for before it has found them.
const RESERVED_ENTRIES: usize = 32;

/// The purpose of a walk: [`Scan`], [`Count`] or [`Found`].
pub trait Visitor: sealed::Visit {}

mod sealed {
    use std::ops::ControlFlow;

    use crate::error::Error;

    /// Keeps [`Visitor`](super::Visitor) to the types of this file.
    pub trait Visit {
        /// Takes a stored key and its stored value. Breaks when the walk has all it needs.
        fn visit(&mut self, key: &[u8], stored: &[u8]) -> Result<ControlFlow<()>, Error>;
    }
}

/// Counts keys.
#[derive(Debug, Default)]
pub struct Count(u64);

impl Count {
    pub(crate) fn count(&self) -> u64 {
        self.0
    }
}

impl Visitor for Count {}

impl sealed::Visit for Count {
    fn visit(&mut self, _: &[u8], _: &[u8]) -> Result<ControlFlow<()>, Error> {
        self.0 += 1;
        Ok(ControlFlow::Continue(()))
    }
}

/// Collects the keys that are to be deleted.
#[derive(Debug)]
pub struct Found {
    keys: Vec<Vec<u8>>,
    /// A transaction may write this many keys. One more is enough to refuse it.
    limit: usize,
}

impl Found {
    pub(crate) fn new(limit: usize) -> Found {
        Found {
            keys: Vec::new(),
            limit,
        }
    }

    pub(crate) fn into_keys(self) -> Vec<Vec<u8>> {
        self.keys
    }
}

impl Visitor for Found {}

impl sealed::Visit for Found {
    fn visit(&mut self, key: &[u8], _: &[u8]) -> Result<ControlFlow<()>, Error> {
        self.keys.push(key.to_vec());
        match self.keys.len() > self.limit {
            true => Ok(ControlFlow::Break(())),
            false => Ok(ControlFlow::Continue(())),
        }
    }
}

/// Collects a page.
#[derive(Debug)]
pub struct Scan {
    /// Boxed, because it is large and few scans have one.
    finder: Option<Box<Finder<'static>>>,
    skip: u32,
    keys_only: bool,
    limit: usize,
    page_bytes: usize,
    /// Bytes of the table name and its separator.
    prefix_len: usize,
    bytes: usize,
    page: Page,
    /// The last key that was passed over since the last entry; empty if there is none.
    passed: Vec<u8>,
}

impl Scan {
    pub(crate) fn new(table: &str, options: &ScanOptions, limit: usize, page_bytes: usize) -> Scan {
        let needle = options.contains.as_deref().filter(|needle| !needle.is_empty());
        let mut page = Page::default();
        page.entries.reserve(limit.min(RESERVED_ENTRIES));
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

    /// The page. If it `is_cut` short, it has a cursor.
    pub(crate) fn into_page(mut self, is_cut: bool) -> Page {
        if is_cut {
            self.page.cursor = if self.passed.is_empty() {
                self.page.entries.last().map(|entry| entry.key.clone())
            } else {
                Some(self.passed[self.prefix_len..].to_vec())
            };
        }
        self.page
    }
}

impl Visitor for Scan {}

impl sealed::Visit for Scan {
    fn visit(&mut self, key: &[u8], stored: &[u8]) -> Result<ControlFlow<()>, Error> {
        let (_, value) = stored::decode(stored).ok_or_else(merge::corrupted)?;
        let matches = self.finder.as_ref().is_none_or(|finder| finder.find(value).is_some());
        if !matches || self.skip > 0 {
            self.skip -= u32::from(matches);
            // A page without entries is never cut short, so it needs no cursor yet.
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
