//! Deleting backups.

use std::collections::BTreeSet;

use stowage_sdk::rows::{BACKUP_FOLDERS, BACKUP_FOLDERS_BY_PARENT, BACKUPS, BACKUPS_BY_FOLDER};
use stowage_sdk::{Blobs, Context, Error, Key, Listing, Writer};

/// Deletes a backup file, or a folder with all its files and sub-folders, here and in the space.
/// Blobs without other references are deleted too.
///
/// # Errors
/// 60000 no such folder, 60001 no such file.
pub fn delete(ctx: &dyn Context, unique: &str, is_folder: bool) -> Result<bool, Error> {
    let exists = if is_folder {
        BACKUP_FOLDERS.contains(ctx, unique)
    } else {
        BACKUPS.contains(ctx, unique)
    };
    if !exists {
        return Err(if is_folder {
            Error::no_folder(unique)
        } else {
            Error::no_file(unique)
        });
    }
    Writer::scope(ctx, Blobs::Release, |writer| {
        if is_folder {
            for folder in with_sub_folders(ctx, unique) {
                for file in Listing::new(BACKUPS_BY_FOLDER, Key::new().text(&folder).prefix()).all(ctx) {
                    delete_file(ctx, writer, &file);
                }
                writer.remove(&BACKUP_FOLDERS, &folder);
                ctx.delete_row(BACKUP_FOLDERS.name, &folder);
            }
        } else {
            delete_file(ctx, writer, unique);
        }
    });
    Ok(true)
}

fn delete_file(ctx: &dyn Context, writer: &mut Writer<'_>, unique: &str) {
    writer.remove(&BACKUPS, unique);
    ctx.delete_row(BACKUPS.name, unique);
}

/// A folder and all folders below it, each once. The space may contain folders that are in each
/// other.
fn with_sub_folders(ctx: &dyn Context, folder: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::from([folder.to_owned()]);
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for child in Listing::new(BACKUP_FOLDERS_BY_PARENT, Key::new().text(&folder).prefix()).all(ctx) {
            if found.insert(child.clone()) {
                open.push(child);
            }
        }
    }
    found
}
