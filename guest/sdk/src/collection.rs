//! Collections: rows with their secondary indexes and counters, changed together.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec;
use crate::context::Context;
use crate::key::{MAX_KEY_BYTES, is_identity};

/// The most bytes of a row's value. A row that needs more is not kept: a larger one, with its index entries, could exceed what the
/// storage takes, and would stop every sync after it.
pub const MAX_ROW_BYTES: usize = 4 << 20;

/// The table of references to blobs: a counter a hash.
const BLOBS: &str = "blobs";

/// The table of schema versions: a MessagePack integer a collection.
const SCHEMA: &str = "schema";

/// What follows from a row: its entries in index tables, and what it adds to counters.
///
/// It must be a function of the stored row alone, so that removing the row takes away exactly what adding it added.
#[derive(Debug, Default)]
pub struct Derived {
    entries: Vec<IndexEntry>,
    counters: Vec<(Counter, i64)>,
}

/// An entry of an index table.
#[derive(Debug)]
struct IndexEntry {
    table: &'static str,
    key: Vec<u8>,
    /// Whether its value is the row's text; otherwise it is empty.
    is_listed: bool,
}

impl IndexEntry {
    fn is_among(&self, entries: &[IndexEntry]) -> bool {
        entries
            .iter()
            .any(|entry| (entry.table, &entry.key) == (self.table, &self.key))
    }
}

/// A counter: its table and its key.
type Counter = (&'static str, Vec<u8>);

impl Derived {
    /// An index entry whose value is the row's text.
    pub fn listed(&mut self, table: &'static str, key: Vec<u8>) {
        self.entries.push(IndexEntry {
            table,
            key,
            is_listed: true,
        });
    }

    /// An index entry without a value.
    pub fn indexed(&mut self, table: &'static str, key: Vec<u8>) {
        self.entries.push(IndexEntry {
            table,
            key,
            is_listed: false,
        });
    }

    /// What the row adds to a counter.
    pub fn counted(&mut self, table: &'static str, key: Vec<u8>, amount: i64) {
        self.counters.push(((table, key), amount));
    }

    /// The row refers to a blob. `hash` must be one ([`is_hash`](crate::is_hash)).
    pub fn refers(&mut self, hash: &str) {
        self.counted(BLOBS, hash.as_bytes().to_vec(), 1);
    }

    fn fits(&self) -> bool {
        let entries = self.entries.iter().map(|entry| &entry.key);
        let counters = self.counters.iter().map(|((_, key), _)| key);
        entries
            .chain(counters)
            .all(|key| (1..=MAX_KEY_BYTES).contains(&key.len()))
    }
}

/// A typed table of rows, each under its identity.
#[derive(Debug)]
pub struct Collection<R> {
    /// The table, and the collection of the space.
    pub name: &'static str,
    /// The version of the rows' form, recorded in the table `schema`.
    pub version: u64,
    /// A row's identity.
    pub identity: fn(&R) -> &str,
    /// What follows from a row.
    pub derive: fn(&R, &mut Derived),
    /// What a row is found by, in the form of [`searchable`](crate::searchable), or what a list shows of it.
    pub text: fn(&R) -> Vec<u8>,
}

impl<R: Serialize + DeserializeOwned> Collection<R> {
    /// The row with this identity. One that cannot be read counts as absent.
    pub fn get(&self, ctx: &dyn Context, identity: &str) -> Option<R> {
        self.value(ctx, identity).and_then(|value| codec::decode(&value))
    }

    /// The rows with these identities, in their order, without those that are absent.
    pub fn get_all(&self, ctx: &dyn Context, identities: &[String]) -> Vec<R> {
        let mut rows = Vec::with_capacity(identities.len());
        // What the storage gives at a time is copied into this module; a thousand rows are a page.
        for part in identities.chunks(1000) {
            let keys: Vec<_> = part.iter().map(|identity| identity.as_bytes().to_vec()).collect();
            rows.extend(
                ctx.get_many(self.name, &keys)
                    .into_iter()
                    .flatten()
                    .filter_map(|value| codec::decode::<R>(&value)),
            );
        }
        rows
    }

    /// Whether there is a row with this identity.
    pub fn contains(&self, ctx: &dyn Context, identity: &str) -> bool {
        self.value(ctx, identity).is_some()
    }

    /// Takes over rows that the space has and drops those it no longer has. A row in both stays: it has moved between
    /// segments. A row that cannot be kept counts as dropped.
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
            // Of a row named twice the last one stays.
            for row in &upserts {
                if !writer.put(self, row) {
                    writer.remove(self, (self.identity)(row));
                }
            }
        });
    }

    fn value(&self, ctx: &dyn Context, identity: &str) -> Option<Vec<u8>> {
        if is_identity(identity) {
            ctx.get(self.name, identity.as_bytes())
        } else {
            None
        }
    }

    fn derived(&self, row: &R) -> Derived {
        let mut derived = Derived::default();
        (self.derive)(row, &mut derived);
        derived
    }
}

