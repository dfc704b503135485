//! The file: a redb database with one table of stored keys and values, and one of facts about it.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::iter::Peekable;
use std::ops::Bound;
use std::path::Path;

use redb::{
    CursorError, Database, DatabaseError, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable, StorageError,
    Table, TableDefinition, TableError, TableHandle, WriteTransaction,
};

use super::{BackendSnapshot, Change, Visit};
use crate::error::{BackendError, OpenError};
use crate::stored;

/// Stored keys and values; `stored.rs` defines both.
const KV: TableDefinition<&[u8], &[u8]> = TableDefinition::new("kv");
/// Facts about the file.
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// The entry of `META` that holds the format.
const FORMAT: &str = "format";
/// The format this version writes, and the newest it reads. In format 1 the journal had no halves, in format 2 shorter ones, and up to format 3
/// the host kept its outbox under other keys: one who knows no other must not open a file that has these.
const FORMAT_VERSION: u64 = 4;
/// The entry of `META` that tells this file from others.
const FILE: &str = "file";
/// The entry of `META` with the number of the last batch that the file holds by itself; those after it are in the journal.
const BATCH: &str = "batch";

/// What the file says about itself: its own number, and that of the last batch it holds.
pub(super) fn identity(db: &Database) -> Result<(u64, u64), BackendError> {
    let meta = |name: &str| -> Result<u64, redb::Error> {
        let table = db.begin_read()?.open_table(META)?;
        Ok(ReadableTable::get(&table, name)?.map_or(0, |value| value.value()))
    };
    Ok((meta(FILE)?, meta(BATCH)?))
}

/// A transaction that makes batches part of the file.
pub(super) struct Settlement(WriteTransaction);

impl Settlement {
    pub(super) fn begin(db: &Database) -> Result<Self, BackendError> {
        Ok(Self(db.begin_write().map_err(redb::Error::from)?))
    }

    /// Makes these changes, which are cheapest sorted by key: new keys that lie between the same two old ones are then written together,
    /// without a way down the tree for each.
    pub(super) fn take_up<'c>(&mut self, changes: impl Iterator<Item = Change<'c>>) -> Result<(), BackendError> {
        let mut table = self.0.open_table(KV).map_err(redb::Error::from)?;
        let mut changes = changes.peekable();
        let mut lookout = Lookout::default();
        while let Some((key, value)) = changes.next() {
            match value {
                Some(value) => table.insert(key, value).map(drop)?,
                None => table.remove(key).map(drop)?,
            }
            if lookout.is_worth_it(key) {
                let beside = insert_beside(&mut table, key, &mut changes)?;
                lookout.found(beside);
            }
        }
        Ok(())
    }

    /// Makes everything durable; the file then holds all batches up to this one.
    pub(super) fn finish(self, batch: u64) -> Result<(), BackendError> {
        self.0
            .open_table(META)
            .map_err(redb::Error::from)?
            .insert(BATCH, batch)?;
        self.finish_piece()
    }

    /// Makes everything durable. The file then holds a part of what batches have changed, which counts only together with the journal.
    pub(super) fn finish_piece(mut self) -> Result<(), BackendError> {
        self.0
            .set_durability(Durability::Immediate)
            .map_err(redb::Error::from)?;
        Ok(self.0.commit().map_err(redb::Error::from)?)
    }
}

/// Inserts those of the next changes that lie between a key of the table and the one after it, and says how many these were.
fn insert_beside<'c>(
    table: &mut Table<'_, &[u8], &[u8]>,
    key: &[u8],
    changes: &mut Peekable<impl Iterator<Item = Change<'c>>>,
) -> Result<usize, BackendError> {
    let mut gap = table.upper_bound_mut(Bound::Included(key))?;
    let mut inserted = 0;
    while let Some((key, Some(value))) = changes.peek() {
        match gap.insert_before(*key, *value) {
            Ok(()) => inserted += 1,
            Err(CursorError::UnorderedKey) => break,
            Err(error) => return Err(redb::Error::from(error).into()),
        }
        changes.next();
    }
    gap.close()?;
    Ok(inserted)
}

