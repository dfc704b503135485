//! New rows, and how they are written.

use serde::Serialize;
use serde::de::DeserializeOwned;
use stowage_sdk::bindings::cloud::Field;
use stowage_sdk::rows::{
    BACKUPS, Backup, DEFAULT_FOLDER_ID, FAVORITES, Favorite, STORAGE_FILES, StoredFile, TEMP_FILES, TEMP_FOLDERS,
    TempFile, TempFolder, boolean, default_folder,
};
use stowage_sdk::{Blobs, Collection, Context, Error, Kind, Writer, capped_count, capped_size, dotted_extension};

use crate::blob::Blob;
use crate::fields::{Fields, Platform};

/// The extension of a temp file without an extension.
const OTHER: &str = ".other";

/// Writes a row, here and in the space. An equal row is not written again. The blob of the row that
/// it replaces goes if no other row names it.
///
/// # Errors
/// 600 if the row is too large to be stored.
pub(crate) fn write_row<R: Serialize + DeserializeOwned + PartialEq>(
    ctx: &dyn Context,
    collection: &Collection<R>,
    row: &R,
    space_fields: Vec<Field>,
    is_protected: fn(&R) -> bool,
) -> Result<(), Error> {
    let identity = (collection.identity)(row);
    let before = collection.get(ctx, identity);
    if before.as_ref() == Some(row) {
        return Ok(());
    }
    let mut fields = space_fields;
    // The space keeps a field that is not named.
    if before.is_some_and(|before| is_protected(&before)) && !is_protected(row) {
        fields.push(boolean("protected", false));
    }
    // The row is put into the space before the end of the scope asks it to delete the old blob.
    let is_kept = Writer::scope(ctx, Blobs::Release, |writer| {
        let is_kept = writer.put(collection, row);
        if is_kept {
            ctx.put_row(collection.name, identity, &fields);
        }
        is_kept
    });
    if is_kept {
        Ok(())
    } else {
        Err(Error::parameter("msgContent", "a row of at most 1 MiB in all"))
    }
}

/// Writes a favourite, here and in the space.
///
/// # Errors
/// 600 if the row is too large to be stored.
pub(crate) fn write_favorite(ctx: &dyn Context, fields: Fields, blob: Blob) -> Result<Favorite, Error> {
    let folder = fields.folder(Platform::Favorite);
    if folder == DEFAULT_FOLDER_ID {
        default_folder(ctx);
    }
    let msg_content = fields.msg_content.unwrap_or_default();
    let name = fields.name.unwrap_or_default();
    let favorite = Favorite {
        kind: Kind::of(&msg_content, &name, "") as u8,
        unique: fields.unique.unwrap_or_default(),
        folder,
        msg_id: fields.msg_id.unwrap_or_default(),
        msg_content,
        msg_type: fields.msg_type.unwrap_or_default(),
        hash: blob.hash,
        name,
        size: capped_size(Some(blob.size)),
        time: fields.time.unwrap_or_default(),
        node_address: fields.node_address.unwrap_or_default(),
        origin_nickname: fields.origin_nickname.unwrap_or_default(),
        protected: blob.protected,
    };
    write_row(ctx, &FAVORITES, &favorite, favorite.cloud_fields(), |row| row.protected)?;
    Ok(favorite)
}

/// Writes a temp file, and its conversation if there is none, here and in the space.
///
/// # Errors
/// 600 if the row is too large to be stored.
pub(crate) fn write_temp_file(ctx: &dyn Context, fields: Fields, blob: Blob) -> Result<TempFile, Error> {
    let parent = fields.parent.clone().unwrap_or_default();
    let time = fields.time.unwrap_or_default();
    if !TEMP_FOLDERS.contains(ctx, &parent) {
        let folder = TempFolder {
            unique: parent.clone(),
            node_address: fields.node_address.unwrap_or_default(),
            r#type: fields.r#type.unwrap_or_default(),
            time,
        };
        write_row(ctx, &TEMP_FOLDERS, &folder, folder.cloud_fields(), |_| false)?;
    }
    let msg_content = fields.msg_content.unwrap_or_default();
    let name = fields.name.unwrap_or_default();
    let ext = fields
        .ext
        .or_else(|| Some(dotted_extension(&name)).filter(|ext| !ext.is_empty()))
        .unwrap_or_else(|| OTHER.to_owned());
    let file = TempFile {
        kind: Kind::of(&msg_content, &name, &ext) as u8,
        unique: fields.unique.unwrap_or_default(),
        parent,
        hash: blob.hash,
        msg_id: fields.msg_id.unwrap_or_default(),
        msg_content,
        msg_type: fields.msg_type.unwrap_or_default(),
        ext,
        size: capped_size(Some(blob.size)),
        name,
        time,
        protected: blob.protected,
    };
    write_row(ctx, &TEMP_FILES, &file, file.cloud_fields(), |row| row.protected)?;
    Ok(file)
}

/// Writes a backup, here and in the space.
///
/// # Errors
/// 600 if the row is too large to be stored.
pub(crate) fn write_backup(ctx: &dyn Context, fields: Fields, blob: Blob) -> Result<Backup, Error> {
    let messages = fields.message_num.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
    let backup = Backup {
        unique: fields.unique.unwrap_or_default(),
        hash: blob.hash,
        parent: fields.parent.unwrap_or_default(),
        node_id: fields.node_id.unwrap_or_default(),
        r#type: fields.r#type.unwrap_or_default(),
        name: fields.name.unwrap_or_default(),
        time: fields.time.unwrap_or_default(),
        size: capped_size(Some(blob.size)),
        message_num: capped_count(messages),
        nickname: fields.nickname.unwrap_or_default(),
        domain_name: fields.domain_name.unwrap_or_default(),
        protected: blob.protected,
    };
    write_row(ctx, &BACKUPS, &backup, backup.cloud_fields(), |row| row.protected)?;
    Ok(backup)
}

/// Writes a file of the cloud storage, here and in the space. The same bytes are one file: a known
/// one gets the new name and place, and keeps its thumbnail if there is no new one.
///
/// # Errors
/// 600 if the row is too large to be stored.
pub(crate) fn write_stored(ctx: &dyn Context, fields: Fields, blob: Blob) -> Result<StoredFile, Error> {
    let name = fields.name.unwrap_or_default();
    let ext = fields.ext.unwrap_or_else(|| dotted_extension(&name));
    let thumb = fields
        .thumb
        .or_else(|| STORAGE_FILES.get(ctx, &blob.hash).map(|known| known.thumb))
        .unwrap_or_default();
    let file = StoredFile {
        kind: Kind::of("", &name, &ext) as u8,
        hash: blob.hash,
        size: capped_size(Some(blob.size)),
        time: fields.time.unwrap_or_default(),
        path: fields.storage_path.unwrap_or_default(),
        ext,
        name,
        thumb,
        protected: blob.protected,
    };
    write_row(ctx, &STORAGE_FILES, &file, file.cloud_fields(), |row| row.protected)?;
    Ok(file)
}

/// Writes the row of a platform.
///
/// # Errors
/// 600 if the row is too large to be stored.
pub(crate) fn write(ctx: &dyn Context, platform: Platform, fields: Fields, blob: Blob) -> Result<(), Error> {
    match platform {
        Platform::Backup => write_backup(ctx, fields, blob).map(drop),
        Platform::Temp => write_temp_file(ctx, fields, blob).map(drop),
        Platform::Favorite => write_favorite(ctx, fields, blob).map(drop),
        Platform::Storage => write_stored(ctx, fields, blob).map(drop),
    }
}
