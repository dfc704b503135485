//! `stowage:host/storage`: the call's transaction.

use std::time::Instant;

use stowage_storage::{self as storage, KeyRange, ScanOptions, Visitor, Walk};

use crate::bindings::stowage::host::storage as wit;
use crate::engine::instance::{Call, State};
use crate::engine::limits::TICK;

/// Keys of one `get-many`.
const MOST_KEYS: usize = 10_000;
/// Keys that it looks up between two looks at the clock.
const KEYS_PER_LOOK: usize = 64;

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

    fn stored<T>(&mut self, result: Result<T, storage::Error>) -> wasmtime::Result<T> {
        result.map_err(|error| self.refuse(error))
    }
}

impl State {
    /// Takes a walk to its end. It gives way as a module does that runs: after a tick, which is a part of the run's time on the processor, others
    /// have the thread.
    async fn walk<V: Visitor + Send>(&mut self, mut walk: Walk<V>) -> wasmtime::Result<Walk<V>> {
        loop {
            let call = self.under_way()?;
            let ended = call.transaction.go_on(&mut walk, Some(TICK));
            if call.stored(ended)? {
                return Ok(walk);
            }
            self.give_way().await?;
        }
    }

    /// Lets others have the thread after a tick.
    async fn give_way(&mut self) -> wasmtime::Result<()> {
        self.tick()?;
        tokio::task::yield_now().await;
        Ok(())
    }
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

    async fn get_many(&mut self, table: String, keys: Vec<Vec<u8>>) -> wasmtime::Result<Vec<Option<Vec<u8>>>> {
        let call = self.call(keys.iter().map(Vec::len).sum())?;
        call.table(&table)?;
        if keys.len() > MOST_KEYS {
            return Err(call.refuse("more than 10000 keys in one get-many"));
        }
        let mut values = Vec::with_capacity(keys.len());
        let mut since = Instant::now();
        for some in keys.chunks(KEYS_PER_LOOK) {
            if since.elapsed() >= TICK {
                self.give_way().await?;
                since = Instant::now();
            }
            let call = self.under_way()?;
            for key in some {
                let value = call.transaction.get(&table, key);
                let value = call.stored(value)?;
                call.charge(value.as_ref().map_or(0, Vec::len))?;
                values.push(value);
            }
        }
        Ok(values)
    }

    async fn scan(
        &mut self,
        table: String,
        range: wit::KeyRange,
        options: wit::ScanOptions,
    ) -> wasmtime::Result<wit::Page> {
        let call = self.call(range_bytes(&range))?;
        call.table(&table)?;
        let options = ScanOptions {
            reverse: options.reverse,
            skip: options.skip,
            limit: options.limit,
            contains: options.contains,
            keys_only: options.keys_only,
        };
        let scan = call.transaction.begin_scan(&table, &range.into(), &options);
        let scan = call.stored(scan)?;
        let page = self.walk(scan).await?.into_page();
        let call = self.under_way()?;
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

    async fn count(&mut self, table: String, range: wit::KeyRange) -> wasmtime::Result<u64> {
        let call = self.call(range_bytes(&range))?;
        call.table(&table)?;
        let count = call.transaction.begin_count(&table, &range.into());
        let count = call.stored(count)?;
        Ok(self.walk(count).await?.count())
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

    async fn delete_range(&mut self, table: String, range: wit::KeyRange) -> wasmtime::Result<u64> {
        let call = self.call(range_bytes(&range))?;
        call.table(&table)?;
        let found = call.transaction.begin_delete(&table, &range.into());
        let found = call.stored(found)?;
        let found = self.walk(found).await?;
        let call = self.under_way()?;
        let deleted = call.transaction.delete_found(found);
        call.stored(deleted)
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