/// Says after which keys to look whether the next ones lie beside them. Where keys come in no order, as random identifiers do, looking is
/// in vain, and would cost as much as inserting one.
#[derive(Default)]
struct Lookout {
    table: Vec<u8>,
    /// Keys to let pass after a look in vain, and how many of them are left.
    patience: usize,
    left: usize,
}

impl Lookout {
    /// Keys beside another that are worth a look.
    const MANY: usize = 4;
    /// The most keys to let pass, and the fewest.
    const LONGEST: usize = 1024;
    const SHORTEST: usize = 8;

    fn is_worth_it(&mut self, key: &[u8]) -> bool {
        let table = stored::table_of(key).unwrap_or_default();
        if table != self.table {
            *self = Self::default();
            self.table.extend_from_slice(table);
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                false
            }
            None => true,
        }
    }

    fn found(&mut self, beside: usize) {
        self.patience = match beside < Self::MANY {
            true => (2 * self.patience).clamp(Self::SHORTEST, Self::LONGEST),
            false => 0,
        };
        self.left = self.patience;
    }
}

/// What the file holds by itself: an open table of a read transaction, which it keeps alive.
pub(super) struct Settled {
    rows: ReadOnlyTable<&'static [u8], &'static [u8]>,
    /// The tables that it holds keys of. Those whose keys come and go, as in an outbox, are often empty here: asking for one costs no
    /// way down the tree then.
    tables: HashSet<Box<[u8]>, foldhash::fast::RandomState>,
}

impl Settled {
    pub(super) fn read(db: &Database) -> Result<Self, BackendError> {
        let read = db.begin_read().map_err(redb::Error::from)?;
        let rows = read.open_table(KV).map_err(redb::Error::from)?;
        let mut tables = HashSet::default();
        let mut from = Vec::new();
        while let Some(first) = ReadableTable::range::<&[u8]>(&rows, &from[..]..)?.next() {
            let (key, _) = first?;
            let table = stored::table_of(key.value());
            let table = table.ok_or_else(|| BackendError::Corrupted("a key without a table".into()))?;
            from = stored::end_of(table);
            tables.insert(Box::from(table));
        }
        Ok(Self { rows, tables })
    }

    /// Whether there may be keys from `start` up to, not including, `end`.
    fn may_hold(&self, start: &[u8], end: &[u8]) -> bool {
        match stored::table_of(start) {
            Some(table) if end <= &stored::end_of(table)[..] => self.tables.contains(table),
            _ => true,
        }
    }
}

impl BackendSnapshot for Settled {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        if !stored::table_of(key).is_some_and(|table| self.tables.contains(table)) {
            return Ok(None);
        }
        let value = ReadableTable::get(&self.rows, key)?;
        Ok(value.map(|value| value.value().to_vec()))
    }

    fn walk(&self, start: &[u8], end: &[u8], reverse: bool, visit: &mut Visit<'_>) -> Result<(), BackendError> {
        if !self.may_hold(start, end) {
            return Ok(());
        }
        let mut range = ReadableTable::range::<&[u8]>(&self.rows, start..end)?;
        while let Some(entry) = if reverse { range.next_back() } else { range.next() } {
            let (key, value) = entry?;
            if visit(key.value(), value.value()).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Opens the database and makes sure that it is a store this version reads.
pub(super) fn open(
    path: &Path,
    open_file: impl FnOnce() -> Result<Database, DatabaseError>,
) -> Result<Database, OpenError> {
    let failed = |error: redb::Error| OpenError::Backend {
        path: path.to_path_buf(),
        source: error.into(),
    };
    let db = open_file().map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse {
            path: path.to_path_buf(),
        },
        DatabaseError::Storage(StorageError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
            OpenError::NotAStore {
                path: path.to_path_buf(),
            }
        }
        other => failed(other.into()),
    })?;
    match read_format(&db).map_err(failed)? {
        Format::Known(found) if found > FORMAT_VERSION => Err(OpenError::FormatTooNew {
            path: path.to_path_buf(),
            found,
            supported: FORMAT_VERSION,
        }),
        Format::Known(FORMAT_VERSION) => Ok(db),
        Format::Known(_) => {
            write_format(&db).map_err(failed)?;
            Ok(db)
        }
        Format::Foreign => Err(OpenError::NotAStore {
            path: path.to_path_buf(),
        }),
        Format::New => {
            create_tables(&db).map_err(failed)?;
            Ok(db)
        }
    }
}

