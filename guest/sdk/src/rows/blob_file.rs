//! Files of transfers, found by platform and hash.

use super::{DAPP_FILES, STORAGE_FILES, backups, favorites, identities, temp};
use crate::bindings::transfer::File;
use crate::context::Context;
use crate::hash::is_hash;
use crate::key::Key;
use crate::paging::MAX_PAGE;

/// The file of a transfer, from a row of any collection.
#[derive(Debug, Clone, PartialEq)]
pub struct BlobFile {
    /// Base58 of the SHA-256 of the stored bytes.
    pub hash: String,
    /// Its name, or empty.
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
    /// The file of a platform with this hash. Platforms: 0 message backups, 1 temp files, 2 IM
    /// favourites, 3 cloud storage, 4 DAPP. If several rows have the hash, the first by identity is
    /// used.
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

/// The identities of the rows of a platform with this hash, at most 1000.
pub fn with_hash(ctx: &dyn Context, platform: u32, hash: &str) -> Vec<String> {
    if !is_hash(hash) {
        return Vec::new();
    }
    let listed = |table| identities(ctx, table, &Key::new().text(hash).prefix(), MAX_PAGE);
    let stored = |is_stored: bool| is_stored.then(|| hash.to_owned()).into_iter().collect();
    match platform {
        0 => listed(backups::BACKUPS_BY_HASH),
        1 => listed(temp::TEMP_FILES_BY_HASH),
        2 => listed(favorites::FAVORITES_BY_HASH),
        3 => stored(STORAGE_FILES.contains(ctx, hash)),
        4 => stored(DAPP_FILES.contains(ctx, hash)),
        _ => Vec::new(),
    }
}

impl From<BlobFile> for File {
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
