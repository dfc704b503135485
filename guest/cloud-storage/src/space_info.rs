//! How the space is used.

use stowage_sdk::rows::{BACKUPS, DAPP_FILES, FAVORITES, STORAGE_FILES, TEMP_FILES, total_bytes};
use stowage_sdk::{Context, size_text};

use crate::bindings::api;

/// Used bytes of the space by collection. They are read from five counters, however many files
/// exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Cloud storage files.
    pub storage: u64,
    /// Favourites.
    pub favorites: u64,
    /// Chat backups.
    pub backups: u64,
    /// DAPP files.
    pub dapp: u64,
    /// Local temp files.
    pub temp_files: u64,
    /// The whole space.
    pub total: u64,
}

impl Usage {
    /// The current usage.
    pub fn now(ctx: &dyn Context) -> Self {
        Self {
            storage: total_bytes(ctx, &STORAGE_FILES),
            favorites: total_bytes(ctx, &FAVORITES),
            backups: total_bytes(ctx, &BACKUPS),
            dapp: total_bytes(ctx, &DAPP_FILES),
            temp_files: total_bytes(ctx, &TEMP_FILES),
            total: ctx.total_bytes(),
        }
    }

    /// The bytes of all files.
    pub fn occupied(&self) -> u64 {
        [self.storage, self.favorites, self.backups, self.dapp, self.temp_files]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    /// The bytes that are left, never below 0.
    pub fn remaining(&self) -> u64 {
        self.total.saturating_sub(self.occupied())
    }

    /// The percentage of the whole space, rounded up. In a space of 0 bytes, any use is 100
    /// percent.
    fn scale(&self, bytes: u64) -> f64 {
        if bytes == 0 {
            return 0.0;
        }
        if self.total == 0 {
            return 100.0;
        }
        (u128::from(bytes) * 100).div_ceil(u128::from(self.total)) as f64
    }
}

/// The answer of `getStorageSpaceInfo`.
pub fn space_info(ctx: &dyn Context) -> api::SpaceInfo {
    let usage = Usage::now(ctx);
    let storage_scale = usage.scale(usage.storage);
    let collect_scale = usage.scale(usage.favorites);
    let backups_scale = usage.scale(usage.backups);
    api::SpaceInfo {
        storage_size: size_text(usage.storage),
        storage_scale,
        collect_size: size_text(usage.favorites),
        collect_scale,
        backups_size: size_text(usage.backups),
        backups_scale,
        dapp_size: size_text(usage.dapp),
        temp_files_size: size_text(usage.temp_files),
        occupy_size: size_text(usage.occupied()),
        remaining_size: size_text(usage.remaining()),
        total_size: size_text(usage.total),
        remaining_scale: (100.0 - (storage_scale + collect_scale + backups_scale)).max(0.0),
    }
}
