//! A transaction: a snapshot, what was read of it, and what is to be written.

use std::ops::ControlFlow;
use std::time::Instant;

use memchr::memmem;

use crate::backend::Visit;
use crate::config::Limits;
use crate::error::Error;
use crate::footprint::Footprint;
use crate::merge;
use crate::range::{Entry, KeyRange, Page, ScanOptions};
use crate::read_set::ReadSet;
use crate::snapshot::Snapshot;
use crate::stored::{self, Kind};
use crate::write_set::{OnValue, Op, Write, WriteSet};

/// Keys a walk passes between two looks at the clock.
const KEYS_PER_DEADLINE_CHECK: u32 = 128;

/// Entries of a page before its list grows.
const FIRST_ENTRIES: usize = 32;

/// Reads and writes that are committed together or not at all. Everything is read from one snapshot, with the own
/// writes visible; dropping the transaction discards them.
///
/// # Errors
///
/// Every operation refuses table names and keys that are out of bounds, and fails with [`Error::Backend`] where the
/// backend cannot read. A call that fails changes nothing.
#[derive(Debug)]
pub struct Transaction {
    snapshot: Snapshot,
    limits: Limits,
    deadline: Option<Instant>,
    reads: ReadSet,
    writes: WriteSet,
    /// The stored key of the operation at hand.
    key: Vec<u8>,
}

impl Transaction {
    pub(crate) fn new(snapshot: Snapshot, limits: Limits, read_set_bytes: usize) -> Self {
        Self {
            snapshot,
            limits,
            deadline: None,
            reads: ReadSet::new(read_set_bytes),
            writes: WriteSet::default(),
            key: Vec::new(),
        }
    }

    /// The state it reads.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// From `deadline` on, `scan`, `count` and `delete_range` fail with [`Error::DeadlineExceeded`]; one that is under
    /// way stops soon after. Absent, which is the beginning, they take as long as they take.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// The deadline that was set.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The value of a key, or `None`. A counter is its 8 bytes, little-endian.
    ///
    /// # Errors
    ///
    /// [`Error::NotACounter`] where the transaction added to a key that holds a value.
    pub fn get(&mut self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let Some(mut stored) = self.get_stored(table, key)? else {
            return Ok(None);
        };
        if stored::decode(&stored).is_none() {
            return Err(merge::corrupted());
        }
        stored.pop();
        Ok(Some(stored))
    }

    /// A counter's value, own additions included; 0 where nothing was ever added.
    ///
    /// # Errors
    ///
    /// [`Error::NotACounter`] where the key holds a value.
    pub fn counter(&mut self, table: &str, key: &[u8]) -> Result<i64, Error> {
        let Some(stored) = self.get_stored(table, key)? else {
            return Ok(0);
        };
        match stored::decode(&stored) {
            Some((Kind::Counter, _)) => stored::decode_counter(&stored).ok_or_else(merge::corrupted),
            Some((Kind::Value, _)) => Err(merge::not_a_counter(&self.key)),
            None => Err(merge::corrupted()),
        }
    }

