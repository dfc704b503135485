//! Rows of the cloud storage and of DAPPs in the space.

use stowage_sdk::rows::{DAPP_FILES, STORAGE_FILES, STORAGE_FOLDERS, StorageFolder, StoredFile};
use stowage_sdk::{Context, Kind, capped_size};

use crate::bindings::{dapp_files, storage_files, storage_folders};

/// Applies changes of cloud storage folders in the space. What is in a removed folder stays until
/// the space removes it too.
pub fn apply_storage_folders(ctx: &dyn Context, upserts: Vec<storage_folders::Row>, removals: &[String]) {
    let rows = upserts.into_iter().map(|row| StorageFolder {
        id: row.id,
        name: row.name.unwrap_or_default(),
        time: row.time.unwrap_or_default(),
        path: row.path.unwrap_or_default(),
    });
    STORAGE_FOLDERS.apply(ctx, rows, removals);
}

/// Applies changes of cloud storage files in the space.
pub fn apply_storage_files(ctx: &dyn Context, upserts: Vec<storage_files::Row>, removals: &[String]) {
    STORAGE_FILES.apply(ctx, upserts.into_iter().map(StoredFile::from), removals);
}

/// Applies changes of DAPP files in the space.
pub fn apply_dapp_files(ctx: &dyn Context, upserts: Vec<dapp_files::Row>, removals: &[String]) {
    DAPP_FILES.apply(ctx, upserts.into_iter().map(StoredFile::from), removals);
}

impl From<storage_files::Row> for StoredFile {
    fn from(row: storage_files::Row) -> Self {
        let name = row.name.unwrap_or_default();
        let ext = row.ext.unwrap_or_default();
        Self {
            kind: Kind::of("", &name, &ext) as u8,
            hash: row.hash,
            name,
            size: capped_size(row.size),
            time: row.time.unwrap_or_default(),
            path: row.path.unwrap_or_default(),
            ext,
            thumb: row.thumb.unwrap_or_default(),
            protected: row.protected.unwrap_or_default(),
        }
    }
}

impl From<dapp_files::Row> for StoredFile {
    fn from(row: dapp_files::Row) -> Self {
        let dapp_files::Row {
            hash,
            name,
            size,
            time,
            path,
            ext,
            thumb,
            protected,
        } = row;
        // The rows of both collections have the same fields, but each interface has its own type.
        storage_files::Row {
            hash,
            name,
            size,
            time,
            path,
            ext,
            thumb,
            protected,
        }
        .into()
    }
}
