//! Temp files and their conversations.

use serde::{Deserialize, Serialize};

use super::{BlobFile, amount, boolean, count, derive_blob, first_with_hash, integer, text};
use crate::bindings::cloud::Field;
use crate::collection::Collection;
use crate::context::Context;
use crate::derived::Derived;
use crate::key::Key;
use crate::keyword::searchable;
use crate::message::Message;

/// Index: time, identity; the searchable text.
pub const TEMP_FOLDERS_BY_TIME: &str = "temp-folders-by-time";

/// Index: folder, time, identity; the searchable text.
pub const TEMP_FILES_BY_FOLDER: &str = "temp-files-by-folder";

/// Index: folder, kind, time, identity; the searchable text.
pub const TEMP_FILES_BY_KIND: &str = "temp-files-by-kind";

/// Index: time, identity; the searchable text.
pub const TEMP_FILES_BY_TIME: &str = "temp-files-by-time";

/// Index: hash, identity.
pub(super) const TEMP_FILES_BY_HASH: &str = "temp-files-by-hash";

/// Counters: folder, what is counted.
const TEMP_FOLDER_TOTALS: &str = "temp-folder-totals";

const FILES: u8 = b'f';
const BYTES: u8 = b'b';

/// Conversations with temp files.
pub const TEMP_FOLDERS: Collection<TempFolder> = Collection {
    name: "temp-folders",
    version: 1,
    identity: |folder| &folder.unique,
    derive: |folder, derived| {
        derived.listed(TEMP_FOLDERS_BY_TIME, Key::new().time(folder.time).tail(&folder.unique));
    },
    text: |folder| searchable(&[&folder.node_address]),
};

/// Temp files.
pub const TEMP_FILES: Collection<TempFile> = Collection {
    name: "temp-files",
    version: 1,
    identity: |file| &file.unique,
    derive: derive_file,
    text: |file| {
        let message = Message::parse(&file.msg_content);
        searchable(&[&file.name, message.text.as_deref().unwrap_or_default()])
    },
};

/// The temp files of one conversation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TempFolder {
    /// The conversation.
    pub unique: String,
    /// The node or group of the conversation.
    pub node_address: String,
    /// 1 single chat, 2 group chat.
    pub r#type: i32,
    /// When it was made, in milliseconds.
    pub time: i64,
}

/// A temp file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TempFile {
    /// Its identity.
    pub unique: String,
    /// The conversation it belongs to.
    pub parent: String,
    /// Base58 of the SHA-256 of the stored bytes.
    pub hash: String,
    /// The message it came with.
    pub msg_id: String,
    /// The message as JSON text.
    pub msg_content: String,
    /// The message's type.
    pub msg_type: i32,
    /// The extension with its dot.
    pub ext: String,
    /// Bytes stored, capped.
    pub size: u64,
    /// The file's name.
    pub name: String,
    /// When it came, in milliseconds.
    pub time: i64,
    /// Whether a password protects the blob.
    pub protected: bool,
    /// Its [`Kind`](crate::Kind) as a number.
    pub kind: u8,
}

impl TempFolder {
    /// The row of the space.
    pub fn cloud_fields(&self) -> Vec<Field> {
        vec![
            text("unique", &self.unique),
            text("nodeAddress", &self.node_address),
            integer("type", i64::from(self.r#type)),
            integer("time", self.time),
        ]
    }
}

impl TempFile {
    /// The row of the space.
    pub fn cloud_fields(&self) -> Vec<Field> {
        let mut fields = vec![
            text("unique", &self.unique),
            text("parent", &self.parent),
            text("hash", &self.hash),
            text("msgId", &self.msg_id),
            text("msgContent", &self.msg_content),
            integer("msgType", i64::from(self.msg_type)),
            text("ext", &self.ext),
            integer("size", amount(self.size)),
            text("name", &self.name),
            integer("time", self.time),
        ];
        if self.protected {
            fields.push(boolean("protected", true));
        }
        fields
    }

    /// The thumbnail's address in the message, or empty.
    pub fn thumb(&self) -> String {
        Message::parse(&self.msg_content).thumb
    }
}

fn derive_file(file: &TempFile, derived: &mut Derived) {
    let folder = Key::new().text(&file.parent);
    derived.listed(TEMP_FILES_BY_FOLDER, folder.clone().time(file.time).tail(&file.unique));
    derived.listed(
        TEMP_FILES_BY_KIND,
        folder.clone().byte(file.kind).time(file.time).tail(&file.unique),
    );
    derived.listed(TEMP_FILES_BY_TIME, Key::new().time(file.time).tail(&file.unique));
    derived.counted(TEMP_FOLDER_TOTALS, folder.clone().byte(FILES).prefix(), 1);
    derived.counted(TEMP_FOLDER_TOTALS, folder.byte(BYTES).prefix(), amount(file.size));
    derive_blob(
        derived,
        "temp-files",
        Some(TEMP_FILES_BY_HASH),
        &file.hash,
        &file.unique,
        file.size,
    );
}

impl From<TempFile> for BlobFile {
    fn from(file: TempFile) -> Self {
        Self {
            thumb: file.thumb(),
            hash: file.hash,
            name: file.name,
            ext: file.ext,
            size: file.size,
            path: file.parent,
            protected: file.protected,
        }
    }
}

/// The first temp file with this hash, by identity.
pub fn temp_file_by_hash(ctx: &dyn Context, hash: &str) -> Option<TempFile> {
    first_with_hash(ctx, &TEMP_FILES, TEMP_FILES_BY_HASH, hash)
}

/// The totals of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TempTotals {
    /// Files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl TempTotals {
    /// The totals of this conversation.
    pub fn of(ctx: &dyn Context, folder: &str) -> Self {
        let key = Key::new().text(folder);
        Self {
            files: count(ctx, TEMP_FOLDER_TOTALS, &key.clone().byte(FILES).prefix()),
            bytes: count(ctx, TEMP_FOLDER_TOTALS, &key.byte(BYTES).prefix()),
        }
    }
}
