//! The stored rows of the collections, with their indexes and totals.
//!
//! Field names are those of the space (camelCase). Sizes are in bytes. The `kind` of a row is
//! stored, so that a later module that computes kinds differently still finds the index entries of
//! an earlier one.

mod backups;
mod blob_file;
mod favorites;
mod stored;
mod temp;

pub use backups::{
    BACKUP_FOLDERS, BACKUP_FOLDERS_BY_PARENT, BACKUP_FOLDERS_BY_TIME, BACKUPS, BACKUPS_BY_FOLDER, BACKUPS_BY_TIME,
    Backup, BackupFolder, BackupTotals,
};
pub use blob_file::{BlobFile, with_hash};
pub use favorites::{
    DEFAULT_FOLDER_ID, DEFAULT_FOLDER_NAME, FAVORITE_FOLDERS, FAVORITE_FOLDERS_BY_TIME, FAVORITES, FAVORITES_BY_FOLDER,
    FAVORITES_BY_KIND, Favorite, FavoriteFolder, default_folder, folders_named,
};
pub use stored::{
    DAPP_FILES, STORAGE_FILES, STORAGE_FILES_BY_KIND, STORAGE_FILES_BY_PATH, STORAGE_FOLDERS, STORAGE_FOLDERS_BY_PATH,
    StorageFolder, StoredFile, migrate_stored_files, storage_files_named, storage_folders_named, storage_path_key,
};
pub use temp::{
    TEMP_FILES, TEMP_FILES_BY_FOLDER, TEMP_FILES_BY_KIND, TEMP_FILES_BY_TIME, TEMP_FOLDERS, TEMP_FOLDERS_BY_TIME,
    TempFile, TempFolder, TempTotals, temp_file_by_hash,
};

use crate::bindings::cloud::{Field, Scalar};
use crate::bindings::storage::{KeyRange, ScanOptions};
use crate::collection::Collection;
use crate::context::Context;
use crate::derived::Derived;
use crate::hash::is_hash;
use crate::key::{Key, prefix_end};

/// The table of total bytes: one counter a collection, under its name.
const TOTALS: &str = "totals";

/// The bytes of all files of a collection.
pub fn total_bytes<R>(ctx: &dyn Context, collection: &Collection<R>) -> u64 {
    count(ctx, TOTALS, collection.name.as_bytes())
}

/// A counter. It is below 0 only if sums of absurd sizes wrapped; then it counts as 0.
fn count(ctx: &dyn Context, table: &str, key: &[u8]) -> u64 {
    u64::try_from(ctx.counter(table, key)).unwrap_or(0)
}

/// A capped size or count as an amount for a counter.
fn amount(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Adds what every row with a blob has: its bytes, its reference, and its entry in the index by
/// hash.
fn derive_blob(
    derived: &mut Derived,
    collection: &'static str,
    by_hash: Option<&'static str>,
    hash: &str,
    identity: &str,
    size: u64,
) {
    derived.counted(TOTALS, collection.as_bytes().to_vec(), amount(size));
    if is_hash(hash) {
        derived.refers(hash);
        if let Some(table) = by_hash {
            derived.indexed(table, Key::new().text(hash).tail(identity));
        }
    }
}

/// The first row with this hash, by identity.
fn first_with_hash<R: serde::Serialize + serde::de::DeserializeOwned>(
    ctx: &dyn Context,
    collection: &Collection<R>,
    by_hash: &str,
    hash: &str,
) -> Option<R> {
    if !is_hash(hash) {
        return None;
    }
    let identities = identities(ctx, by_hash, &Key::new().text(hash).prefix(), 1);
    collection.get(ctx, identities.first()?)
}

/// The first identities in an index, at most `limit`. The keys are `prefix` and an identity.
fn identities(ctx: &dyn Context, table: &str, prefix: &[u8], limit: u32) -> Vec<String> {
    let range = KeyRange {
        end: prefix_end(prefix),
        start: Some(prefix.to_vec()),
    };
    let options = ScanOptions {
        reverse: false,
        skip: 0,
        limit,
        contains: None,
        keys_only: true,
    };
    let identity = |key: &[u8]| std::str::from_utf8(key.get(prefix.len()..)?).ok().map(str::to_owned);
    let page = ctx.scan(table, &range, &options);
    page.entries.iter().filter_map(|entry| identity(&entry.key)).collect()
}

fn text(name: &str, value: &str) -> Field {
    Field {
        name: name.to_owned(),
        value: Scalar::Text(value.to_owned()),
    }
}

fn integer(name: &str, value: i64) -> Field {
    Field {
        name: name.to_owned(),
        value: Scalar::Integer(value),
    }
}

/// A field of a row of the space that holds a truth value.
pub fn boolean(name: &str, value: bool) -> Field {
    Field {
        name: name.to_owned(),
        value: Scalar::Boolean(value),
    }
}
