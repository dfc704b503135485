//! `stowage:host/storage`: the call's transaction.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use stowage_storage::{self as storage, KeyRange, ScanOptions, Transaction};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::bindings::stowage::host::storage as wit;
use crate::instance::{Call, State};

/// Keys of one `get-many`.
const MOST_KEYS: usize = 10_000;
/// A walk that takes longer begins again beside the threads that calls run on.
const HOLD: Duration = Duration::from_millis(4);

/// Held by the walk that runs beside those threads: one at a time, for it takes a processor.
static BESIDE: Mutex<()> = Mutex::new(());

impl Call {
    /// Refuses table names that are the host's own or that no table may have.
    fn table(&mut self, name: &str) -> wasmtime::Result<()> {
        let good =
            (1..=64).contains(&name.len()) && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if good {
            Ok(())
        } else {
            Err(self.refuse(format_args!(
                "table name {name:?}: expected 1 to 64 characters of a-z, 0-9 and -"
            )))
        }
    }

    /// Walks a range. A walk is not interrupted by the epoch, so that a long one must not keep its thread from others.
    fn walked<T>(&mut self, walk: impl Fn(&mut Transaction) -> Result<T, storage::Error>) -> wasmtime::Result<T> {
        let deadline = self.transaction.deadline();
        let soon = Instant::now() + HOLD;
        if deadline.is_some_and(|deadline| deadline <= soon) || !has_other_threads() {
            let walked = walk(&mut self.transaction);
            return self.stored(walked);
        }
        self.transaction.set_deadline(Some(soon));
        let mut walked = walk(&mut self.transaction);
        self.transaction.set_deadline(deadline);
        if matches!(walked, Err(storage::Error::DeadlineExceeded)) {
            // Nothing has been written, and what has been read is read again.
            walked = tokio::task::block_in_place(|| {
                let _turn = BESIDE.lock().unwrap_or_else(PoisonError::into_inner);
                walk(&mut self.transaction)
            });
        }
        self.stored(walked)
    }

    fn stored<T>(&mut self, result: Result<T, storage::Error>) -> wasmtime::Result<T> {
        result.map_err(|error| self.refuse(error))
    }
}

/// Whether the runtime has, or makes, threads for what a blocked one leaves.
fn has_other_threads() -> bool {
    Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread)
}

impl From<wit::KeyRange> for KeyRange {
    fn from(range: wit::KeyRange) -> KeyRange {
        KeyRange {
            start: range.start,
            end: range.end,
        }
    }
}

fn range_bytes(range: &wit::KeyRange) -> usize {
    range.start.as_ref().map_or(0, Vec::len) + range.end.as_ref().map_or(0, Vec::len)
}

impl wit::Host for State {
    fn get(&mut self, table: String, key: Vec<u8>) -> wasmtime::Result<Option<Vec<u8>>> {
        let call = self.call(key.len())?;
        call.table(&table)?;
        let value = call.transaction.get(&table, &key);
        let value = call.stored(value)?;
        call.charge(value.as_ref().map_or(0, Vec::len))?;
        Ok(value)
    }

    fn get_many(&mut self, table: String, keys: Vec<Vec<u8>>) -> wasmtime::Result<Vec<Option<Vec<u8>>>> {
        let call = self.call(keys.iter().map(Vec::len).sum())?;
        call.table(&table)?;
        if keys.len() > MOST_KEYS {
            return Err(call.refuse("more than 10000 keys in one get-many"));
        }
        let mut values = Vec::with_capacity(keys.len());
        for key in &keys {
            let value = call.transaction.get(&table, key);
            let value = call.stored(value)?;
            call.charge(value.as_ref().map_or(0, Vec::len))?;
            values.push(value);
        }
        Ok(values)
    }

    fn scan(&mut self, table: String, range: wit::KeyRange, options: wit::ScanOptions) -> wasmtime::Result<wit::Page> {
        let call = self.call(range_bytes(&range))?;
        call.table(&table)?;
        let range = range.into();
        let options = ScanOptions {
            reverse: options.reverse,
            skip: options.skip,
            limit: options.limit,
            contains: options.contains,
            keys_only: options.keys_only,
        };
        let page = call.walked(|transaction| transaction.scan(&table, &range, &options))?;
        call.charge(page.entries.iter().map(|e| e.key.len() + e.value.len()).sum())?;
        Ok(wit::Page {
            entries: page
                .entries
                .into_iter()
                .map(|e| wit::Entry {
                    key: e.key,
                    value: e.value,
                })
                .collect(),
            cursor: page.cursor,
        })
    }

    fn count(&mut self, table: String, range: wit::KeyRange) -> wasmtime::Result<u64> {
        let call = self.call(range_bytes(&range))?;
        call.table(&table)?;
        let range = range.into();
        call.walked(|transaction| transaction.count(&table, &range))
    }

    fn put(&mut self, table: String, key: Vec<u8>, value: Vec<u8>) -> wasmtime::Result<()> {
        let call = self.call(key.len() + value.len())?;
        call.table(&table)?;
        let done = call.transaction.put(&table, &key, value);
        call.stored(done)
    }

    fn delete(&mut self, table: String, key: Vec<u8>) -> wasmtime::Result<()> {
        let call = self.call(key.len())?;
        call.table(&table)?;
        let done = call.transaction.delete(&table, &key);
        call.stored(done)
    }

    fn delete_range(&mut self, table: String, range: wit::KeyRange) -> wasmtime::Result<u64> {
        let call = self.call(range_bytes(&range))?;
        call.table(&table)?;
        let range = range.into();
        call.walked(|transaction| transaction.delete_range(&table, &range))
    }

    fn add(&mut self, table: String, key: Vec<u8>, delta: i64) -> wasmtime::Result<()> {
        let call = self.call(key.len())?;
        call.table(&table)?;
        let done = call.transaction.add(&table, &key, delta);
        call.stored(done)
    }

    fn counter(&mut self, table: String, key: Vec<u8>) -> wasmtime::Result<i64> {
        let call = self.call(key.len())?;
        call.table(&table)?;
        let value = call.transaction.counter(&table, &key);
        call.stored(value)
    }
}
