//! A transaction: a snapshot, what was read of it, and what is to be written.

use std::time::Duration;

use crate::config::Limits;
use crate::error::{BackendError, Error};
use crate::footprint::Footprint;
use crate::merge;
use crate::range::{KeyRange, Page, ScanOptions};
use crate::read_set::ReadSet;
use crate::snapshot::Snapshot;
use crate::stored::{self, Kind};
use crate::table_versions::TableVersions;
use crate::visitor::{Count, Found, Scan, Visitor};
use crate::walk::Walk;
use crate::write_set::{OnValue, Op, Write, WriteSet};

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
    reads: ReadSet,
    writes: WriteSet,
    /// The stored key of the operation at hand.
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

    /// The state it reads.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Whether a read has failed because the snapshot is older than what is kept ([`BackendError::Outdated`]): running it again on the
    /// latest one may succeed.
    pub fn is_outdated(&self) -> bool {
        self.outdated
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

    /// Counts a key as read, whatever it holds: this transaction conflicts with one that writes the key and is committed first.
    ///
    /// # Errors
    ///
    /// Those of every operation.
    pub fn depend_on(&mut self, table: &str, key: &[u8]) -> Result<(), Error> {
        self.locate(table, key)?;
        // What it writes itself is no one else's.
        if let None | Some(Op::Touch) = self.writes.ops().get(&self.key) {
            self.reads.insert_key(&self.key);
        }
        Ok(())
    }

    /// Has transactions conflict that depend on a key ([`Transaction::depend_on`], or by reading it) and are committed after this one, as if
    /// it were written. What it holds stays.
    ///
    /// # Errors
    ///
    /// [`Error::TransactionTooLarge`], [`Error::TooManyWrites`].
    pub fn touch(&mut self, table: &str, key: &[u8]) -> Result<(), Error> {
        self.locate(table, key)?;
        self.writes.touch(&self.key, &self.limits)
    }

    /// Entries of a range, own writes included.
    ///
    /// # Errors
    ///
    /// [`Error::NotACounter`] where the transaction added to a key in the range that holds a value.
    pub fn scan(&mut self, table: &str, range: &KeyRange, options: &ScanOptions) -> Result<Page, Error> {
        let mut scan = self.begin_scan(table, range, options)?;
        while !self.go_on(&mut scan, None)? {}
        Ok(scan.into_page())
    }

    /// [`Transaction::scan`] that does not count as a read: this transaction does not conflict with one that changes what is found. What must
    /// not change is for the caller to say ([`Transaction::depend_on`]).
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

    /// How many entries a range holds, own writes included. It walks the range.
    ///
    /// # Errors
    ///
    /// Those of [`Transaction::scan`].
    pub fn count(&mut self, table: &str, range: &KeyRange) -> Result<u64, Error> {
        let mut count = self.begin_count(table, range)?;
        while !self.go_on(&mut count, None)? {}
        Ok(count.count())
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
        let mut keys = self.begin_delete(table, range)?;
        while !self.go_on(&mut keys, None)? {}
        self.delete_found(keys)
    }

    /// Begins a [`Transaction::scan`] that [`Transaction::go_on`] carries on.
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
        // Nothing is asked for, so nothing is looked at.
        if limit == 0 {
            walk.end();
        }
        Ok(walk)
    }

    /// Begins a [`Transaction::count`] that [`Transaction::go_on`] carries on.
    ///
    /// # Errors
    ///
    /// Those of [`Transaction::count`].
    pub fn begin_count(&self, table: &str, range: &KeyRange) -> Result<Walk<Count>, Error> {
        let (start, end) = self.bounds(table, range)?;
        Ok(Walk::new(start, end, false, Count::default()))
    }

    /// Begins a [`Transaction::delete_range`] that [`Transaction::go_on`] carries on and [`Transaction::delete_found`] ends.
    ///
    /// # Errors
    ///
    /// Those of [`Transaction::delete_range`].
    pub fn begin_delete(&self, table: &str, range: &KeyRange) -> Result<Walk<Found>, Error> {
        let (start, end) = self.bounds(table, range)?;
        Ok(Walk::new(start, end, false, Found::new(self.limits.writes)))
    }

    /// Goes on with a walk for about as long as `time` says, or to its end, and says whether that is reached. The transaction must not
    /// write meanwhile.
    ///
    /// # Errors
    ///
    /// Those of the walk; it has ended then.
    pub fn go_on<V: Visitor>(&mut self, walk: &mut Walk<V>, time: Option<Duration>) -> Result<bool, Error> {
        if walk.has_ended() {
            return Ok(true);
        }
        if let Err(error) = walk.advance(self.snapshot.state(), &self.writes, time) {
            // The failure, too, tells what the range holds.
            walk.record_all(&mut self.reads);
            walk.end();
            return Err(self.note(error));
        }
        if walk.has_ended() {
            walk.record(&mut self.reads);
        }
        Ok(walk.has_ended())
    }

    /// Removes the keys that a walk of [`Transaction::begin_delete`] has found, and says how many there are.
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

    /// Table, key and write, one for each key written, ordered by table and key; equal for transactions that change the
    /// same snapshot in the same way.
    pub fn writes(&self) -> impl Iterator<Item = (&str, &[u8], Write<'_>)> {
        self.writes.iter()
    }

    /// What it read and wrote so far.
    pub fn footprint(&self) -> Footprint {
        Footprint::new(&self.reads, &self.writes)
    }

    /// The versions of the tables it read from. `None` if it wrote anything, or if its reads are not
    /// recorded table by table.
    pub fn table_versions(&self) -> Option<TableVersions> {
        match self.writes.is_empty() {
            true => TableVersions::new(self.snapshot.sequence(), self.snapshot.versions(), &self.reads),
            false => None,
        }
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
            Some(Op::Touch) | None => None,
        };
        let held = self.snapshot.get(&self.key).map_err(|error| self.note(error.into()))?;
        self.reads.insert_key(&self.key);
        match delta {
            None => Ok(held),
            Some(delta) => {
                let counter = merge::add_to(&self.key, held.as_deref(), delta)?;
                Ok(Some(stored::encode_counter(counter).to_vec()))
            }
        }
    }

    fn note(&mut self, error: Error) -> Error {
        self.outdated |= matches!(error, Error::Backend(BackendError::Outdated));
        error
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
}
