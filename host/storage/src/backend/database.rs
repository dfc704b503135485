//! Transactions and snapshots of the redb database.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use redb::{
    AccessGuard, Database, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable, StorageError, WriteTransaction,
};

use super::format::{KV, set_identity, set_last_batch};
use super::read_errors::ReadErrors;
use super::{BackendSnapshot, KeyUpdate, Visit};
use crate::error::BackendError;
use crate::stored;

/// The most memory of the point cache of one snapshot.
const CACHE_BYTES: u64 = 4 << 20;
/// A larger value is not cached.
const MAX_CACHED_VALUE_BYTES: usize = 8 << 10;
/// What each entry of the cache takes in addition to its key and value.
const ENTRY_BYTES: usize = 64;
/// The first size of the cache's own tables. They grow with the entries.
const LIKELY_ENTRIES: usize = 256;

/// A transaction that writes updates of batches into the database.
pub(super) struct FlushTransaction(WriteTransaction);

impl FlushTransaction {
    pub(super) fn begin(db: &Database) -> Result<Self, BackendError> {
        let mut transaction = db.begin_write().map_err(redb::Error::from)?;
        // Two phases: a page and its checksum are durable before the commit refers to them. And the
        // state of the allocator is kept, so that a start after a crash walks no pages.
        transaction.set_quick_repair(true);
        Ok(Self(transaction))
    }

    /// Writes these updates. They are cheapest if they are sorted by key.
    pub(super) fn write<'u>(&mut self, updates: impl Iterator<Item = KeyUpdate<'u>>) -> Result<(), BackendError> {
        let mut table = self.0.open_table(KV).map_err(redb::Error::from)?;
        for (key, value) in updates {
            match value {
                Some(value) => table.insert(key, value).map(drop)?,
                None => table.remove(key).map(drop)?,
            }
        }
        Ok(())
    }

    /// Makes everything durable. The database then holds all batches up to this one.
    pub(super) fn commit_batch(self, batch: u64) -> Result<(), BackendError> {
        set_last_batch(&self.0, batch)?;
        self.commit()
    }

    /// [`FlushTransaction::commit_batch`] that also makes the file a store.
    pub(super) fn commit_identity(self, file_id: u64, batch: u64) -> Result<(), BackendError> {
        set_identity(&self.0, file_id, batch)?;
        self.commit()
    }

    /// Makes the updates durable. The database then holds a part of some batches; it is consistent
    /// only after the log has been replayed.
    pub(super) fn commit(mut self) -> Result<(), BackendError> {
        self.0
            .set_durability(Durability::Immediate)
            .map_err(redb::Error::from)?;
        Ok(self.0.commit().map_err(redb::Error::from)?)
    }
}

/// What the database holds at a moment. The open table keeps its read transaction alive.
pub(crate) struct DatabaseSnapshot {
    rows: ReadOnlyTable<&'static [u8], &'static [u8]>,
    /// The tables that have keys here. Tables of short-lived rows, such as an outbox, are often
    /// empty; a lookup in them then costs no search of the tree. `None` if they cannot be listed,
    /// because a page is damaged.
    tables: Option<HashSet<Box<[u8]>, foldhash::fast::RandomState>>,
    /// What single keys hold. Some keys are read by every call, and a search of the tree costs ten
    /// times a look into a hash map. The snapshot never changes, so an entry is never outdated.
    points: Cache<Box<[u8]>, CachedValue, EntrySize>,
    errors: Arc<ReadErrors>,
}

/// A stored value; `None` if the key is absent.
type CachedValue = Option<Arc<[u8]>>;

#[derive(Clone)]
struct EntrySize;

impl Weighter<Box<[u8]>, CachedValue> for EntrySize {
    fn weight(&self, key: &Box<[u8]>, value: &CachedValue) -> u64 {
        (ENTRY_BYTES + key.len() + value.as_ref().map_or(0, |value| value.len())) as u64
    }
}

impl DatabaseSnapshot {
    pub(crate) fn open(db: &impl ReadableDatabase, errors: &Arc<ReadErrors>) -> Result<Self, BackendError> {
        let read = db.begin_read().map_err(redb::Error::from)?;
        let rows = read.open_table(KV).map_err(redb::Error::from)?;
        let tables = match list_tables(&rows) {
            Ok(tables) => Some(tables),
            Err(error) if error.is_damage() => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            rows,
            tables,
            points: Cache::with_weighter(LIKELY_ENTRIES, CACHE_BYTES, EntrySize),
            errors: Arc::clone(errors),
        })
    }

    /// Whether a read failed because the disk did, since the last call.
    pub(super) fn take_read_failure(&self) -> bool {
        self.errors.take_need()
    }

    fn noting<T>(&self, read: Result<T, BackendError>) -> Result<T, BackendError> {
        read.inspect_err(|error| {
            if error.is_damage() {
                self.errors.note_need();
            }
        })
    }

    fn has_table(&self, table: &[u8]) -> bool {
        self.tables.as_ref().is_none_or(|tables| tables.contains(table))
    }

    /// Whether keys of the range `start..end` may exist.
    fn may_hold(&self, start: &[u8], end: &[u8]) -> bool {
        match stored::table_of(start) {
            Some(table) if end <= &stored::end_of(table)[..] => self.has_table(table),
            _ => true,
        }
    }
}

