//! New rows: their fields, as a client names them, and how they are written.

use serde::{Deserialize, Serialize};
use stowage_sdk::rows::{
    BACKUP_FOLDERS, BACKUPS, Backup, DEFAULT_FOLDER_ID, FAVORITE_FOLDERS, FAVORITES, Favorite, STORAGE_FILES,
    StoredFile, TEMP_FILES, TEMP_FOLDERS, TempFile, TempFolder, default_folder,
};
use stowage_sdk::{Blobs, Context, Error, Kind, Writer, capped_count, capped_size, dotted_extension, is_identity};

use crate::blob::Blob;
use crate::storage::folder_at;

/// The extension of a temp file without an extension.
const OTHER: &str = ".other";

/// The platform of a row, which is its collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// Message backups.
    Backup = 0,
    /// Temp files.
    Temp = 1,
    /// IM favourites.
    Favorite = 2,
    /// The cloud storage.
    Storage = 3,
}

impl Platform {
    /// The platform with this number.
    ///
    /// # Errors
    /// 600 for a platform that takes no files from clients.
    pub fn of(number: u32) -> Result<Self, Error> {
        match number {
            0 => Ok(Self::Backup),
            1 => Ok(Self::Temp),
            2 => Ok(Self::Favorite),
            3 => Ok(Self::Storage),
            _ => Err(Error::parameter(
                "platform",
                "0 message backups, 1 temp files, 2 IM favourites or 3 cloud storage",
            )),
        }
    }
}

/// The fields of a new row, by their names in the API. Each platform uses its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Fields {
    /// The identity. Absent: a new UUID.
    pub unique: Option<String>,
    /// The conversation of a temp file, the folder of a backup.
    pub parent: Option<String>,
    /// The folder of a favourite. Absent: the default one.
    pub fav_id: Option<String>,
    /// The path of the folder of a file in the cloud storage. Absent: the root.
    pub storage_path: Option<String>,
    /// The message.
    pub msg_id: Option<String>,
    /// The message as JSON text.
    pub msg_content: Option<String>,
    /// The message's type.
    pub msg_type: Option<i32>,
    /// The node of the conversation, or of the message.
    pub node_address: Option<String>,
    /// The nickname of the sender.
    pub origin_nickname: Option<String>,
    /// The node the messages are with.
    pub node_id: Option<String>,
    /// 1 single chat, 2 group chat.
    pub r#type: Option<i32>,
    /// Messages in a backup.
    pub message_num: Option<u64>,
    /// The nickname of who the messages are with.
    pub nickname: Option<String>,
    /// The domain name.
    pub domain_name: Option<String>,
    /// The thumbnail's address.
    pub thumb: Option<String>,
    /// The extension with its dot.
    pub ext: Option<String>,
    /// The file's name.
    pub name: Option<String>,
    /// The time, in the unit of the platform.
    pub time: Option<i64>,
}

/// The longest name of a file, in characters.
const MAX_NAME_CHARS: usize = 255;

impl Fields {
    /// Checks the fields, and fills in what is absent and must not change later: the identity and
    /// the time.
    ///
    /// # Errors
    /// 600 a field is missing or wrong, 60000 no such folder.
    pub fn settled(mut self, ctx: &dyn Context, platform: Platform) -> Result<Self, Error> {
        for text in [
            &mut self.unique,
            &mut self.parent,
            &mut self.fav_id,
            &mut self.storage_path,
            &mut self.ext,
            &mut self.name,
        ] {
            *text = text.take().filter(|text| !text.is_empty());
        }
        if let Some(name) = &self.name
            && (name.chars().nth(MAX_NAME_CHARS).is_some() || name.chars().any(char::is_control))
        {
            return Err(Error::parameter(
                "name",
                "a name of at most 255 characters without control characters",
            ));
        }
        if self.unique.as_deref().is_some_and(|unique| !is_identity(unique)) {
            return Err(Error::parameter("unique", "1 to 480 bytes without NUL"));
        }
        self.check_folder(ctx, platform)?;
        self.unique.get_or_insert_with(|| ctx.new_id());
        let now_ms = ctx.now_ms();
        self.time.get_or_insert(match platform {
            Platform::Backup | Platform::Favorite => now_ms.div_euclid(1000),
            Platform::Temp | Platform::Storage => now_ms,
        });
        Ok(self)
    }

