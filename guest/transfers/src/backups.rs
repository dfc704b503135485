//! Adding backups and their folders.

use stowage_sdk::rows::{BACKUP_FOLDERS, BackupFolder};
use stowage_sdk::{Blobs, Context, Error, Writer, folder_name, is_identity};

use crate::bindings::backups as api;
use crate::blob::{Blob, Place};
use crate::parameters::non_empty;
use crate::row::{Fields, Platform, write_backup};

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
    if unique.as_deref().is_some_and(|unique| !is_identity(unique)) {
        return Err(Error::parameter("unique", "1 to 480 bytes without NUL"));
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
    Writer::scope(ctx, Blobs::Keep, |writer| writer.put(&BACKUP_FOLDERS, &folder));
    ctx.put_row(BACKUP_FOLDERS.name, &folder.unique, &folder.cloud_fields());
    Ok(stowage_backups::folder_to_api(ctx, folder))
}

/// The deepest nesting of folders that is followed.
const MAX_DEPTH: usize = 1000;

/// Whether a folder is another one or below it. The space may contain folders that are in each
/// other, so the walk is bounded.
fn is_below(ctx: &dyn Context, folder: &str, other: &str) -> bool {
    let mut folder = folder.to_owned();
    for _ in 0..MAX_DEPTH {
        if folder == other {
            return true;
        }
        match BACKUP_FOLDERS.get(ctx, &folder) {
            Some(found) => folder = found.parent,
            None => return false,
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
    blob.check_room(ctx)?;
    write_backup(ctx, fields, blob).map(stowage_backups::file_to_api)
}
