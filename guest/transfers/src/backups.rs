//! Adding backups and their folders.

use std::collections::BTreeSet;

use stowage_sdk::rows::{BACKUP_FOLDERS, BackupFolder};
use stowage_sdk::{Context, Error, folder_name};

use crate::bindings::backups as api;
use crate::blob::{Blob, Place};
use crate::fields::{Fields, Platform};
use crate::parameters::{check_identity, non_empty};
use crate::row::{write_backup, write_row};

/// Adds a folder and returns its row.
///
/// # Errors
/// 600 a bad name or `unique`, 60000 no such parent.
pub fn add_folder(
    ctx: &dyn Context,
    name: &str,
    parent: Option<String>,
    unique: Option<String>,
    time: Option<i64>,
) -> Result<api::BackupFolder, Error> {
    let name = folder_name("name", name)?.to_owned();
    let parent = non_empty(parent).unwrap_or_default();
    let unique = non_empty(unique);
    if let Some(unique) = &unique {
        check_identity("unique", unique)?;
    }
    if !parent.is_empty() && !BACKUP_FOLDERS.contains(ctx, &parent) {
        return Err(Error::no_folder(&parent));
    }
    if let Some(unique) = &unique
        && is_below(ctx, &parent, unique)
    {
        return Err(Error::parameter("parent", "a folder that is not in the folder itself"));
    }
    let folder = BackupFolder {
        unique: unique.unwrap_or_else(|| ctx.new_id()),
        parent,
        name,
        time: time.unwrap_or_else(|| ctx.now_ms().div_euclid(1000)),
    };
    write_row(ctx, &BACKUP_FOLDERS, &folder, folder.cloud_fields(), |_| false)?;
    Ok(stowage_backups::folder_to_api(ctx, folder))
}

/// Whether a folder is another one or below it. The space may contain folders that are in each
/// other, so each one is visited once.
fn is_below(ctx: &dyn Context, folder: &str, other: &str) -> bool {
    let mut visited = BTreeSet::new();
    let mut folder = folder.to_owned();
    while folder != other {
        match BACKUP_FOLDERS.get(ctx, &folder) {
            Some(found) if visited.insert(folder) => folder = found.parent,
            _ => return false,
        }
    }
    true
}

/// Adds a backup file and returns its row.
///
/// # Errors
/// 600 a field is wrong, 60000 no such folder, 60001 no such blob, 700 the space is full.
pub fn add(ctx: &dyn Context, fields: Fields, hash: &str, is_crypt: Option<u32>) -> Result<api::BackupFile, Error> {
    let fields = fields.settled(ctx, Platform::Backup)?;
    let blob = Blob::find(ctx, hash, is_crypt, Place::Space)?;
    blob.check_room(ctx, Platform::Backup, &fields)?;
    write_backup(ctx, fields, blob).map(stowage_backups::file_to_api)
}
