//! Chat backups and their folders.

use serde::{Deserialize, Serialize};

use super::{BlobFile, amount, boolean, count, derive_blob, first_with_hash, integer, text};
use crate::bindings::cloud::Field;
use crate::collection::Collection;
use crate::context::Context;
use crate::derived::Derived;
use crate::key::Key;
use crate::keyword::searchable;
use crate::kind::dotted_extension;

/// Index: time, identity; the searchable text.
pub const BACKUP_FOLDERS_BY_TIME: &str = "backup-folders-by-time";

/// Index: parent, time, identity.
pub const BACKUP_FOLDERS_BY_PARENT: &str = "backup-folders-by-parent";

/// Index: folder, time, identity; the searchable text.
pub const BACKUPS_BY_FOLDER: &str = "backups-by-folder";

/// Index: time, identity; the searchable text.
pub const BACKUPS_BY_TIME: &str = "backups-by-time";

/// Index: hash, identity.
pub(super) const BACKUPS_BY_HASH: &str = "backups-by-hash";

/// Counters: folder, what is counted.
const BACKUP_FOLDER_TOTALS: &str = "backup-folder-totals";

const BYTES: u8 = b'b';
const SINGLE: u8 = b's';
const GROUP: u8 = b'g';

/// The `type` of a backup of group chats. Every other type counts as single chats.
const GROUP_CHAT: i32 = 2;

/// Folders of backups.
pub const BACKUP_FOLDERS: Collection<BackupFolder> = Collection {
    name: "backup-folders",
    version: 1,
    identity: |folder| &folder.unique,
    derive: |folder, derived| {
        derived.listed(
            BACKUP_FOLDERS_BY_TIME,
            Key::new().time(folder.time).tail(&folder.unique),
        );
        let parent = Key::new().text(&folder.parent);
        derived.indexed(BACKUP_FOLDERS_BY_PARENT, parent.time(folder.time).tail(&folder.unique));
    },
    text: |folder| searchable(&[&folder.name]),
};

/// Backup files.
pub const BACKUPS: Collection<Backup> = Collection {
    name: "backups",
    version: 1,
    identity: |backup| &backup.unique,
    derive: derive_backup,
    text: |backup| searchable(&[&backup.name]),
};

/// A folder of backups.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupFolder {
    /// Its identity.
    pub unique: String,
    /// The folder it is in; empty at the top.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// When the backup was made, in seconds.
    pub time: i64,
}

/// A backup file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Backup {
    /// Its identity.
    pub unique: String,
    /// Base58 of the SHA-256 of the stored bytes.
    pub hash: String,
    /// The folder it is in.
    pub parent: String,
    /// The node the messages are with.
    pub node_id: String,
    /// 1 single chat, 2 group chat.
    pub r#type: i32,
    /// Its name.
    pub name: String,
    /// When the backup was made, in seconds.
    pub time: i64,
    /// Bytes stored, capped.
    pub size: u64,
    /// Messages in it, capped.
    pub message_num: i64,
    /// The nickname of who the messages are with.
    pub nickname: String,
    /// The domain name.
    pub domain_name: String,
    /// Whether a password protects the blob.
    pub protected: bool,
}

impl BackupFolder {
    /// The row of the space.
    pub fn cloud_fields(&self) -> Vec<Field> {
        vec![
            text("unique", &self.unique),
            text("parent", &self.parent),
            text("name", &self.name),
            integer("time", self.time),
        ]
    }
}

impl Backup {
    /// The row of the space.
    pub fn cloud_fields(&self) -> Vec<Field> {
        let mut fields = vec![
            text("unique", &self.unique),
            text("hash", &self.hash),
            text("parent", &self.parent),
            text("nodeId", &self.node_id),
            integer("type", i64::from(self.r#type)),
            text("name", &self.name),
            integer("time", self.time),
            integer("size", amount(self.size)),
            integer("messageNum", self.message_num),
            text("nickname", &self.nickname),
            text("domainName", &self.domain_name),
        ];
        if self.protected {
            fields.push(boolean("protected", true));
        }
        fields
    }
}

fn derive_backup(backup: &Backup, derived: &mut Derived) {
    let folder = Key::new().text(&backup.parent);
    derived.listed(BACKUPS_BY_FOLDER, folder.clone().time(backup.time).tail(&backup.unique));
    derived.listed(BACKUPS_BY_TIME, Key::new().time(backup.time).tail(&backup.unique));
    derived.counted(
        BACKUP_FOLDER_TOTALS,
        folder.clone().byte(BYTES).prefix(),
        amount(backup.size),
    );
    let chats = if backup.r#type == GROUP_CHAT { GROUP } else { SINGLE };
    derived.counted(BACKUP_FOLDER_TOTALS, folder.byte(chats).prefix(), backup.message_num);
    derive_blob(
        derived,
        "backups",
        Some(BACKUPS_BY_HASH),
        &backup.hash,
        &backup.unique,
        backup.size,
    );
}

impl From<Backup> for BlobFile {
    fn from(backup: Backup) -> Self {
        Self {
            ext: dotted_extension(&backup.name),
            thumb: String::new(),
            hash: backup.hash,
            name: backup.name,
            size: backup.size,
            path: backup.parent,
            protected: backup.protected,
        }
    }
}

pub(super) fn by_hash(ctx: &dyn Context, hash: &str) -> Option<Backup> {
    first_with_hash(ctx, &BACKUPS, BACKUPS_BY_HASH, hash)
}

/// The totals of a folder of backups, without its sub-folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupTotals {
    /// Bytes of its files.
    pub bytes: u64,
    /// Messages of single chats.
    pub single: u64,
    /// Messages of group chats.
    pub group: u64,
}

impl BackupTotals {
    /// The totals of this folder.
    pub fn of(ctx: &dyn Context, folder: &str) -> Self {
        let of = |what| count(ctx, BACKUP_FOLDER_TOTALS, &Key::new().text(folder).byte(what).prefix());
        Self {
            bytes: of(BYTES),
            single: of(SINGLE),
            group: of(GROUP),
        }
    }
}
