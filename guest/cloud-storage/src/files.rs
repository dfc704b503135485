//! Rows of the cloud storage and of DAPPs in the space.

use stowage_sdk::rows::{DAPP_FILES, STORAGE_FILES, StoredFile};
use stowage_sdk::{Context, capped_size};

use crate::bindings::{dapp_files, storage_files};

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
        Self {
            hash: row.hash,
            name: row.name.unwrap_or_default(),
            size: capped_size(row.size),
            time: row.time.unwrap_or_default(),
            path: row.path.unwrap_or_default(),
            ext: row.ext.unwrap_or_default(),
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
