//! Files and folders of the cloud storage.

use stowage_sdk::rows::{
    STORAGE_FILES, STORAGE_FILES_BY_KIND, STORAGE_FILES_BY_PATH, STORAGE_FOLDERS, STORAGE_FOLDERS_BY_PATH,
    StorageFolder, StoredFile, storage_files_named, storage_folders_named, storage_path_key,
};
use stowage_sdk::{
    Blobs, Context, Error, Keyword, Kind, Listing, Order, Paging, Writer, dotted_extension, folder_name, size_text,
};

use crate::bindings::storage as api;
use crate::contents::Contents;
use crate::folder_path::{check_depth, depth, folder_at};
use crate::parameters::list;

/// The parameters of `listStorageFiles`.
#[derive(Debug, Clone, Default)]
pub struct List<'a> {
    /// The path of the folder. Empty or absent: the root.
    pub path: Option<&'a str>,
    /// A part of the name. Empty or absent: all.
    pub keyword: Option<&'a str>,
    /// 0 or absent all, or a kind.
    pub kind: Option<u32>,
    /// Absent: oldest first.
    pub order: Option<Order>,
    /// The page number, from 1.
    pub page: u32,
    /// 1 to 1000.
    pub page_size: u32,
}

/// A page of a folder: its folders, then its files.
///
/// # Errors
/// 600 a bad type or page, 60000 no such folder.
pub fn list_files(ctx: &dyn Context, list: &List<'_>) -> Result<Vec<api::StorageEntry>, Error> {
    let kind = Kind::filter(list.kind.unwrap_or(0))?;
    let mut paging = Paging::new(list.page, list.page_size)?;
    let key = storage_path_key(&folder_at(ctx, list.path.unwrap_or_default())?);
    let keyword = Keyword::new(list.keyword);
    let order = list.order.unwrap_or(Order::Asc);
    let mut entries = Vec::new();
    if kind.is_none() {
        let folders = Listing::new(STORAGE_FOLDERS_BY_PATH, key.clone().prefix())
            .order(order)
            .containing(&keyword);
        let on_page = folders.page(ctx, paging);
        paging.limit -= u32::try_from(on_page.len()).unwrap_or(paging.limit);
        if paging.limit > 0 {
            // The page reaches the files, so the folders before it are few enough to count.
            paging.skip = paging.skip.saturating_sub(folders.all(ctx).len() as u64);
        }
        let folders = STORAGE_FOLDERS.get_all(ctx, &on_page);
        entries.extend(folders.into_iter().map(folder_to_api));
    }
    if paging.limit > 0 {
        let files = match kind {
            None => Listing::new(STORAGE_FILES_BY_PATH, key.prefix()),
            Some(kind) => Listing::new(STORAGE_FILES_BY_KIND, key.byte(kind as u8).prefix()),
        };
        let files = files.order(order).containing(&keyword).page(ctx, paging);
        entries.extend(STORAGE_FILES.get_all(ctx, &files).into_iter().map(file_to_api));
    }
    Ok(entries)
}

/// The file with this hash, or the folder with this identifier.
///
/// # Errors
/// 60001 neither exists.
pub fn get(ctx: &dyn Context, unique: &str) -> Result<api::StorageEntry, Error> {
    Ok(match Item::find(ctx, unique)? {
        Item::File(file) => file_to_api(file),
        Item::Folder(folder) => folder_to_api(folder),
    })
}

/// Makes a folder.
///
/// # Errors
/// 600 a bad name, or too deep; 60000 no such path; 60002 the name exists.
pub fn create_folder(ctx: &dyn Context, path: Option<&str>, name: &str) -> Result<api::StorageEntry, Error> {
    let name = folder_name("name", name)?;
    let path = folder_at(ctx, path.unwrap_or_default())?;
    check_depth(depth(&path) + 1)?;
    check_free(ctx, &path, name, "")?;
    let folder = StorageFolder {
        id: ctx.new_id(),
        name: name.to_owned(),
        time: ctx.now_ms(),
        path,
    };
    Writer::scope(ctx, Blobs::Keep, |writer| put_folder(ctx, writer, &folder));
    Ok(folder_to_api(folder))
}

/// Renames a file or a folder. Its current name is no error.
///
/// # Errors
/// 600 a bad name, 60001 neither exists, 60002 the name exists.
pub fn rename(ctx: &dyn Context, unique: &str, new_name: &str) -> Result<bool, Error> {
    let name = folder_name("newName", new_name)?;
    let item = Item::find(ctx, unique)?;
    if item.name() == name {
        return Ok(true);
    }
    check_free(ctx, item.path(), name, unique)?;
    Writer::scope(ctx, Blobs::Keep, |writer| match item {
        Item::File(mut file) => {
            name.clone_into(&mut file.name);
            let ext = dotted_extension(name);
            if !ext.is_empty() {
                file.ext = ext;
            }
            file.kind = Kind::of("", &file.name, &file.ext) as u8;
            put_file(ctx, writer, &file);
        }
        Item::Folder(mut folder) => {
            name.clone_into(&mut folder.name);
            put_folder(ctx, writer, &folder);
        }
    });
    Ok(true)
}