/// What becomes of the blobs whose last reference a change takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blobs {
    /// They stay: whoever changed the space looks after them.
    Keep,
    /// They leave the cloud.
    Release,
}

/// Changes rows, their indexes and the counters. Counters are added to once, at the end of the scope.
pub struct Writer<'a> {
    ctx: &'a dyn Context,
    counters: BTreeMap<Counter, i64>,
    recorded: Vec<&'static str>,
}

impl<'a> Writer<'a> {
    /// Runs `change` and then adds up the counters. Where it returns an error the host discards what it wrote.
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

    /// Sets a row, and says whether it could be kept: its identity has 1 to 480 bytes, its keys fit, its value has at most
    /// [`MAX_ROW_BYTES`]. A row that is there already, equal to the last byte, is left alone.
    pub fn put<R: Serialize + DeserializeOwned>(&mut self, collection: &Collection<R>, row: &R) -> bool {
        let before = collection.value(self.ctx, (collection.identity)(row));
        self.replace(collection, row, before)
    }

    /// [`Writer::put`] of a row whose identity was made for it in this call, so that none can be there.
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

    /// Removes a row with all that follows from it, and returns it where it was there and could be read.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::MAX_IDENTITY_BYTES;
    use crate::memory::{Effect, MemoryContext};
    use crate::rows::{
        BACKUPS, BACKUPS_BY_FOLDER, Backup, STORAGE_FILES, StoredFile, TEMP_FILES, TempFile, TempTotals, total_bytes,
    };

    fn hash(of: &str) -> String {
        crate::base58_sha256(&[of])
    }

    fn file(unique: &str, parent: &str, size: u64) -> TempFile {
        let name = format!("{unique}.JPG");
        TempFile {
            unique: unique.to_owned(),
            parent: parent.to_owned(),
            hash: hash(unique),
            size,
            name,
            time: 5,
            ..TempFile::default()
        }
    }

    fn put(ctx: &dyn Context, row: &TempFile) -> bool {
        Writer::scope(ctx, Blobs::Keep, |writer| writer.put(&TEMP_FILES, row))
    }

    fn remove(ctx: &dyn Context, unique: &str) {
        Writer::scope(ctx, Blobs::Release, |writer| writer.remove(&TEMP_FILES, unique));
    }

    fn without_schema(ctx: &MemoryContext) -> Vec<String> {
        ctx.dump()
            .into_iter()
            .filter(|line| !line.starts_with("schema "))
            .collect()
    }

    #[test]
    fn removing_a_row_takes_away_exactly_what_adding_it_added() {
        let ctx = MemoryContext::new();
        assert!(put(&ctx, &file("a", "p", 100)));
        let with_one = ctx.dump();
        assert!(put(&ctx, &file("b", "p", 7)));
        assert_eq!(total_bytes(&ctx, &TEMP_FILES), 107);
        assert_eq!(TempTotals::of(&ctx, "p"), TempTotals { files: 2, bytes: 107 });
        remove(&ctx, "b");
        assert_eq!(ctx.dump(), with_one);
        remove(&ctx, "a");
        remove(&ctx, "a");
        assert_eq!(without_schema(&ctx), Vec::<String>::new());
    }

