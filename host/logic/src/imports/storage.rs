//! `stowage:host/storage`: the call's transaction.

use std::time::Instant;

use stowage_storage::{KeyRange, ScanOptions, Visitor, Walk};
use tracing::Span;

use crate::api::error::Refusal;
use crate::bindings::stowage::host::storage as wit;
use crate::engine::active_call::ActiveCall;
use crate::engine::state::State;
use crate::scheduler::tick::TICK;

/// Keys that one `get-many` may name.
const MAX_KEYS: usize = 10_000;
/// Keys that a `get-many` looks up between two checks of the clock.
const KEYS_PER_CHECK: usize = 64;

/// Whether a module may use a table of this name. The names of the host's own tables have a dot.
fn is_table_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

impl ActiveCall {
    /// Reads a key, and charges the bytes of its value.
    fn read(&mut self, table: &str, key: &[u8]) -> wasmtime::Result<Option<Vec<u8>>> {
        let value = self.transaction.get(table, key).map_err(|error| self.refuse(error))?;
        self.charge(value.as_ref().map_or(0, Vec::len))?;
        Ok(value)
    }
}

impl State {
    /// The span of a function that the module calls on this table.
    fn table_span(&self, function: &'static str, table: &str) -> Span {
        let span = self.host_span(function);
        // The name comes from the module, which may pass anything.
        if !span.is_disabled() && is_table_name(table) {
            span.record("table", table);
        }
        span
    }

    /// The call that runs, charged for one host call on this table that takes `bytes`.
    fn table_call(&mut self, table: &str, bytes: usize) -> wasmtime::Result<&mut ActiveCall> {
        let call = self.host_call(bytes)?;
        if !is_table_name(table) {
            return Err(call.refuse(Refusal::TableName(table.to_owned())));
        }
        Ok(call)
    }

    /// Takes a walk to its end. After each tick it lets others have the thread, as a module that
    /// runs does. The tick counts as the run's processor time.
    async fn walk<V: Visitor + Send>(&mut self, mut walk: Walk<V>) -> wasmtime::Result<Walk<V>> {
        loop {
            let call = self.active_call()?;
            let ended = call.transaction.go_on(&mut walk, Some(TICK));
            if ended.map_err(|error| call.refuse(error))? {
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
        let span = self.table_span("storage.get", &table);
        let value = self.table_call(&table, key.len())?.read(&table, &key)?;
        span.record("bytes", value.as_ref().map_or(0, Vec::len));
        Ok(value)
    }

    async fn get_many(&mut self, table: String, keys: Vec<Vec<u8>>) -> wasmtime::Result<Vec<Option<Vec<u8>>>> {
        let span = self.table_span("storage.get-many", &table);
        span.record("rows", keys.len());
        let call = self.table_call(&table, keys.iter().map(Vec::len).sum())?;
        if keys.len() > MAX_KEYS {
            return Err(call.refuse(Refusal::KeyLimit(MAX_KEYS)));
        }
        let mut values = Vec::with_capacity(keys.len());
        let mut since = Instant::now();
        for some in keys.chunks(KEYS_PER_CHECK) {
            if since.elapsed() >= TICK {
                self.give_way().await?;
                since = Instant::now();
            }
            let call = self.active_call()?;
            for key in some {
                values.push(call.read(&table, key)?);
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
        let span = self.table_span("storage.scan", &table);
        let call = self.table_call(&table, range_bytes(&range))?;
        let options = ScanOptions {
            reverse: options.reverse,
            skip: options.skip,
            limit: options.limit,
            contains: options.contains,
            keys_only: options.keys_only,
        };
        let scan = call.transaction.begin_scan(&table, &range.into(), &options);
        let scan = scan.map_err(|error| call.refuse(error))?;
        let page = self.walk(scan).await?.into_page();
        let call = self.active_call()?;
        let bytes = page.entries.iter().map(|e| e.key.len() + e.value.len()).sum();
        span.record("rows", page.entries.len()).record("bytes", bytes);
        call.charge(bytes)?;
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
        let span = self.table_span("storage.count", &table);
        let call = self.table_call(&table, range_bytes(&range))?;
        let count = call.transaction.begin_count(&table, &range.into());
        let count = count.map_err(|error| call.refuse(error))?;
        let rows = self.walk(count).await?.count();
        span.record("rows", rows);
        Ok(rows)
    }

    fn put(&mut self, table: String, key: Vec<u8>, value: Vec<u8>) -> wasmtime::Result<()> {
        let span = self.table_span("storage.put", &table);
        span.record("bytes", key.len() + value.len());
        let call = self.table_call(&table, key.len() + value.len())?;
        let done = call.transaction.put(&table, &key, value);
        done.map_err(|error| call.refuse(error))
    }

    fn delete(&mut self, table: String, key: Vec<u8>) -> wasmtime::Result<()> {
        let _span = self.table_span("storage.delete", &table);
        let call = self.table_call(&table, key.len())?;
        let done = call.transaction.delete(&table, &key);
        done.map_err(|error| call.refuse(error))
    }

    async fn delete_range(&mut self, table: String, range: wit::KeyRange) -> wasmtime::Result<u64> {
        let span = self.table_span("storage.delete-range", &table);
        let call = self.table_call(&table, range_bytes(&range))?;
        let found = call.transaction.begin_delete(&table, &range.into());
        let found = found.map_err(|error| call.refuse(error))?;
        let found = self.walk(found).await?;
        let call = self.active_call()?;
        let rows = call
            .transaction
            .delete_found(found)
            .map_err(|error| call.refuse(error))?;
        span.record("rows", rows);
        Ok(rows)
    }

    fn add(&mut self, table: String, key: Vec<u8>, delta: i64) -> wasmtime::Result<()> {
        let _span = self.table_span("storage.add", &table);
        let call = self.table_call(&table, key.len())?;
        let done = call.transaction.add(&table, &key, delta);
        done.map_err(|error| call.refuse(error))
    }

    fn counter(&mut self, table: String, key: Vec<u8>) -> wasmtime::Result<i64> {
        let _span = self.table_span("storage.counter", &table);
        let call = self.table_call(&table, key.len())?;
        let value = call.transaction.counter(&table, &key);
        value.map_err(|error| call.refuse(error))
    }
}
