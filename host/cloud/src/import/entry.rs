//! The rows of imported files and of their folders.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::find::find;
use super::kind::Kind;
use super::prepare::PreparedFile;
use crate::{Collection, Error, Hash, Space, row};

/// The folder of favourites that always exists.
const DEFAULT_FOLDER: (&str, &str) = ("1", "我的收藏");

/// A row to publish.
#[derive(Clone, Debug)]
pub(super) struct NewRow {
    pub collection: &'static Collection,
    pub identity: String,
    pub fields: Map<String, Value>,
}

/// Where the files go.
pub(super) struct Folder {
    kind: Kind,
    identity: String,
    /// The row of the folder, if it must be made.
    pub row: Option<NewRow>,
}

impl Folder {
    /// Finds the folder that a kind names, or plans to make it.
    pub(super) async fn find(space: &Space, kind: &Kind) -> Result<Self, Error> {
        let now_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |now| now.as_millis() as u64);
        let (identity, row) = match kind {
            Kind::Storage | Kind::Dapp => (String::new(), None),
            Kind::Favorites { folder } if folder.is_empty() || folder == DEFAULT_FOLDER.1 => {
                (DEFAULT_FOLDER.0.to_owned(), None)
            }
            Kind::Favorites { folder } => {
                let folders = collection("favorite-folders")?;
                match find(space, folders, "name", folder).await? {
                    Some(identity) => (identity, None),
                    None => {
                        let identity = uuid::Uuid::new_v4().to_string();
                        let fields = json!({ "name": folder, "time": now_ms });
                        (identity.clone(), Some(new_row(folders, identity, fields)?))
                    }
                }
            }
            Kind::TempFiles { conversation } => {
                let folders = collection("temp-folders")?;
                let fields = json!({ "nodeAddress": conversation, "type": 1, "time": now_ms });
                let row = match find(space, folders, folders.identity, conversation).await? {
                    Some(_) => None,
                    None => Some(new_row(folders, conversation.clone(), fields)?),
                };
                (conversation.clone(), row)
            }
            Kind::Backups { folder } => {
                let folders = collection("backup-folders")?;
                match find(space, folders, "name", folder).await? {
                    Some(identity) => (identity, None),
                    None => {
                        let fields = json!({ "parent": "", "name": folder, "time": now_ms / 1000 });
                        // If possible the name is the identity, as in folders that backups make.
                        // But another folder may have this identity, or the name may be too long.
                        let is_free = row::is_identity(folders, folder)
                            && find(space, folders, folders.identity, folder).await?.is_none();
                        let identity = match is_free {
                            true => folder.clone(),
                            false => uuid::Uuid::new_v4().to_string(),
                        };
                        (identity.clone(), Some(new_row(folders, identity, fields)?))
                    }
                }
            }
        };
        Ok(Self {
            kind: kind.clone(),
            identity,
            row,
        })
    }

    /// The row of a file in the folder.
    pub(super) fn file(&self, name: &str, file: &PreparedFile) -> Result<NewRow, Error> {
        let hash = file.hash.to_string();
        let class = Class::of(name);
        // The same file in the same folder is the same row.
        let unique = Hash::of(format!("{}\0{hash}\0{name}", self.identity).as_bytes());
        let message = Hash::of(unique.as_bytes()).to_hex();
        let (collection_name, identity, mut fields) = match &self.kind {
            Kind::Favorites { .. } => (
                "favorites",
                unique.to_string(),
                json!({
                    "folder": self.identity, "msgId": message, "msgContent": class.message(name, file),
                    "msgType": class.message_type(), "hash": hash, "name": name, "size": file.len_bytes,
                    "time": file.modified_ms / 1000, "nodeAddress": "", "originNickname": "",
                }),
            ),
            Kind::TempFiles { .. } => (
                "temp-files",
                unique.to_string(),
                json!({
                    "parent": self.identity, "hash": hash, "msgId": message, "msgContent": class.message(name, file),
                    "msgType": class.message_type(), "ext": extension(name).unwrap_or_else(|| ".other".to_owned()),
                    "size": file.len_bytes, "name": name, "time": file.modified_ms,
                }),
            ),
            Kind::Backups { .. } => (
                "backups",
                unique.to_string(),
                json!({
                    "hash": hash, "parent": self.identity, "nodeId": "", "type": 1, "name": name,
                    "time": file.modified_ms / 1000, "size": file.len_bytes, "messageNum": messages(name, file),
                    "nickname": "", "domainName": "",
                }),
            ),
            Kind::Storage | Kind::Dapp => (
                if self.kind == Kind::Dapp {
                    "dapp-files"
                } else {
                    "storage-files"
                },
                hash,
                json!({
                    "name": name, "size": file.len_bytes, "time": file.modified_ms, "path": "",
                    "ext": extension(name).unwrap_or_default(), "thumb": "",
                }),
            ),
        };
        if file.protected {
            fields["protected"] = Value::Bool(true);
        }
        new_row(collection(collection_name)?, identity, fields)
    }
}