    #[test]
    fn a_changed_row_moves_its_entries_and_its_share_of_the_counters() {
        let ctx = MemoryContext::new();
        put(&ctx, &file("a", "p", 100));
        put(
            &ctx,
            &TempFile {
                time: -3,
                kind: 2,
                hash: hash("z"),
                ..file("a", "q", 40)
            },
        );
        let fresh = MemoryContext::new();
        put(
            &fresh,
            &TempFile {
                time: -3,
                kind: 2,
                hash: hash("z"),
                ..file("a", "q", 40)
            },
        );
        assert_eq!(ctx.dump(), fresh.dump());
    }

    #[test]
    fn the_same_row_again_writes_nothing() {
        let ctx = MemoryContext::new();
        put(&ctx, &file("a", "p", 100));
        ctx.take_costs();
        assert!(put(&ctx, &file("a", "p", 100)));
        assert_eq!(ctx.take_costs(), (1, 0), "one look at the row there is");
    }

    #[test]
    fn a_new_name_reaches_the_searchable_text() {
        let ctx = MemoryContext::new();
        put(&ctx, &file("a", "p", 1));
        put(
            &ctx,
            &TempFile {
                name: "Neu.png".to_owned(),
                ..file("a", "p", 1)
            },
        );
        assert!(
            ctx.dump()
                .iter()
                .any(|line| line.starts_with("temp-files-by-time ") && line.ends_with("neu.png"))
        );
        assert!(!ctx.dump().iter().any(|line| line.ends_with("a.jpg")));
    }

    #[test]
    fn what_another_version_of_the_module_stored_in_a_row_survives() {
        #[derive(serde::Serialize)]
        struct Newer {
            unique: &'static str,
            name: &'static str,
            colour: &'static str,
        }
        let ctx = MemoryContext::new();
        let newer = Newer {
            unique: "a",
            name: "old",
            colour: "红",
        };
        ctx.put("temp-files", b"a", &codec::encode(&newer, None));
        put(&ctx, &file("a", "p", 1));
        assert!(
            ctx.get("temp-files", b"a")
                .is_some_and(|value| value.windows(3).any(|part| part == "红".as_bytes()))
        );
        assert_eq!(TEMP_FILES.get(&ctx, "a"), Some(file("a", "p", 1)));
    }

    #[test]
    fn a_row_that_cannot_be_kept_is_left_out_and_never_traps() {
        let ctx = MemoryContext::new();
        let long = "x".repeat(MAX_IDENTITY_BYTES + 1);
        for row in [
            file("", "p", 1),
            file(&long, "p", 1),
            file("a", &"p".repeat(1024), 1),
            file("a", &"p".repeat(70_000), 1),
            TempFile {
                msg_content: "m".repeat(MAX_ROW_BYTES),
                ..file("a", "p", 1)
            },
        ] {
            assert!(!put(&ctx, &row));
        }
        assert!(ctx.is_empty());
        let longest = "图".repeat(MAX_IDENTITY_BYTES / 3);
        assert!(put(&ctx, &file(&longest, &longest, 1)));
        assert!(TEMP_FILES.contains(&ctx, &longest));
        assert!(TEMP_FILES.get(&ctx, &long).is_none());
        assert!(TEMP_FILES.get(&ctx, "").is_none());
    }

    #[test]
    fn the_largest_row_is_within_what_the_storage_takes() {
        let ctx = MemoryContext::new();
        // Folding this character makes two bytes three.
        let text = format!("{{\"text\":\"{}\"}}", "Ⱥ".repeat(MAX_ROW_BYTES / 2 - 500));
        assert!(put(
            &ctx,
            &TempFile {
                msg_content: text,
                ..file("a", "p", 1)
            }
        ));
    }

    #[test]
    fn a_row_that_no_longer_can_be_kept_goes() {
        let ctx = MemoryContext::new();
        TEMP_FILES.apply(&ctx, [file("a", "p", 1)], &[]);
        TEMP_FILES.apply(&ctx, [file("a", &"p".repeat(1024), 1)], &[]);
        assert_eq!(without_schema(&ctx), Vec::<String>::new());
    }