    /// Checks that the folder of the row exists. The conversation of a temp file is made with it.
    fn check_folder(&mut self, ctx: &dyn Context, platform: Platform) -> Result<(), Error> {
        match platform {
            Platform::Backup => {
                let parent = required("parent", "the folder of the backup", self.parent.as_deref())?;
                if !BACKUP_FOLDERS.contains(ctx, parent) {
                    return Err(Error::no_folder(parent));
                }
            }
            Platform::Temp => {
                let parent = required("parent", "the conversation of the file", self.parent.as_deref())?;
                if !is_identity(parent) {
                    return Err(Error::parameter("parent", "1 to 480 bytes without NUL"));
                }
            }
            Platform::Favorite => {
                let folder = self.fav_id.get_or_insert_with(|| DEFAULT_FOLDER_ID.to_owned());
                if folder != DEFAULT_FOLDER_ID && !FAVORITE_FOLDERS.contains(ctx, folder) {
                    return Err(Error::no_folder(folder));
                }
            }
            Platform::Storage => {
                let path = folder_at(ctx, self.storage_path.as_deref().unwrap_or_default())?;
                self.storage_path = Some(path);
            }
        }
        Ok(())
    }

    /// Whether it is a text message, which needs no blob.
    pub fn is_text(&self) -> bool {
        let content = self.msg_content.as_deref().unwrap_or_default();
        Kind::of(content, self.name.as_deref().unwrap_or_default(), "") == Kind::Text
    }

    /// The identifiers of the folders that lead to the row, for the feed.
    pub fn folder(&self, platform: Platform) -> String {
        let folder = match platform {
            Platform::Backup | Platform::Temp => &self.parent,
            Platform::Favorite => &self.fav_id,
            Platform::Storage => &self.storage_path,
        };
        folder.clone().unwrap_or_default()
    }
}

fn required<'a>(field: &str, expected: &str, value: Option<&'a str>) -> Result<&'a str, Error> {
    value.ok_or_else(|| Error::parameter(field, expected))
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
    kept(Writer::scope(ctx, Blobs::Release, |writer| {
        writer.put(&FAVORITES, &favorite)
    }))?;
    ctx.put_row(FAVORITES.name, &favorite.unique, &favorite.cloud_fields());
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
        kept(Writer::scope(ctx, Blobs::Keep, |writer| {
            writer.put(&TEMP_FOLDERS, &folder)
        }))?;
        ctx.put_row(TEMP_FOLDERS.name, &folder.unique, &folder.cloud_fields());
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
    kept(Writer::scope(ctx, Blobs::Release, |writer| {
        writer.put(&TEMP_FILES, &file)
    }))?;
    ctx.put_row(TEMP_FILES.name, &file.unique, &file.cloud_fields());
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
    kept(Writer::scope(ctx, Blobs::Release, |writer| {
        writer.put(&BACKUPS, &backup)
    }))?;
    ctx.put_row(BACKUPS.name, &backup.unique, &backup.cloud_fields());
    Ok(backup)
}

/// Writes a file of the cloud storage, here and in the space. The same bytes are one file: a known
/// one gets the new name and place.
///
/// # Errors
/// 600 if the row is too large to be stored.
pub(crate) fn write_stored(ctx: &dyn Context, fields: Fields, blob: Blob) -> Result<StoredFile, Error> {
    let name = fields.name.unwrap_or_default();
    let ext = fields.ext.unwrap_or_else(|| dotted_extension(&name));
    let file = StoredFile {
        kind: Kind::of("", &name, &ext) as u8,
        hash: blob.hash,
        size: capped_size(Some(blob.size)),
        time: fields.time.unwrap_or_default(),
        path: fields.storage_path.unwrap_or_default(),
        ext,
        name,
        thumb: fields.thumb.unwrap_or_default(),
        protected: blob.protected,
    };
    kept(Writer::scope(ctx, Blobs::Keep, |writer| {
        writer.put(&STORAGE_FILES, &file)
    }))?;
    ctx.put_row(STORAGE_FILES.name, &file.hash, &file.cloud_fields());
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

fn kept(is_kept: bool) -> Result<(), Error> {
    if is_kept {
        Ok(())
    } else {
        Err(Error::parameter("msgContent", "a row of at most 1 MiB in all"))
    }
}
