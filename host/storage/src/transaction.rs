//! A transaction: a snapshot, what it read, and what it writes.

use std::time::Duration;

use crate::config::Limits;
use crate::error::{BackendError, Error};
use crate::footprint::Footprint;
use crate::merge::{self, OnStoredValue};
use crate::range::{KeyRange, Page, ScanOptions};
use crate::read_set::ReadSet;
use crate::snapshot::Snapshot;
use crate::stored::{self, Kind};
use crate::table_versions::TableVersions;
use crate::visitor::{Count, Found, Scan, Visitor};
use crate::walk::Walk;
use crate::write_set::{OnValue, Op, Write, WriteSet};

/// Reads and writes that are committed together or not at all. It reads one snapshot and sees its
/// own writes. Dropping it discards the writes.
///
/// # Errors
///
/// Every operation refuses table names and keys that are out of bounds. It fails with
/// [`Error::Backend`] if the backend cannot read. A call that fails changes nothing.
#[derive(Debug)]
pub struct Transaction {
    snapshot: Snapshot,
    limits: Limits,
    reads: ReadSet,
    writes: WriteSet,
    /// The stored key of the current operation.
    key: Vec<u8>,
    outdated: bool,
}

impl Transaction {
    pub(crate) fn new(snapshot: Snapshot, limits: Limits, read_set_bytes: usize) -> Self {
        Self {
            snapshot,
            limits,
            reads: ReadSet::new(read_set_bytes),
            writes: WriteSet::default(),
            key: Vec::new(),
            outdated: false,
        }
    }

    /// The snapshot that it reads.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Whether a read failed with [`BackendError::Outdated`]. A new transaction on the latest
    /// snapshot may succeed.
    pub fn is_outdated(&self) -> bool {
        self.outdated
    }

    /// The value of a key, or `None`. The value of a counter is its 8 bytes, little-endian.
    ///
    /// # Errors
    ///
    /// [`Error::NotACounter`] if this transaction added to a key that holds a value.
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

    /// The value of a counter with own additions; 0 if the key is absent.
    ///
    /// # Errors
    ///
    /// [`Error::NotACounter`] if the key holds a value.
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

    /// Records a key as read, without reading it. This transaction conflicts with one that writes
    /// the key and is committed first.
    ///
    /// # Errors
    ///
    /// Those of every operation.
    pub fn depend_on(&mut self, table: &str, key: &[u8]) -> Result<(), Error> {
        self.locate(table, key)?;
        // Its own write does not depend on the snapshot.
        if let None | Some(Op::Touch) = self.writes.ops().get(&self.key) {
            self.reads.insert_key(&self.key);
        }
        Ok(())
    }

    /// Counts as a write of a key, but leaves its value. Transactions that read the key, or called
    /// [`Transaction::depend_on`], conflict if they are committed later.
    ///
    /// # Errors
    ///
    /// [`Error::TransactionTooLarge`], [`Error::TooManyWrites`].
    pub fn touch(&mut self, table: &str, key: &[u8]) -> Result<(), Error> {
        self.locate(table, key)?;
        self.writes.touch(&self.key, &self.limits)
    }

    /// The entries of a range, own writes included.
    ///
    /// # Errors
    ///
    /// [`Error::NotACounter`] if this transaction added to a key in the range that holds a value.
    pub fn scan(&mut self, table: &str, range: &KeyRange, options: &ScanOptions) -> Result<Page, Error> {
        let mut scan = self.begin_scan(table, range, options)?;
        while !self.go_on(&mut scan, None)? {}
        Ok(scan.into_page())
    }

    /// [`Transaction::scan`] that does not count as a read. Later changes of the range cause no
    /// conflict. The caller declares what must not change with [`Transaction::depend_on`].
    ///
    /// # Errors
    ///
    /// Those of [`Transaction::scan`].
    pub fn peek(&mut self, table: &str, range: &KeyRange, options: &ScanOptions) -> Result<Page, Error> {
        let mut scan = self.begin_scan(table, range, options)?;
        if !scan.has_ended() {
            let walked = scan.advance(self.snapshot.state(), &self.writes, None);
            walked.map_err(|error| self.note(error))?;
        }
        Ok(scan.into_page())
    }

    /// The number of entries in a range, own writes included. It walks the range.
    ///
    /// # Errors
    ///
    /// Those of [`Transaction::scan`].
    pub fn count(&mut self, table: &str, range: &KeyRange) -> Result<u64, Error> {
        let mut count = self.begin_count(table, range)?;
        while !self.go_on(&mut count, None)? {}
        Ok(count.count())
    }

    /// Sets the value of a key, whether or not the key exists. This is not a read.
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

    /// Removes a key. The key may be absent. This is not a read.
    ///
    /// # Errors
    ///
    /// [`Error::TransactionTooLarge`], [`Error::TooManyWrites`].
    pub fn delete(&mut self, table: &str, key: &[u8]) -> Result<(), Error> {
        self.locate(table, key)?;
        self.writes.set(&self.key, Op::Delete, &self.limits)
    }

    /// Removes all keys of a range and returns their number.
    ///
    /// # Errors
    ///
    /// Those of [`Transaction::delete`] and [`Transaction::scan`].
    pub fn delete_range(&mut self, table: &str, range: &KeyRange) -> Result<u64, Error> {
        let mut keys = self.begin_delete(table, range)?;
        while !self.go_on(&mut keys, None)? {}
        self.delete_found(keys)
    }