fn collection(name: &str) -> Result<&'static Collection, Error> {
    Collection::named(name).ok_or_else(|| Error::malformed("lists", format!("no collection {name}")))
}

fn new_row(collection: &'static Collection, identity: String, fields: Value) -> Result<NewRow, Error> {
    let Value::Object(fields) = fields else {
        return Err(Error::malformed(collection.name, "a row is an object"));
    };
    let fits = row::is_identity(collection, &identity)
        && row::render(collection, &identity, &fields).is_some_and(|line| row::parse(collection, &line).is_some());
    if !fits {
        return Err(Error::malformed(
            collection.name,
            format!("{identity:?} cannot be a row"),
        ));
    }
    Ok(NewRow {
        collection,
        identity,
        fields,
    })
}

/// The extension in lower case, with its dot.
fn extension(name: &str) -> Option<String> {
    let extension = std::path::Path::new(name).extension()?.to_str()?;
    Some(format!(".{}", extension.to_lowercase()))
}

/// How many messages a backup has, if each line is one. Otherwise 0.
fn messages(name: &str, file: &PreparedFile) -> u64 {
    match extension(name).as_deref() {
        Some(".txt" | ".jsonl" | ".ndjson" | ".log") => file.lines,
        _ => 0,
    }
}

/// What a message with the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Image,
    Video,
    Voice,
    Text,
    File,
}

impl Class {
    fn of(name: &str) -> Self {
        match extension(name).unwrap_or_default().trim_start_matches('.') {
            "jpg" | "jpeg" | "png" | "gif" | "webp" | "bmp" | "heic" | "heif" | "avif" | "tif" | "tiff" => Class::Image,
            "mp4" | "mov" | "mkv" | "webm" | "avi" | "m4v" | "3gp" => Class::Video,
            "mp3" | "wav" | "ogg" | "opus" | "m4a" | "aac" | "amr" | "flac" => Class::Voice,
            "txt" => Class::Text,
            _ => Class::File,
        }
    }

    fn message_type(self) -> u32 {
        match self {
            Class::Image => 1,
            Class::Text => 2,
            Class::Voice => 3,
            Class::Video => 4,
            Class::File => 6,
        }
    }

    /// The message as JSON text, as clients show it.
    fn message(self, name: &str, file: &PreparedFile) -> String {
        let element = json!({ "size": file.len_bytes, "url": file.hash.to_string(), "fileName": name });
        let content = match (self, &file.text) {
            (Class::Text, Some(text)) => json!({ "text": text }),
            (Class::Image, _) => {
                let mut image = element;
                image["type"] = json!(1);
                json!({ "imageInfoArray": [image], "thumb": file.hash.to_string(), "invalid": false })
            }
            (Class::Video, _) => json!({ "video": element }),
            (Class::Voice, _) => json!({ "voice": element }),
            (Class::Text | Class::File, _) => json!({ "file": element }),
        };
        content.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_lower_case_with_their_dot() {
        assert_eq!(extension("A.JPG").as_deref(), Some(".jpg"));
        assert_eq!(extension("a.tar.GZ").as_deref(), Some(".gz"));
        assert_eq!(extension(".hidden"), None);
        assert_eq!(Class::of("A.JPG"), Class::Image);
        assert_eq!(Class::of("noext"), Class::File);
    }

    #[test]
    fn a_name_that_no_row_can_have_is_refused() {
        let folders = collection("backup-folders").expect("format 1 has it");
        assert!(new_row(folders, String::new(), json!({})).is_err());
        assert!(new_row(folders, "x".repeat(600), json!({})).is_err());
    }
}