/// Moves a file, or a folder with all its contents.
///
/// # Errors
/// 600 a folder into itself, or too deep; 60000 no such path; 60001 neither exists; 60002 the name
/// exists there.
pub fn move_to(ctx: &dyn Context, unique: &str, path: Option<&str>) -> Result<bool, Error> {
    let item = Item::find(ctx, unique)?;
    let path = folder_at(ctx, path.unwrap_or_default())?;
    if item.path() == path {
        return Ok(true);
    }
    match item {
        Item::File(mut file) => {
            check_free(ctx, &path, &file.name, unique)?;
            file.path = path;
            Writer::scope(ctx, Blobs::Keep, |writer| put_file(ctx, writer, &file));
        }
        Item::Folder(mut folder) => {
            let before = folder.inner_path();
            if path.split('/').any(|id| id == folder.id) {
                return Err(Error::parameter("path", "a folder that is not in the moved folder"));
            }
            check_free(ctx, &path, &folder.name, unique)?;
            let below = Contents::of(ctx, &folder);
            let height = below
                .folders
                .iter()
                .map(|inner| depth(&inner.inner_path()).saturating_sub(depth(&before)))
                .max();
            check_depth(depth(&path) + 1 + height.unwrap_or(0))?;
            folder.path = path;
            let after = folder.inner_path();
            let moved = |path: &str| {
                let inner = path.trim_matches('/').strip_prefix(&before);
                format!("{after}{}", inner.unwrap_or_default())
            };
            Writer::scope(ctx, Blobs::Keep, |writer| {
                put_folder(ctx, writer, &folder);
                for mut inner in below.folders {
                    inner.path = moved(&inner.path);
                    put_folder(ctx, writer, &inner);
                }
                for mut file in below.files {
                    file.path = moved(&file.path);
                    put_file(ctx, writer, &file);
                }
            });
        }
    }
    Ok(true)
}

/// Deletes files, and folders with all their contents. Blobs without other references are deleted
/// too.
///
/// # Errors
/// 600 a bad list, 60001 one of them does not exist.
pub fn delete(ctx: &dyn Context, uniques: Vec<String>) -> Result<bool, Error> {
    let uniques = list("uniques", uniques)?;
    let items = uniques
        .iter()
        .map(|unique| Item::find(ctx, unique))
        .collect::<Result<Vec<_>, _>>()?;
    Writer::scope(ctx, Blobs::Release, |writer| {
        for item in items {
            match item {
                Item::File(file) => delete_file(ctx, writer, &file.hash),
                Item::Folder(folder) => {
                    let contents = Contents::of(ctx, &folder);
                    for file in contents.files {
                        delete_file(ctx, writer, &file.hash);
                    }
                    for folder in contents.folders.iter().chain([&folder]) {
                        delete_folder(ctx, writer, &folder.id);
                    }
                }
            }
        }
    });
    Ok(true)
}

/// A file or a folder.
enum Item {
    File(StoredFile),
    Folder(StorageFolder),
}

impl Item {
    fn find(ctx: &dyn Context, unique: &str) -> Result<Self, Error> {
        if let Some(file) = STORAGE_FILES.get(ctx, unique) {
            return Ok(Self::File(file));
        }
        let folder = STORAGE_FOLDERS.get(ctx, unique);
        folder.map(Self::Folder).ok_or_else(|| Error::no_file(unique))
    }

    fn name(&self) -> &str {
        match self {
            Self::File(file) => &file.name,
            Self::Folder(folder) => &folder.name,
        }
    }

    fn path(&self) -> &str {
        match self {
            Self::File(file) => file.path.trim_matches('/'),
            Self::Folder(folder) => folder.path.trim_matches('/'),
        }
    }
}

/// Checks that nothing else in the folder has this name.
fn check_free(ctx: &dyn Context, path: &str, name: &str, unique: &str) -> Result<(), Error> {
    let others = |found: Vec<String>| found.iter().any(|other| other != unique);
    if others(storage_folders_named(ctx, path, name)) || others(storage_files_named(ctx, path, name)) {
        Err(Error::name_exists(name))
    } else {
        Ok(())
    }
}

fn put_file(ctx: &dyn Context, writer: &mut Writer<'_>, file: &StoredFile) {
    writer.put(&STORAGE_FILES, file);
    ctx.put_row(STORAGE_FILES.name, &file.hash, &file.cloud_fields());
}

fn put_folder(ctx: &dyn Context, writer: &mut Writer<'_>, folder: &StorageFolder) {
    writer.put(&STORAGE_FOLDERS, folder);
    ctx.put_row(STORAGE_FOLDERS.name, &folder.id, &folder.cloud_fields());
}

/// Deletes a file, unless this call has deleted it already.
fn delete_file(ctx: &dyn Context, writer: &mut Writer<'_>, hash: &str) {
    if writer.remove(&STORAGE_FILES, hash).is_some() {
        ctx.delete_row(STORAGE_FILES.name, hash);
    }
}

/// Deletes a folder, unless this call has deleted it already.
fn delete_folder(ctx: &dyn Context, writer: &mut Writer<'_>, id: &str) {
    if writer.remove(&STORAGE_FOLDERS, id).is_some() {
        ctx.delete_row(STORAGE_FOLDERS.name, id);
    }
}

fn file_to_api(file: StoredFile) -> api::StorageEntry {
    api::StorageEntry {
        type_: u32::from(file.kind),
        unique: file.hash.clone(),
        is_folder: false,
        name: file.name,
        hash: file.hash,
        path: file.path,
        ext: file.ext,
        thumb: file.thumb,
        size: size_text(file.size),
        time: file.time,
        is_crypt: u32::from(file.protected),
    }
}

fn folder_to_api(folder: StorageFolder) -> api::StorageEntry {
    api::StorageEntry {
        unique: folder.id,
        is_folder: true,
        name: folder.name,
        hash: String::new(),
        path: folder.path,
        ext: String::new(),
        thumb: String::new(),
        size: String::new(),
        time: folder.time,
        type_: 0,
        is_crypt: 0,
    }
}