    /// Begins a [`Transaction::scan`] in pieces. [`Transaction::go_on`] continues it.
    ///
    /// # Errors
    ///
    /// Those of [`Transaction::scan`].
    pub fn begin_scan(&self, table: &str, range: &KeyRange, options: &ScanOptions) -> Result<Walk<Scan>, Error> {
        let limit = options.limit.min(self.limits.page_entries) as usize;
        let (start, end) = self.bounds(table, range)?;
        let mut walk = Walk::new(
            start,
            end,
            options.reverse,
            Scan::new(table, options, limit, self.limits.page_bytes),
        );
        // A scan of no entries reads nothing.
        if limit == 0 {
            walk.end();
        }
        Ok(walk)
    }

    /// Begins a [`Transaction::count`] in pieces. [`Transaction::go_on`] continues it.
    ///
    /// # Errors
    ///
    /// Those of [`Transaction::count`].
    pub fn begin_count(&self, table: &str, range: &KeyRange) -> Result<Walk<Count>, Error> {
        let (start, end) = self.bounds(table, range)?;
        Ok(Walk::new(start, end, false, Count::default()))
    }

    /// Begins a [`Transaction::delete_range`] in pieces. [`Transaction::go_on`] continues it, and
    /// [`Transaction::delete_found`] ends it.
    ///
    /// # Errors
    ///
    /// Those of [`Transaction::delete_range`].
    pub fn begin_delete(&self, table: &str, range: &KeyRange) -> Result<Walk<Found>, Error> {
        let (start, end) = self.bounds(table, range)?;
        Ok(Walk::new(start, end, false, Found::new(self.limits.writes)))
    }

    /// Continues a walk to its end, or for about `time`. Returns whether it has ended. The
    /// transaction must not write while a walk is in progress.
    ///
    /// # Errors
    ///
    /// Those of the walk. It has ended then.
    pub fn go_on<V: Visitor>(&mut self, walk: &mut Walk<V>, time: Option<Duration>) -> Result<bool, Error> {
        if walk.has_ended() {
            return Ok(true);
        }
        if let Err(error) = walk.advance(self.snapshot.state(), &self.writes, time) {
            // The failure also depends on what the range holds.
            walk.record_all(&mut self.reads);
            walk.end();
            return Err(self.note(error));
        }
        if walk.has_ended() {
            walk.record(&mut self.reads);
        }
        Ok(walk.has_ended())
    }

    /// Removes the keys that a walk of [`Transaction::begin_delete`] found, and returns their
    /// number.
    ///
    /// # Errors
    ///
    /// Those of [`Transaction::delete_range`].
    pub fn delete_found(&mut self, walk: Walk<Found>) -> Result<u64, Error> {
        let keys = walk.into_keys();
        let count = keys.len() as u64;
        self.writes.delete_all(keys, &self.limits)?;
        Ok(count)
    }

    /// Adds to a counter, which starts at 0. The sum wraps at 64 bits. This is not a read, so
    /// transactions that only add do not conflict. If the key turns out to hold a value, the commit
    /// fails.
    ///
    /// # Errors
    ///
    /// [`Error::NotACounter`] if this transaction put a value there,
    /// [`Error::TransactionTooLarge`], [`Error::TooManyWrites`].
    pub fn add(&mut self, table: &str, key: &[u8], delta: i64) -> Result<(), Error> {
        self.locate(table, key)?;
        match self.writes.add(&self.key, delta, &self.limits)? {
            Ok(()) => Ok(()),
            Err(OnValue) => Err(merge::not_a_counter(&self.key)),
        }
    }

    /// Table, key and write of each written key, ordered by table and key. Two transactions on one
    /// snapshot have the same effect if these are equal.
    pub fn writes(&self) -> impl Iterator<Item = (&str, &[u8], Write<'_>)> {
        self.writes.iter()
    }

    /// What it has read and written so far.
    pub fn footprint(&self) -> Footprint {
        Footprint::new(&self.reads, &self.writes)
    }

    /// The versions of the tables that it read from. `None` if it wrote anything, or if its reads
    /// are not recorded table by table.
    pub fn table_versions(&self) -> Option<TableVersions> {
        match self.writes.is_empty() {
            true => TableVersions::new(self.snapshot.sequence(), self.snapshot.versions(), &self.reads),
            false => None,
        }
    }

    /// Bytes of the keys and values written so far. Table names count, as in
    /// [`Limits::write_bytes`].
    pub fn write_bytes(&self) -> usize {
        self.writes.bytes()
    }

    /// The snapshot, the sealed read set, and the writes.
    pub(crate) fn into_parts(mut self) -> (Snapshot, ReadSet, WriteSet) {
        self.reads.seal();
        (self.snapshot, self.reads, self.writes)
    }

    /// Checks table and key, and sets `self.key` to the stored key.
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

    /// The stored value of a key, own writes included. Sets `self.key` to the stored key.
    fn get_stored(&mut self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.locate(table, key)?;
        let delta = match self.writes.ops().get(&self.key) {
            Some(Op::Put(stored)) => return Ok(Some(stored.clone())),
            Some(Op::Delete) => return Ok(None),
            Some(Op::Counter(value)) => return Ok(Some(stored::encode_counter(*value).to_vec())),
            Some(Op::Add(delta)) => Some(*delta),
            Some(Op::Touch) | None => None,
        };
        let held = self.snapshot.get(&self.key).map_err(|error| self.note(error.into()))?;
        self.reads.insert_key(&self.key);
        match delta {
            None => Ok(held),
            Some(delta) => {
                let counter = merge::add_to(held.as_deref(), delta);
                let counter = counter.map_err(|OnStoredValue| merge::not_a_counter(&self.key))?;
                Ok(Some(stored::encode_counter(counter).to_vec()))
            }
        }
    }

    fn note(&mut self, error: Error) -> Error {
        self.outdated |= matches!(error, Error::Backend(BackendError::Outdated));
        error
    }

    /// The stored keys that bound a range. A bound is not a key: it may be empty, which is before
    /// all keys. Its length is limited to keep read sets small.
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
}