enum Format {
    Known(u64),
    /// No tables yet.
    New,
    /// Somebody else's tables.
    Foreign,
}

fn read_format(db: &Database) -> Result<Format, redb::Error> {
    let read = db.begin_read()?;
    if read.list_tables()?.next().is_none() {
        return Ok(Format::New);
    }
    let known = |name: &str| name == KV.name() || name == META.name();
    if !read.list_tables()?.any(|table| known(table.name())) {
        return Ok(Format::Foreign);
    }
    match read.open_table(META) {
        Ok(meta) => Ok(match ReadableTable::get(&meta, FORMAT)? {
            Some(format) => Format::Known(format.value()),
            None => Format::Foreign,
        }),
        Err(TableError::Storage(error)) => Err(error.into()),
        Err(_) => Ok(Format::Foreign),
    }
}

/// Takes over a file of an earlier format, which is read as it is.
fn write_format(db: &Database) -> Result<(), redb::Error> {
    let write = db.begin_write()?;
    write.open_table(META)?.insert(FORMAT, FORMAT_VERSION)?;
    Ok(write.commit()?)
}

fn create_tables(db: &Database) -> Result<(), redb::Error> {
    let write = db.begin_write()?;
    {
        let mut meta = write.open_table(META)?;
        meta.insert(FORMAT, FORMAT_VERSION)?;
        meta.insert(FILE, RandomState::new().build_hasher().finish())?;
        write.open_table(KV)?;
    }
    write.commit()?;
    Ok(())
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
            other => Self::Failed(other.to_string().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use redb::backends::InMemoryBackend;

    use super::*;
    use crate::random::Random;

    fn database() -> Database {
        let db = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        create_tables(&db).unwrap();
        db
    }

    /// Some keys lie beside each other, some are scattered, some are there already or are removed.
    #[test]
    fn what_is_taken_up_is_there() {
        for seed in 1..=20 {
            let mut random = Random::new(seed);
            let (db, mut model) = (database(), BTreeMap::new());
            for round in 0..20_u64 {
                let mut changes = BTreeMap::new();
                for _ in 0..random.below(300) {
                    let value = (random.below(4) > 0).then(|| vec![round as u8; random.below(100) as usize]);
                    changes.insert(format!("scattered\0{:03}", random.below(1000)).into_bytes(), value);
                }
                for n in 0..random.below(300) {
                    let key = format!("in-order\0{round:03}{n:03}").into_bytes();
                    changes.insert(key, (random.below(50) > 0).then(|| vec![1; 600]));
                }
                for n in 0..random.below(3) {
                    changes.insert(format!("{n}\0{round}").into_bytes(), Some(vec![]));
                }
                let mut settlement = Settlement::begin(&db).unwrap();
                let borrowed = changes.iter().map(|(key, value)| (&key[..], value.as_deref()));
                settlement.take_up(borrowed).unwrap();
                settlement.finish(round).unwrap();
                for (key, value) in changes {
                    match value {
                        Some(value) => drop(model.insert(key, value)),
                        None => drop(model.remove(&key)),
                    }
                }
                let mut found = BTreeMap::new();
                let settled = Settled::read(&db).unwrap();
                let walked = settled.walk(&[], &[0xff], false, &mut |key, value| {
                    found.insert(key.to_vec(), value.to_vec());
                    std::ops::ControlFlow::Continue(())
                });
                walked.unwrap();
                assert_eq!(found, model, "seed {seed}, round {round}");
            }
        }
    }

    #[test]
    fn keys_in_no_order_are_rarely_looked_beside() {
        let mut lookout = Lookout::default();
        let mut looks = |table: &str, keys: usize, beside: usize| {
            let mut looks = 0;
            for n in 0..keys {
                if lookout.is_worth_it(format!("{table}\0{n}").as_bytes()) {
                    looks += 1;
                    lookout.found(beside);
                }
            }
            looks
        };
        assert_eq!(looks("in-order", 10, 400), 10, "each found many");
        let scattered = looks("scattered", 4096, 0);
        assert!((1..16).contains(&scattered), "{scattered}");
        assert_eq!(looks("also-in-order", 10, 400), 10, "another table");
    }
}
