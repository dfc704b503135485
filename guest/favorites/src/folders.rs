//! Folders of favourites.

use stowage_sdk::rows::{
    DEFAULT_FOLDER_ID, DEFAULT_FOLDER_NAME, FAVORITE_FOLDERS, FAVORITE_FOLDERS_BY_TIME, FAVORITES, FAVORITES_BY_FOLDER,
    FavoriteFolder, default_folder, folders_named,
};
use stowage_sdk::{Blobs, Context, Error, Key, Listing, Order, Paging, Writer, folder_name};

use crate::bindings::{api, favorite_folders};

/// Makes a folder, here and in the space.
///
/// # Errors
/// 600 a bad name, 60002 a folder has this name.
pub fn create(ctx: &dyn Context, name: &str) -> Result<bool, Error> {
    let name = folder_name("name", name)?;
    // The default folder's name is taken, even if the folder has not been used before.
    default_folder(ctx);
    if !folders_named(ctx, name).is_empty() {
        return Err(Error::name_exists(name));
    }
    let folder = FavoriteFolder {
        id: ctx.new_id(),
        name: name.to_owned(),
        time: ctx.now_ms(),
    };
    Writer::scope(ctx, Blobs::Keep, |writer| writer.put_new(&FAVORITE_FOLDERS, &folder));
    ctx.put_row(FAVORITE_FOLDERS.name, &folder.id, &folder.cloud_fields());
    Ok(true)
}

/// Renames a folder, here and in the space. Its current name is no error.
///
/// # Errors
/// 600 a bad name, 60000 no such folder, 60002 another folder has the name.
pub fn rename(ctx: &dyn Context, id: &str, new_name: &str) -> Result<bool, Error> {
    let name = folder_name("newName", new_name)?;
    let default = default_folder(ctx);
    let folder = if id == DEFAULT_FOLDER_ID {
        Some(default)
    } else {
        FAVORITE_FOLDERS.get(ctx, id)
    };
    let folder = folder.ok_or_else(|| Error::no_folder(id))?;
    if folders_named(ctx, name).iter().any(|other| other != id) {
        return Err(Error::name_exists(name));
    }
    if folder.name != name {
        store(
            ctx,
            &FavoriteFolder {
                name: name.to_owned(),
                ..folder
            },
        );
    }
    Ok(true)
}

fn store(ctx: &dyn Context, folder: &FavoriteFolder) {
    Writer::scope(ctx, Blobs::Keep, |writer| writer.put(&FAVORITE_FOLDERS, folder));
    ctx.put_row(FAVORITE_FOLDERS.name, &folder.id, &folder.cloud_fields());
}

/// Deletes a folder and every favourite in it, here and in the space. Blobs without other
/// references are deleted too.
///
/// # Errors
/// 60000 no such folder, 60003 the default folder.
pub fn delete(ctx: &dyn Context, id: &str) -> Result<bool, Error> {
    if id == DEFAULT_FOLDER_ID {
        return Err(Error::default_folder());
    }
    if !FAVORITE_FOLDERS.contains(ctx, id) {
        return Err(Error::no_folder(id));
    }
    Writer::scope(ctx, Blobs::Release, |writer| {
        for unique in Listing::new(FAVORITES_BY_FOLDER, Key::new().text(id).prefix()).all(ctx) {
            writer.remove(&FAVORITES, &unique);
            ctx.delete_row(FAVORITES.name, &unique);
        }
        writer.remove(&FAVORITE_FOLDERS, id);
        ctx.delete_row(FAVORITE_FOLDERS.name, id);
    });
    Ok(true)
}

/// A page of the folders. The default folder is first in both orders.
///
/// # Errors
/// 600 a bad page.
pub fn list_folders(
    ctx: &dyn Context,
    order: Option<Order>,
    page: u32,
    page_size: u32,
) -> Result<Vec<api::FavoriteFolder>, Error> {
    let Paging { skip, limit } = Paging::new(page, page_size)?;
    let default = default_folder(ctx);
    let (first, rest) = match skip.checked_sub(1) {
        None => (
            Some(default),
            Paging {
                skip: 0,
                limit: limit - 1,
            },
        ),
        Some(skip) => (None, Paging { skip, limit }),
    };
    let others = Listing::new(FAVORITE_FOLDERS_BY_TIME, Vec::new())
        .order(order.unwrap_or(Order::Asc))
        .page_of_entries(ctx, rest);
    let first = first.into_iter().map(|folder| api::FavoriteFolder {
        id: folder.id,
        name: folder.name,
        time: folder.time,
    });
    let others = others.into_iter().map(|folder| api::FavoriteFolder {
        id: folder.identity,
        name: String::from_utf8(folder.value).unwrap_or_default(),
        time: folder.time,
    });
    Ok(first.chain(others).collect())
}

/// Applies changes of folders in the space. The default folder is never removed.
pub fn apply_folders(ctx: &dyn Context, upserts: Vec<favorite_folders::Row>, mut removals: Vec<String>) {
    removals.retain(|id| id != DEFAULT_FOLDER_ID);
    let rows = upserts.into_iter().map(|row| {
        if row.id == DEFAULT_FOLDER_ID {
            let name = row
                .name
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| DEFAULT_FOLDER_NAME.to_owned());
            let time = row.time.unwrap_or_else(|| default_folder(ctx).time);
            FavoriteFolder { id: row.id, name, time }
        } else {
            FavoriteFolder {
                id: row.id,
                name: row.name.unwrap_or_default(),
                time: row.time.unwrap_or_default(),
            }
        }
    });
    FAVORITE_FOLDERS.apply(ctx, rows, &removals);
}
