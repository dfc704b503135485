//! What stored rows imply, for a check of a whole database: index entries, counters, blobs.
//!
//! It is made of the collections themselves, so a check cannot differ from what the modules write.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec;
use crate::collection::Collection;
use crate::derived::BLOBS;
use crate::rows::{
    BACKUP_FOLDERS, BACKUPS, DAPP_FILES, FAVORITE_FOLDERS, FAVORITES, STORAGE_FILES, STORAGE_FOLDERS, TEMP_FILES,
    TEMP_FOLDERS,
};

/// The table of schema versions: a collection → the version of its rows, a MessagePack integer.
pub const SCHEMA: &str = "schema";

/// What one stored row implies.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Implied {
    /// Index entries: table, key, value.
    pub entries: Vec<(&'static str, Vec<u8>, Vec<u8>)>,
    /// Shares of counters: table, key, amount.
    pub counters: Vec<(&'static str, Vec<u8>, i64)>,
}

/// A collection of the built-in modules.
pub trait Audited: Sync {
    /// Its table.
    fn table(&self) -> &'static str;
    /// The version of its rows that this program knows.
    fn version(&self) -> u64;
    /// What a stored row implies. `None` if it is no row of the collection.
    fn implied(&self, key: &[u8], value: &[u8]) -> Option<Implied>;
}

impl<R: Serialize + DeserializeOwned> Audited for Collection<R> {
    fn table(&self) -> &'static str {
        self.name
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn implied(&self, key: &[u8], value: &[u8]) -> Option<Implied> {
        let row: R = codec::decode(value)?;
        if (self.identity)(&row).as_bytes() != key {
            return None;
        }
        let (derived, text) = (self.derived(&row), (self.text)(&row));
        let entries = derived.entries.into_iter().map(|entry| {
            let value = if entry.is_listed { text.clone() } else { Vec::new() };
            (entry.table, entry.key, value)
        });
        let counters = derived.counters.into_iter();
        Some(Implied {
            entries: entries.collect(),
            counters: counters.map(|((table, key), amount)| (table, key, amount)).collect(),
        })
    }
}

/// The collections of the built-in modules.
pub fn collections() -> [&'static dyn Audited; 9] {
    [
        &FAVORITE_FOLDERS,
        &FAVORITES,
        &TEMP_FOLDERS,
        &TEMP_FILES,
        &BACKUP_FOLDERS,
        &BACKUPS,
        &STORAGE_FOLDERS,
        &STORAGE_FILES,
        &DAPP_FILES,
    ]
}

/// A table that follows from rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DerivedTable {
    /// Its name.
    pub name: &'static str,
    /// Whether it holds counters; otherwise it is an index.
    pub is_counters: bool,
    /// The collections whose rows it follows from.
    pub of: &'static [&'static str],
    /// What it is for.
    pub meaning: &'static str,
}

/// The tables that follow from the rows of [`collections`], and nothing else writes.
pub const DERIVED_TABLES: [DerivedTable; 24] = [
    index(
        "favorite-folders-by-time",
        &["favorite-folders"],
        "folders of favourites by time",
    ),
    index(
        "favorite-folders-by-name",
        &["favorite-folders"],
        "folders of favourites by name",
    ),
    index("favorites-by-folder", &["favorites"], "favourites of a folder by time"),
    index(
        "favorites-by-kind",
        &["favorites"],
        "favourites of a folder by kind and time",
    ),
    index(
        "favorites-by-hash",
        &["favorites"],
        "favourites by the hash of their file",
    ),
    index(
        "temp-folders-by-time",
        &["temp-folders"],
        "conversations with temp files by time",
    ),
    index(
        "temp-files-by-folder",
        &["temp-files"],
        "temp files of a conversation by time",
    ),
    index(
        "temp-files-by-kind",
        &["temp-files"],
        "temp files of a conversation by kind and time",
    ),
    index("temp-files-by-time", &["temp-files"], "temp files by time"),
    index("temp-files-by-hash", &["temp-files"], "temp files by hash"),
    counters(
        "temp-folder-totals",
        &["temp-files"],
        "files and bytes of a conversation",
    ),
    index(
        "backup-folders-by-time",
        &["backup-folders"],
        "folders of chat backups by time",
    ),
    index(
        "backup-folders-by-parent",
        &["backup-folders"],
        "folders of chat backups by parent and time",
    ),
    index("backups-by-folder", &["backups"], "chat backups of a folder by time"),
    index("backups-by-time", &["backups"], "chat backups by time"),
    index("backups-by-hash", &["backups"], "chat backups by hash"),
    counters(
        "backup-folder-totals",
        &["backups"],
        "bytes and messages of a folder of chat backups",
    ),
    index(
        "storage-folders-by-path",
        &["storage-folders"],
        "folders of the cloud storage by path and time",
    ),
    index(
        "storage-folders-by-name",
        &["storage-folders"],
        "folders of the cloud storage by path and name",
    ),
    index(
        "storage-files-by-path",
        &["storage-files"],
        "files of the cloud storage by path and time",
    ),
    index(
        "storage-files-by-kind",
        &["storage-files"],
        "files of the cloud storage by path, kind and time",
    ),
    index(
        "storage-files-by-name",
        &["storage-files"],
        "files of the cloud storage by path and name",
    ),
    counters("totals", WITH_BLOBS, "bytes of all files of a collection"),
    counters(BLOBS, WITH_BLOBS, "rows that name a blob"),
];

