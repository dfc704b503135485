//! Changes of rows, together with their index entries and counters.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::storage::Entry;
use crate::codec;
use crate::collection::Collection;
use crate::context::Context;
use crate::derived::{BLOBS, Counter, Derived};
use crate::key::is_identity;

/// The most bytes of a row's value. A larger row is not stored: with its index entries it could
/// exceed what one call may write, and every later sync would fail.
pub const MAX_ROW_BYTES: usize = 4 << 20;

/// The table of schema versions: a MessagePack integer a collection.
const SCHEMA: &str = "schema";

/// What happens to a blob when a change removes its last reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blobs {
    /// The blob stays: whoever changed the space is responsible for it.
    Keep,
    /// The blob is deleted from the space.
    Release,
}

/// Changes rows with their index entries and counters. Each counter is changed once, at the end of
/// the scope.
pub struct Writer<'a> {
    ctx: &'a dyn Context,
    counters: BTreeMap<Counter, i64>,
    /// Collections whose schema version is recorded already.
    recorded: Vec<&'static str>,
}

impl<'a> Writer<'a> {
    /// Runs `change`, then changes the counters. If the call returns an error, the host drops all
    /// of it.
    pub fn scope<T>(ctx: &'a dyn Context, blobs: Blobs, change: impl FnOnce(&mut Self) -> T) -> T {
        let mut writer = Self {
            ctx,
            counters: BTreeMap::new(),
            recorded: Vec::new(),
        };
        let result = change(&mut writer);
        writer.finish(blobs);
        result
    }

    /// Writes a row. Returns false, and writes nothing, if its identity does not have 1 to 480
    /// bytes, a derived key is too long, or its value has more than [`MAX_ROW_BYTES`]. An equal row
    /// is not written again.
    pub fn put<R: Serialize + DeserializeOwned>(&mut self, collection: &Collection<R>, row: &R) -> bool {
        let before = collection.value(self.ctx, (collection.identity)(row));
        self.replace(collection, row, before)
    }

    /// [`Writer::put`] for a row with an identity that was made in this call, so that no such row
    /// exists.
    pub fn put_new<R: Serialize + DeserializeOwned>(&mut self, collection: &Collection<R>, row: &R) -> bool {
        self.replace(collection, row, None)
    }

    fn replace<R: Serialize + DeserializeOwned>(
        &mut self,
        collection: &Collection<R>,
        row: &R,
        before: Option<Vec<u8>>,
    ) -> bool {
        let identity = (collection.identity)(row);
        if !is_identity(identity) {
            return false;
        }
        let value = codec::encode(row, before.as_deref());
        let after = collection.derived(row);
        if value.len() > MAX_ROW_BYTES || !after.fits() {
            return false;
        }
        if before.as_deref() == Some(&value[..]) {
            return true;
        }
        let before = before
            .and_then(|before| codec::decode(&before))
            .map(|row| collection.derived(&row))
            .unwrap_or_default();
        for entry in before.entries.iter().filter(|entry| !entry.is_among(&after.entries)) {
            self.ctx.delete(entry.table, &entry.key);
        }
        let text = (collection.text)(row);
        for entry in &after.entries {
            if entry.is_listed {
                self.ctx.put(entry.table, &entry.key, &text);
            } else if !entry.is_among(&before.entries) {
                self.ctx.put(entry.table, &entry.key, &[]);
            }
        }
        self.count(&before, -1);
        self.count(&after, 1);
        self.record_schema(collection.name, collection.version);
        self.ctx.put(collection.name, identity.as_bytes(), &value);
        true
    }