    #[test]
    fn a_batch_may_name_a_row_twice_and_a_row_that_moved_stays() {
        let ctx = MemoryContext::new();
        TEMP_FILES.apply(
            &ctx,
            [file("a", "p", 1), file("a", "p", 2)],
            &["a".to_owned(), "b".to_owned()],
        );
        assert_eq!(TempTotals::of(&ctx, "p"), TempTotals { files: 1, bytes: 2 });
        let once = ctx.dump();
        TEMP_FILES.apply(&ctx, [file("a", "p", 2)], &["b".to_owned()]);
        assert_eq!(ctx.dump(), once);
    }

    #[test]
    fn a_blob_goes_with_its_last_reference_of_any_kind() {
        let ctx = MemoryContext::new();
        let backup = Backup {
            unique: "b".to_owned(),
            hash: hash("a"),
            ..Backup::default()
        };
        let stored = StoredFile {
            hash: hash("a"),
            ..StoredFile::default()
        };
        put(&ctx, &file("a", "p", 1));
        BACKUPS.apply(&ctx, [backup], &[]);
        STORAGE_FILES.apply(&ctx, [stored], &[]);
        remove(&ctx, "a");
        Writer::scope(&ctx, Blobs::Release, |writer| writer.remove(&BACKUPS, "b"));
        assert_eq!(ctx.take_effects(), []);
        Writer::scope(&ctx, Blobs::Release, |writer| writer.remove(&STORAGE_FILES, &hash("a")));
        assert_eq!(ctx.take_effects(), [Effect::DeleteBlob(hash("a"))]);
    }

    #[test]
    fn only_hashes_are_references() {
        let ctx = MemoryContext::new();
        put(
            &ctx,
            &TempFile {
                hash: "3b5abc1c760a08bf6f635f861e9df1ca".to_owned(),
                ..file("a", "p", 1)
            },
        );
        put(
            &ctx,
            &TempFile {
                hash: String::new(),
                ..file("b", "p", 1)
            },
        );
        assert!(ctx.keys("blobs").is_empty());
        remove(&ctx, "a");
        remove(&ctx, "b");
        assert_eq!(ctx.take_effects(), []);
    }

    #[test]
    fn a_sync_never_releases_blobs() {
        let ctx = MemoryContext::new();
        TEMP_FILES.apply(&ctx, [file("a", "p", 1)], &[]);
        TEMP_FILES.apply(&ctx, [], &["a".to_owned()]);
        assert_eq!(ctx.take_effects(), []);
    }

    #[test]
    fn the_schema_version_is_recorded_and_never_lowered() {
        let ctx = MemoryContext::new();
        put(&ctx, &file("a", "p", 1));
        assert_eq!(ctx.get(SCHEMA, b"temp-files"), Some(vec![1]));
        ctx.put(SCHEMA, b"temp-files", &[9]);
        put(&ctx, &file("b", "p", 1));
        assert_eq!(ctx.get(SCHEMA, b"temp-files"), Some(vec![9]));
    }

    #[test]
    fn a_value_that_is_no_row_counts_as_absent_and_can_be_replaced() {
        let ctx = MemoryContext::new();
        ctx.put("backups", b"b", b"\xc1 not MessagePack");
        assert!(BACKUPS.get(&ctx, "b").is_none());
        assert!(BACKUPS.get_all(&ctx, &["b".to_owned()]).is_empty());
        let backup = Backup {
            unique: "b".to_owned(),
            parent: "p".to_owned(),
            ..Backup::default()
        };
        BACKUPS.apply(&ctx, [backup.clone()], &[]);
        assert_eq!(BACKUPS.get(&ctx, "b"), Some(backup));
        assert_eq!(ctx.keys(BACKUPS_BY_FOLDER).len(), 1);
    }

    #[test]
    fn absurd_sizes_are_counted_and_taken_back() {
        let ctx = MemoryContext::new();
        put(&ctx, &file("a", "p", crate::believed_size(Some(u64::MAX))));
        put(&ctx, &file("b", "p", 5));
        assert_eq!(total_bytes(&ctx, &TEMP_FILES), (1 << 48) + 5);
        remove(&ctx, "a");
        assert_eq!(total_bytes(&ctx, &TEMP_FILES), 5);
    }
}