impl BackendSnapshot for DatabaseSnapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        if !stored::table_of(key).is_some_and(|table| self.has_table(table)) {
            return Ok(None);
        }
        if let Some(known) = self.points.get(key) {
            return Ok(known.map(|value| value.to_vec()));
        }
        let value = self.noting(guarded(key, || ReadableTable::get(&self.rows, key)))?;
        let value = value.as_ref().map(|value| value.value());
        if value.is_none_or(|value| value.len() <= MAX_CACHED_VALUE_BYTES) {
            self.points.insert(Box::from(key), value.map(Arc::from));
        }
        Ok(value.map(<[u8]>::to_vec))
    }

    fn walk(&self, start: &[u8], end: &[u8], reverse: bool, visit: &mut Visit<'_>) -> Result<(), BackendError> {
        if !self.may_hold(start, end) {
            return Ok(());
        }
        let from = if reverse { end } else { start };
        let range = guarded(from, || ReadableTable::range::<&[u8]>(&self.rows, start..end));
        let mut range = self.noting(range)?;
        let mut last = None;
        loop {
            let next = guarded(last.as_ref().map_or(from, AccessGuard::value), || {
                if reverse { range.next_back() } else { range.next() }.transpose()
            });
            let Some((key, value)) = self.noting(next)? else {
                return Ok(());
            };
            if visit(key.value(), value.value()).is_break() {
                return Ok(());
            }
            last = Some(key);
        }
    }
}

/// Reads from redb. Damage names the key that was read, or the last one before it. redb may also
/// panic on a damaged file.
fn guarded<T>(key: &[u8], read: impl FnOnce() -> Result<T, StorageError>) -> Result<T, BackendError> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(StorageError::Corrupted(_))) | Err(_) => Err(damaged(key)),
        Ok(Err(error)) => Err(error.into()),
    }
}

fn damaged(key: &[u8]) -> BackendError {
    let (table, key) = stored::split_key(key).unwrap_or_default();
    BackendError::Damaged {
        table: table.to_owned(),
        key: key.to_vec(),
    }
}

/// The names of the tables that have keys, in their stored form.
fn list_tables(
    rows: &ReadOnlyTable<&'static [u8], &'static [u8]>,
) -> Result<HashSet<Box<[u8]>, foldhash::fast::RandomState>, BackendError> {
    let mut tables = HashSet::default();
    let mut from = Vec::new();
    loop {
        let first = guarded(&from, || {
            ReadableTable::range::<&[u8]>(rows, &from[..]..)?.next().transpose()
        });
        let Some((key, _)) = first? else {
            return Ok(tables);
        };
        let table = stored::table_of(key.value());
        let table = table.ok_or_else(|| BackendError::Corrupted("a key without a table".into()))?;
        from = stored::end_of(table);
        tables.insert(Box::from(table));
    }
}

impl From<StorageError> for BackendError {
    fn from(error: StorageError) -> Self {
        redb::Error::from(error).into()
    }
}

impl From<redb::Error> for BackendError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::DatabaseClosed => Self::Closed,
            redb::Error::Io(error) => error.into(),
            redb::Error::Corrupted(what) => Self::Corrupted(what.into()),
            other => Self::Database(Arc::new(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use redb::backends::InMemoryBackend;

    use super::*;
    use crate::backend::format::create_tables;
    use crate::random::Random;

    fn database() -> Database {
        let db = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        create_tables(&db).unwrap();
        db
    }

    /// Some keys are neighbours, some are scattered, some exist already or are removed.
    #[test]
    fn what_is_flushed_can_be_read() {
        for seed in 1..=20 {
            let mut random = Random::new(seed);
            let (db, mut model) = (database(), BTreeMap::new());
            for round in 0..20_u64 {
                let mut updates = BTreeMap::new();
                for _ in 0..random.below(300) {
                    let value = (random.below(4) > 0).then(|| {
                        let len = match random.below(50) {
                            0 => MAX_CACHED_VALUE_BYTES + 1,
                            _ => random.below(100) as usize,
                        };
                        vec![round as u8; len]
                    });
                    updates.insert(format!("scattered\0{:03}", random.below(1000)).into_bytes(), value);
                }
                for n in 0..random.below(300) {
                    let key = format!("in-order\0{round:03}{n:03}").into_bytes();
                    updates.insert(key, (random.below(50) > 0).then(|| vec![1; 600]));
                }
                for n in 0..random.below(3) {
                    updates.insert(format!("{n}\0{round}").into_bytes(), Some(vec![]));
                }
                let mut transaction = FlushTransaction::begin(&db).unwrap();
                let borrowed = updates.iter().map(|(key, value)| (&key[..], value.as_deref()));
                transaction.write(borrowed).unwrap();
                transaction.commit_batch(round).unwrap();
                for (key, value) in updates {
                    match value {
                        Some(value) => drop(model.insert(key, value)),
                        None => drop(model.remove(&key)),
                    }
                }
                let mut found = BTreeMap::new();
                let flushed = DatabaseSnapshot::open(&db, &Arc::default()).unwrap();
                let walked = flushed.walk(&[], &[0xff], false, &mut |key, value| {
                    found.insert(key.to_vec(), value.to_vec());
                    std::ops::ControlFlow::Continue(())
                });
                walked.unwrap();
                assert_eq!(found, model, "seed {seed}, round {round}");
                for n in 0..200 {
                    let key = format!("scattered\0{:03}", 5 * n).into_bytes();
                    for _ in 0..2 {
                        assert_eq!(
                            flushed.get(&key).unwrap().as_ref(),
                            model.get(&key),
                            "{seed} {round} {n}"
                        );
                    }
                }
            }
        }
    }
}