    /// Brings a stored row to what its collection says now. Returns the bytes written; 0 if all was
    /// right. See [`Migration::rederive`](crate::Migration::rederive).
    pub(crate) fn rederive<R: Serialize + DeserializeOwned>(
        &mut self,
        collection: &Collection<R>,
        stored: &Entry,
        before: fn(&R, &mut Derived),
        change: fn(&mut R),
    ) -> usize {
        // A value that cannot be decoded counts as absent.
        let Some(mut row) = codec::decode::<R>(&stored.value) else {
            return 0;
        };
        let mut old = Derived::default();
        before(&row, &mut old);
        change(&mut row);
        let value = codec::encode(&row, Some(&stored.value));
        let new = collection.derived(&row);
        if value.len() > MAX_ROW_BYTES || !new.fits() {
            return 0;
        }
        let mut written = 0;
        for entry in old.entries.iter().filter(|entry| !entry.is_among(&new.entries)) {
            if self.ctx.get(entry.table, &entry.key).is_some() {
                self.ctx.delete(entry.table, &entry.key);
                written += entry.key.len();
            }
        }
        let text = (collection.text)(&row);
        for entry in &new.entries {
            let text = if entry.is_listed { &text[..] } else { &[] };
            if self.ctx.get(entry.table, &entry.key).as_deref() != Some(text) {
                self.ctx.put(entry.table, &entry.key, text);
                written += entry.key.len() + text.len();
            }
        }
        if value != stored.value {
            self.ctx.put(collection.name, &stored.key, &value);
            written += stored.key.len() + value.len();
        }
        self.count(&old, -1);
        self.count(&new, 1);
        self.record_schema(collection.name, collection.version);
        written
    }

    /// Removes a row with its index entries and counts. Returns it if it existed and could be
    /// decoded.
    pub fn remove<R: Serialize + DeserializeOwned>(&mut self, collection: &Collection<R>, identity: &str) -> Option<R> {
        let value = collection.value(self.ctx, identity)?;
        self.ctx.delete(collection.name, identity.as_bytes());
        let row = codec::decode(&value)?;
        let derived = collection.derived(&row);
        for entry in &derived.entries {
            self.ctx.delete(entry.table, &entry.key);
        }
        self.count(&derived, -1);
        Some(row)
    }

    fn count(&mut self, derived: &Derived, sign: i64) {
        for (counter, amount) in &derived.counters {
            let sum = self.counters.entry(counter.clone()).or_default();
            *sum = sum.wrapping_add(amount.wrapping_mul(sign));
        }
    }

    fn record_schema(&mut self, name: &'static str, version: u64) {
        if self.recorded.contains(&name) {
            return;
        }
        self.recorded.push(name);
        let recorded = self
            .ctx
            .get(SCHEMA, name.as_bytes())
            .and_then(|value| codec::decode::<u64>(&value));
        if recorded.is_none_or(|recorded| recorded < version) {
            self.ctx.put(SCHEMA, name.as_bytes(), &codec::encode(&version, None));
        }
    }

    fn finish(self, blobs: Blobs) {
        for ((table, key), delta) in &self.counters {
            if *delta != 0 {
                self.ctx.add(table, key, *delta);
            }
        }
        if blobs == Blobs::Keep {
            return;
        }
        for ((_, key), _) in self
            .counters
            .iter()
            .filter(|((table, _), delta)| *table == BLOBS && **delta < 0)
        {
            if let Ok(hash) = std::str::from_utf8(key)
                && self.ctx.counter(BLOBS, key) <= 0
            {
                self.ctx.delete_blob(hash);
            }
        }
    }
}

impl<R: Serialize + DeserializeOwned> Collection<R> {
    /// Applies changes of the space: writes `upserts` and removes `removals`. A row in both stays,
    /// because it has moved between segments. A row that cannot be stored is removed.
    pub fn apply(&self, ctx: &dyn Context, upserts: impl IntoIterator<Item = R>, removals: &[String]) {
        let upserts: Vec<R> = upserts.into_iter().collect();
        let mut kept = BTreeSet::new();
        for row in &upserts {
            kept.insert((self.identity)(row));
        }
        Writer::scope(ctx, Blobs::Keep, |writer| {
            for identity in removals.iter().filter(|identity| !kept.contains(identity.as_str())) {
                writer.remove(self, identity);
            }
            // If a row is named twice, the last one stays.
            for row in &upserts {
                if !writer.put(self, row) {
                    writer.remove(self, (self.identity)(row));
                }
            }
        });
    }
}

#[cfg(test)]
mod tests;
