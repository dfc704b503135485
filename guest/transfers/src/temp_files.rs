//! Adding and deleting temp files.

use stowage_sdk::rows::{TEMP_FILES, TEMP_FILES_BY_FOLDER, TEMP_FOLDERS};
use stowage_sdk::{Blobs, Context, Error, Key, Listing, Writer};

use crate::bindings::temp_files as api;
use crate::blob::{Blob, Place};
use crate::fields::{Fields, Platform};
use crate::parameters::list;
use crate::row::write_temp_file;

/// Adds a file to a conversation and returns its row. A text message needs no blob.
///
/// # Errors
/// 600 a field is wrong, 60001 no such blob, 700 the space is full.
pub fn add(
    ctx: &dyn Context,
    fields: Fields,
    hash: Option<String>,
    is_crypt: Option<u32>,
) -> Result<api::TempFile, Error> {
    let fields = fields.settled(ctx, Platform::Temp)?;
    let blob = Blob::of_message(ctx, &fields, hash, is_crypt, Place::SpaceOrHere)?;
    blob.check_room(ctx, Platform::Temp, &fields)?;
    write_temp_file(ctx, fields, blob).map(stowage_temp_files::to_api)
}

/// Deletes temp files, all or none of them. Blobs without other references are deleted too.
///
/// # Errors
/// 600 a bad list, 60001 no such temp file.
pub fn delete(ctx: &dyn Context, uniques: Vec<String>) -> Result<bool, Error> {
    let uniques = list("uniques", uniques)?;
    Writer::scope(ctx, Blobs::Release, |writer| {
        for unique in &uniques {
            if !TEMP_FILES.contains(ctx, unique) {
                return Err(Error::no_file(unique));
            }
            delete_file(ctx, writer, unique);
        }
        Ok(true)
    })
}

/// Deletes a conversation with all its files. Blobs without other references are deleted too.
///
/// # Errors
/// 60000 no such conversation.
pub fn delete_folder(ctx: &dyn Context, unique: &str) -> Result<bool, Error> {
    if !TEMP_FOLDERS.contains(ctx, unique) {
        return Err(Error::no_folder(unique));
    }
    Writer::scope(ctx, Blobs::Release, |writer| {
        for file in Listing::new(TEMP_FILES_BY_FOLDER, Key::new().text(unique).prefix()).all(ctx) {
            delete_file(ctx, writer, &file);
        }
        writer.remove(&TEMP_FOLDERS, unique);
        ctx.delete_row(TEMP_FOLDERS.name, unique);
    });
    Ok(true)
}

fn delete_file(ctx: &dyn Context, writer: &mut Writer<'_>, unique: &str) {
    writer.remove(&TEMP_FILES, unique);
    ctx.delete_row(TEMP_FILES.name, unique);
}
