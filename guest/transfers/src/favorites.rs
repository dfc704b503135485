//! Adding, moving and deleting favourites.

use stowage_sdk::rows::{DEFAULT_FOLDER_ID, FAVORITE_FOLDERS, FAVORITES, default_folder};
use stowage_sdk::{Blobs, Context, Error, Writer};

use crate::bindings::favorites as api;
use crate::blob::{Blob, Place};
use crate::fields::{Fields, Platform};
use crate::parameters::list;
use crate::row::write_favorite;

/// Adds a favourite and returns its row. A text message needs no blob.
///
/// # Errors
/// 600 a field is wrong, 60000 no such folder, 60001 no such blob, 700 the space is full.
pub fn add(
    ctx: &dyn Context,
    fields: Fields,
    hash: Option<String>,
    is_crypt: Option<u32>,
) -> Result<api::Favorite, Error> {
    let fields = fields.settled(ctx, Platform::Favorite)?;
    let blob = Blob::of_message(ctx, &fields, hash, is_crypt, Place::Space)?;
    blob.check_room(ctx, Platform::Favorite, &fields)?;
    write_favorite(ctx, fields, blob).map(stowage_favorites::to_api)
}

/// Moves favourites to a folder, all or none of them.
///
/// # Errors
/// 600 a bad list, 60000 no such folder, 60001 no such favourite.
pub fn move_to(ctx: &dyn Context, uniques: Vec<String>, folder: &str) -> Result<bool, Error> {
    let uniques = list("uniques", uniques)?;
    if folder == DEFAULT_FOLDER_ID {
        default_folder(ctx);
    } else if !FAVORITE_FOLDERS.contains(ctx, folder) {
        return Err(Error::no_folder(folder));
    }
    Writer::scope(ctx, Blobs::Keep, |writer| {
        for unique in &uniques {
            let mut favorite = FAVORITES.get(ctx, unique).ok_or_else(|| Error::no_file(unique))?;
            if favorite.folder != folder {
                folder.clone_into(&mut favorite.folder);
                writer.put(&FAVORITES, &favorite);
                ctx.put_row(FAVORITES.name, unique, &favorite.cloud_fields());
            }
        }
        Ok(true)
    })
}

/// Deletes favourites, all or none of them. Blobs without other references are deleted too.
///
/// # Errors
/// 600 a bad list, 60001 no such favourite.
pub fn delete(ctx: &dyn Context, uniques: Vec<String>) -> Result<bool, Error> {
    let uniques = list("uniques", uniques)?;
    Writer::scope(ctx, Blobs::Release, |writer| {
        for unique in &uniques {
            if !FAVORITES.contains(ctx, unique) {
                return Err(Error::no_file(unique));
            }
            writer.remove(&FAVORITES, unique);
            ctx.delete_row(FAVORITES.name, unique);
        }
        Ok(true)
    })
}
