//! The fields of new rows, as a client names them.

use serde::{Deserialize, Serialize};
use stowage_sdk::rows::{
    BACKUP_FOLDERS, BACKUPS, DEFAULT_FOLDER_ID, FAVORITE_FOLDERS, FAVORITES, STORAGE_FILES, TEMP_FILES,
};
use stowage_sdk::{Context, Error, Kind};

use crate::folder_path::folder_at;
use crate::parameters::check_identity;

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
                "a whole number from 0 to 3 (0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage)",
            )),
        }
    }

    /// The bytes that the row with this identity takes; 0 if there is none.
    pub(crate) fn bytes_of(self, ctx: &dyn Context, identity: &str) -> u64 {
        match self {
            Self::Backup => BACKUPS.get(ctx, identity).map(|row| row.size),
            Self::Temp => TEMP_FILES.get(ctx, identity).map(|row| row.size),
            Self::Favorite => FAVORITES.get(ctx, identity).map(|row| row.size),
            Self::Storage => STORAGE_FILES.get(ctx, identity).map(|row| row.size),
        }
        .unwrap_or(0)
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

/// The most bytes of all texts of a row, as JSON. A row of the space has at most 1 MiB; the rest is
/// for its numbers, its hash and the names of its fields.
const MAX_TEXT_BYTES: usize = (1 << 20) - (4 << 10);

impl Fields {
    /// Checks the fields, and fills in what is absent and must not change later: the identity and
    /// the time.
    ///
    /// # Errors
    /// 600 a field is missing or wrong, 60000 no such folder.
    pub fn settled(mut self, ctx: &dyn Context, platform: Platform) -> Result<Self, Error> {
        for text in self.texts_mut() {
            *text = text.take().filter(|text| !text.is_empty());
        }
        self.name = match self.name {
            Some(name) => Some(checked_name(&name)?).filter(|name| !name.is_empty()),
            None => None,
        };
        self.ext = self.ext.map(|ext| match ext.starts_with('.') {
            true => ext,
            false => format!(".{ext}"),
        });
        if let Some(unique) = &self.unique {
            check_identity("unique", unique)?;
        }
        self.check_size()?;
        self.check_folder(ctx, platform)?;
        self.unique.get_or_insert_with(|| ctx.new_id());
        let now_ms = ctx.now_ms();
        self.time.get_or_insert(match platform {
            Platform::Backup | Platform::Favorite => now_ms.div_euclid(1000),
            Platform::Temp | Platform::Storage => now_ms,
        });
        Ok(self)
    }

    fn texts_mut(&mut self) -> [&mut Option<String>; 14] {
        [
            &mut self.unique,
            &mut self.parent,
            &mut self.fav_id,
            &mut self.storage_path,
            &mut self.msg_id,
            &mut self.msg_content,
            &mut self.node_address,
            &mut self.origin_nickname,
            &mut self.node_id,
            &mut self.nickname,
            &mut self.domain_name,
            &mut self.thumb,
            &mut self.ext,
            &mut self.name,
        ]
    }

    /// Checks that the texts fit into a row of the space. Only the message may be long.
    fn check_size(&mut self) -> Result<(), Error> {
        let texts = self.texts_mut();
        let bytes: usize = texts.into_iter().flatten().map(|text| json_bytes(text)).sum();
        if bytes <= MAX_TEXT_BYTES {
            Ok(())
        } else {
            Err(Error::parameter("msgContent", "fields of at most 1 MiB in all"))
        }
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
                check_identity("parent", parent)?;
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

/// The name of a file, trimmed.
///
/// # Errors
/// 600 for a name that is too long or has control characters.
pub(crate) fn checked_name(name: &str) -> Result<String, Error> {
    let name = name.trim();
    if name.chars().nth(MAX_NAME_CHARS).is_some() || name.chars().any(char::is_control) {
        return Err(Error::parameter(
            "name",
            "a name of at most 255 characters without control characters",
        ));
    }
    Ok(name.to_owned())
}

/// The bytes of a text in JSON, with its quotes.
fn json_bytes(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(escaped).sum::<usize>() + 2
}

fn required<'a>(field: &str, expected: &str, value: Option<&'a str>) -> Result<&'a str, Error> {
    value.ok_or_else(|| Error::parameter(field, expected))
}
