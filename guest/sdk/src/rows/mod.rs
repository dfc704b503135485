//! The rows of the collections, as they are stored, and their indexes and totals.
//!
//! Field names are those of the space (camelCase); sizes are in bytes. What a list filters by (`kind`) is stored with the
//! row, so that a later module that tells kinds differently still finds the entries an earlier one made.

mod backups;
mod favorites;
mod stored;
mod temp;

pub use backups::{
    BACKUP_FOLDERS, BACKUP_FOLDERS_BY_PARENT, BACKUP_FOLDERS_BY_TIME, BACKUPS, BACKUPS_BY_FOLDER, BACKUPS_BY_TIME,
    Backup, BackupFolder, BackupTotals,
};
pub use favorites::{
    DEFAULT_FOLDER_ID, DEFAULT_FOLDER_NAME, FAVORITE_FOLDERS, FAVORITE_FOLDERS_BY_TIME, FAVORITES, FAVORITES_BY_FOLDER,
    FAVORITES_BY_KIND, Favorite, FavoriteFolder, default_folder, folders_named,
};
pub use stored::{DAPP_FILES, STORAGE_FILES, StoredFile};
pub use temp::{
    TEMP_FILES, TEMP_FILES_BY_FOLDER, TEMP_FILES_BY_KIND, TEMP_FILES_BY_TIME, TEMP_FOLDERS, TEMP_FOLDERS_BY_TIME,
    TempFile, TempFolder, TempTotals, temp_file_by_hash,
};

use crate::bindings::cloud::{Field, Scalar};
use crate::bindings::storage::{KeyRange, ScanOptions};
use crate::collection::{Collection, Derived};
use crate::context::Context;
use crate::hash::is_hash;
use crate::key::{Key, prefix_end};

/// The table of bytes a collection: a counter each, under the collection's name.
const TOTALS: &str = "totals";

/// The bytes of all files of a collection.
pub fn total_bytes<R>(ctx: &dyn Context, collection: &Collection<R>) -> u64 {
    count(ctx, TOTALS, collection.name.as_bytes())
}

/// A counter that is never below 0 unless sums of absurd sizes wrapped.
fn count(ctx: &dyn Context, table: &str, key: &[u8]) -> u64 {
    u64::try_from(ctx.counter(table, key)).unwrap_or(0)
}

/// A believed size or count as an amount to count by; believed ones are far below the limit.
fn amount(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What every row with a blob adds: its reference, its place in the index by hash, and its bytes.
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

/// The first row of an index by hash, by identity.
fn first_with_hash<R: serde::Serialize + serde::de::DeserializeOwned>(
    ctx: &dyn Context,
    collection: &Collection<R>,
    by_hash: &str,
    hash: &str,
) -> Option<R> {
    if !is_hash(hash) {
        return None;
    }
    let prefix = Key::new().text(hash).prefix();
    let range = KeyRange {
        end: prefix_end(&prefix),
        start: Some(prefix.clone()),
    };
    let options = ScanOptions {
        reverse: false,
        skip: 0,
        limit: 1,
        contains: None,
        keys_only: true,
    };
    let page = ctx.scan(by_hash, &range, &options);
    let identity = std::str::from_utf8(page.entries.first()?.key.get(prefix.len()..)?)
        .ok()?
        .to_owned();
    collection.get(ctx, &identity)
}

/// What a transfer needs to know of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct BlobFile {
    /// Base58 of the SHA-256 of the stored bytes.
    pub hash: String,
    /// What a person calls it; its hash where it has no name.
    pub name: String,
    /// The extension with its dot, or empty.
    pub ext: String,
    /// The thumbnail's address, or empty.
    pub thumb: String,
    /// Bytes stored.
    pub size: u64,
    /// The folder identifiers that lead to it, or empty.
    pub path: String,
    /// Whether a password protects it.
    pub protected: bool,
}

impl BlobFile {
    /// The file of a platform with this hash: 0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage, 4 DAPP.
    /// Where several rows have it, the first by identity speaks for all.
    pub fn find(ctx: &dyn Context, platform: u32, hash: &str) -> Option<Self> {
        if !is_hash(hash) {
            return None;
        }
        match platform {
            0 => backups::by_hash(ctx, hash).map(Self::from),
            1 => temp::temp_file_by_hash(ctx, hash).map(Self::from),
            2 => favorites::by_hash(ctx, hash).map(Self::from),
            3 => STORAGE_FILES.get(ctx, hash).map(Self::from),
            4 => DAPP_FILES.get(ctx, hash).map(Self::from),
            _ => None,
        }
    }
}

impl From<BlobFile> for crate::bindings::transfer::File {
    fn from(file: BlobFile) -> Self {
        let name = if file.name.is_empty() {
            format!("{}{}", file.hash, file.ext)
        } else {
            file.name
        };
        Self {
            hash: file.hash,
            name,
            ext: file.ext,
            thumb: file.thumb,
            size: file.size,
            path: file.path,
            protected: file.protected,
        }
    }
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

fn boolean(name: &str, value: bool) -> Field {
    Field {
        name: name.to_owned(),
        value: Scalar::Boolean(value),
    }
}