    /// Entries of a range, own writes included.
    ///
    /// # Errors
    ///
    /// [`Error::NotACounter`] where the transaction added to a key in the range that holds a value,
    /// [`Error::DeadlineExceeded`].
    pub fn scan(&mut self, table: &str, range: &KeyRange, options: &ScanOptions) -> Result<Page, Error> {
        let (start, end) = self.bounds(table, range)?;
        let limit = options.limit.min(self.limits.page_entries) as usize;
        let mut page = Page::default();
        if limit == 0 {
            return Ok(page);
        }
        let finder = options
            .contains
            .as_deref()
            .filter(|needle| !needle.is_empty())
            .map(memmem::Finder::new);
        let prefix_len = table.len() + 1;
        let page_bytes = self.limits.page_bytes;
        let mut skip = options.skip;
        let mut bytes = 0;
        // The last key passed since the last entry, if any; and the last one looked at where the page is cut short: the
        // answer also depends on the entry that was too large for it.
        let mut passed: Vec<u8> = Vec::new();
        let mut looked_at: Option<Vec<u8>> = None;
        let mut malformed = false;
        page.entries.reserve(limit.min(FIRST_ENTRIES));
        let walked = self.walk((&start, &end), options.reverse, &mut |key, stored| {
            let Some((_, value)) = stored::decode(stored) else {
                malformed = true;
                return ControlFlow::Break(());
            };
            let matches = finder.as_ref().is_none_or(|finder| finder.find(value).is_some());
            if !matches || skip > 0 {
                skip -= u32::from(matches);
                // Before the first entry no page is cut short, so that passing over many keys costs nothing here.
                if !page.entries.is_empty() {
                    passed.clear();
                    passed.extend_from_slice(key);
                }
                return ControlFlow::Continue(());
            }
            let value = if options.keys_only { &[] } else { value };
            let len = key.len() - prefix_len + value.len();
            if !page.entries.is_empty() && bytes + len > page_bytes {
                looked_at = Some(key.to_vec());
                return ControlFlow::Break(());
            }
            bytes += len;
            page.entries.push(Entry {
                key: key[prefix_len..].to_vec(),
                value: value.to_vec(),
            });
            passed.clear();
            if page.entries.len() == limit {
                looked_at = Some(key.to_vec());
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        self.read_on_failure(walked, &start, &end)?;
        if malformed {
            return Err(merge::corrupted());
        }
        if let Some(last) = &looked_at {
            page.cursor = if passed.is_empty() {
                page.entries.last().map(|entry| entry.key.clone())
            } else {
                Some(passed[prefix_len..].to_vec())
            };
            self.read_up_to(&start, &end, last, options.reverse);
        } else {
            self.reads.insert_range(&start, &end);
        }
        Ok(page)
    }

    /// How many entries a range holds, own writes included. It walks the range.
    ///
    /// # Errors
    ///
    /// Those of [`Transaction::scan`].
    pub fn count(&mut self, table: &str, range: &KeyRange) -> Result<u64, Error> {
        let (start, end) = self.bounds(table, range)?;
        let mut count = 0;
        let walked = self.walk((&start, &end), false, &mut |_, _| {
            count += 1;
            ControlFlow::Continue(())
        });
        self.read_on_failure(walked, &start, &end)?;
        self.reads.insert_range(&start, &end);
        Ok(count)
    }

    /// Sets a key, whether or not it exists. Reads nothing.
    ///
    /// # Errors
    ///
    /// [`Error::ValueTooLong`], [`Error::TransactionTooLarge`], [`Error::TooManyWrites`].
    pub fn put(&mut self, table: &str, key: &[u8], value: Vec<u8>) -> Result<(), Error> {
        self.locate(table, key)?;
        if value.len() > self.limits.value_bytes {
            return Err(Error::ValueTooLong {
                len_bytes: value.len(),
                limit_bytes: self.limits.value_bytes,
            });
        }
        let op = Op::Put(stored::encode_value(value));
        self.writes.set(&self.key, op, &self.limits)
    }

    /// Removes a key; one that does not exist is no error. Reads nothing.
    ///
    /// # Errors
    ///
    /// [`Error::TransactionTooLarge`], [`Error::TooManyWrites`].
    pub fn delete(&mut self, table: &str, key: &[u8]) -> Result<(), Error> {
        self.locate(table, key)?;
        self.writes.set(&self.key, Op::Delete, &self.limits)
    }

    /// Removes every key of a range and says how many there were.
    ///
    /// # Errors
    ///
    /// Those of [`Transaction::delete`] and [`Transaction::scan`].
    pub fn delete_range(&mut self, table: &str, range: &KeyRange) -> Result<u64, Error> {
        let (start, end) = self.bounds(table, range)?;
        let limit = self.limits.writes;
        let mut keys: Vec<Vec<u8>> = Vec::new();
        let walked = self.walk((&start, &end), false, &mut |key, _| {
            keys.push(key.to_vec());
            // One more than fits is enough to be refused below.
            if keys.len() > limit {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        self.read_on_failure(walked, &start, &end)?;
        self.reads.insert_range(&start, &end);
        let count = keys.len() as u64;
        self.writes.delete_all(keys, &self.limits)?;
        Ok(count)
    }

    /// Adds to a counter, which starts at 0. The sum wraps at 64 bits. Reads nothing, so that transactions that only
    /// add do not conflict; a key that turns out to hold a value fails the commit.
    ///
    /// # Errors
    ///
    /// [`Error::NotACounter`] where this transaction put a value there, [`Error::TransactionTooLarge`],
    /// [`Error::TooManyWrites`].
    pub fn add(&mut self, table: &str, key: &[u8], delta: i64) -> Result<(), Error> {
        self.locate(table, key)?;
        match self.writes.add(&self.key, delta, &self.limits)? {
            Ok(()) => Ok(()),
            Err(OnValue) => Err(merge::not_a_counter(&self.key)),
        }
    }

    /// Whether committing it changes anything.
    pub fn has_writes(&self) -> bool {
        !self.writes.is_empty()
    }

    /// Table, key and write, one for each key written, ordered by table and key; equal for transactions that change the
    /// same snapshot in the same way.
    pub fn writes(&self) -> impl Iterator<Item = (&str, &[u8], Write<'_>)> {
        self.writes.iter()
    }

    /// What it read and wrote so far.
    pub fn footprint(&self) -> Footprint {
        Footprint::new(&self.reads, &self.writes)
    }

    /// Keys and values written so far, in bytes, as [`Limits::write_bytes`] counts them: table names included.
    pub fn write_bytes(&self) -> usize {
        self.writes.bytes()
    }

    /// Snapshot, reads ready to be validated, and writes.
    pub(crate) fn into_parts(mut self) -> (Snapshot, ReadSet, WriteSet) {
        self.reads.seal();
        (self.snapshot, self.reads, self.writes)
    }

    /// Checks table and key, and puts the stored key into `self.key`.
    fn locate(&mut self, table: &str, key: &[u8]) -> Result<(), Error> {
        stored::check_table(table)?;
        if key.is_empty() {
            return Err(Error::KeyEmpty);
        }
        if key.len() > self.limits.key_bytes {
            return Err(Error::KeyTooLong {
                len_bytes: key.len(),
                limit_bytes: self.limits.key_bytes,
            });
        }
        stored::write_key(&mut self.key, table, key);
        Ok(())
    }

    /// The stored value of a key as the transaction sees it; leaves the stored key in `self.key`.
    fn get_stored(&mut self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.locate(table, key)?;
        let delta = match self.writes.ops().get(&self.key) {
            Some(Op::Put(stored)) => return Ok(Some(stored.clone())),
            Some(Op::Delete) => return Ok(None),
            Some(Op::Counter(value)) => return Ok(Some(stored::encode_counter(*value).to_vec())),
            Some(Op::Add(delta)) => Some(*delta),
            None => None,
        };
        let held = self.snapshot.get(&self.key)?;
        self.reads.insert_key(&self.key);
        match delta {
            None => Ok(held),
            Some(delta) => {
                let counter = merge::add_to(&self.key, held.as_deref(), delta)?;
                Ok(Some(stored::encode_counter(counter).to_vec()))
            }
        }
    }

    /// The stored keys a range lies between. Bounds are not keys: an empty one is before every key, and their length
    /// is limited only so that a read set stays small.
    fn bounds(&self, table: &str, range: &KeyRange) -> Result<(Vec<u8>, Vec<u8>), Error> {
        stored::check_table(table)?;
        let limit_bytes = self.limits.key_bytes + 1;
        for bound in [&range.start, &range.end].into_iter().flatten() {
            if bound.len() > limit_bytes {
                return Err(Error::KeyTooLong {
                    len_bytes: bound.len(),
                    limit_bytes,
                });
            }
        }
        let mut start = Vec::new();
        stored::write_key(&mut start, table, range.start.as_deref().unwrap_or(&[]));
        let end = match &range.end {
            Some(end) => {
                let mut stored = Vec::new();
                stored::write_key(&mut stored, table, end);
                stored
            }
            None => stored::table_end(table),
        };
        Ok((start, end))
    }

    /// Walks the merged view, minding the deadline. What was read is for the caller to record.
    fn walk(&self, bounds: (&[u8], &[u8]), reverse: bool, visit: &mut Visit<'_>) -> Result<(), Error> {
        let state = self.snapshot.state();
        let Some(deadline) = self.deadline else {
            return merge::walk(state, &self.writes, bounds, reverse, visit);
        };
        let mut unchecked = 0;
        let mut late = Instant::now() >= deadline;
        if !late {
            merge::walk(state, &self.writes, bounds, reverse, &mut |key, value| {
                unchecked += 1;
                if unchecked == KEYS_PER_DEADLINE_CHECK {
                    unchecked = 0;
                    late = Instant::now() >= deadline;
                    if late {
                        return ControlFlow::Break(());
                    }
                }
                visit(key, value)
            })?;
        }
        if late {
            return Err(Error::DeadlineExceeded);
        }
        Ok(())
    }

    /// Records the whole range where a walk failed: the failure, too, tells what the range holds.
    fn read_on_failure(&mut self, walked: Result<(), Error>, start: &[u8], end: &[u8]) -> Result<(), Error> {
        if walked.is_err() {
            self.reads.insert_range(start, end);
        }
        walked
    }

    /// Records that a walk from one end of a range looked at keys up to and including `last`.
    fn read_up_to(&mut self, start: &[u8], end: &[u8], last: &[u8], reverse: bool) {
        if reverse {
            self.reads.insert_range(last, end);
            return;
        }
        let mut after = last.to_vec();
        after.push(0);
        self.reads.insert_range(start, &after);
    }
}