/// The collections whose rows name blobs.
const WITH_BLOBS: &[&str] = &["favorites", "temp-files", "backups", "storage-files", "dapp-files"];

const fn index(name: &'static str, of: &'static [&'static str], meaning: &'static str) -> DerivedTable {
    DerivedTable {
        name,
        is_counters: false,
        of,
        meaning,
    }
}

const fn counters(name: &'static str, of: &'static [&'static str], meaning: &'static str) -> DerivedTable {
    DerivedTable {
        name,
        is_counters: true,
        of,
        meaning,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{Blobs, MemoryContext, Writer, rows};

    /// One row of each collection.
    fn filled() -> MemoryContext {
        let ctx = MemoryContext::new();
        let (id, hash) = ("id".to_owned(), crate::base58_sha256(&["x"]));
        Writer::scope(&ctx, Blobs::Keep, |writer| {
            let folder = rows::FavoriteFolder {
                id: id.clone(),
                name: "n".to_owned(),
                time: 1,
            };
            assert!(writer.put(&FAVORITE_FOLDERS, &folder));
            let favorite = rows::Favorite {
                unique: id.clone(),
                folder: id.clone(),
                hash: hash.clone(),
                size: 7,
                ..rows::Favorite::default()
            };
            assert!(writer.put(&FAVORITES, &favorite));
            let folder = rows::TempFolder {
                unique: id.clone(),
                ..rows::TempFolder::default()
            };
            assert!(writer.put(&TEMP_FOLDERS, &folder));
            let file = rows::TempFile {
                unique: id.clone(),
                parent: id.clone(),
                hash: hash.clone(),
                size: 7,
                ..rows::TempFile::default()
            };
            assert!(writer.put(&TEMP_FILES, &file));
            let folder = rows::BackupFolder {
                unique: id.clone(),
                ..rows::BackupFolder::default()
            };
            assert!(writer.put(&BACKUP_FOLDERS, &folder));
            let backup = rows::Backup {
                unique: id.clone(),
                parent: id.clone(),
                hash: hash.clone(),
                size: 7,
                message_num: 3,
                ..rows::Backup::default()
            };
            assert!(writer.put(&BACKUPS, &backup));
            let folder = rows::StorageFolder {
                id: id.clone(),
                name: "n".to_owned(),
                ..rows::StorageFolder::default()
            };
            assert!(writer.put(&STORAGE_FOLDERS, &folder));
            let file = rows::StoredFile {
                hash: hash.clone(),
                name: "n".to_owned(),
                size: 7,
                ..rows::StoredFile::default()
            };
            assert!(writer.put(&STORAGE_FILES, &file));
            assert!(writer.put(&DAPP_FILES, &file));
        });
        ctx
    }

    #[test]
    fn what_the_rows_imply_is_exactly_what_the_modules_have_written() {
        let ctx = filled();
        let mut tables = BTreeSet::new();
        for collection in collections() {
            let key = ctx.keys(collection.table()).pop().expect("each collection has a row");
            let value = crate::Context::get(&ctx, collection.table(), &key).expect("the key exists");
            let implied = collection.implied(&key, &value).expect("a row");
            for (table, key, value) in implied.entries {
                assert_eq!(crate::Context::get(&ctx, table, &key), Some(value), "{table}");
                tables.insert(table);
            }
            for (table, key, amount) in implied.counters {
                assert!(crate::Context::counter(&ctx, table, &key) >= amount, "{table}");
                tables.insert(table);
            }
            assert_eq!(collection.implied(b"other", &value), None, "the identity is another");
            assert_eq!(collection.implied(&key, b"\xc1"), None);
        }
        let listed: BTreeSet<_> = DERIVED_TABLES.iter().map(|table| table.name).collect();
        assert_eq!(listed, tables);
    }
}
