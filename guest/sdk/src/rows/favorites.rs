//! Favourites and their folders.

use serde::{Deserialize, Serialize};

use super::{BlobFile, boolean, derive_blob, first_with_hash, identities, integer, text};
use crate::bindings::cloud::Field;
use crate::collection::Collection;
use crate::context::Context;
use crate::derived::Derived;
use crate::key::Key;
use crate::keyword::searchable;
use crate::kind::dotted_extension;
use crate::message::Message;
use crate::writer::{Blobs, Writer};

/// The identity of the default folder, which always exists.
pub const DEFAULT_FOLDER_ID: &str = "1";

/// The name of the default folder until a person renames it.
pub const DEFAULT_FOLDER_NAME: &str = "我的收藏";

/// Index: time, identity; the name, so that a list needs no rows. The default folder is not in it,
/// because it is first in every order.
pub const FAVORITE_FOLDERS_BY_TIME: &str = "favorite-folders-by-time";

/// Index: the trimmed name ([`name_key`]), identity. The space may have the same name twice.
const FAVORITE_FOLDERS_BY_NAME: &str = "favorite-folders-by-name";

/// Index: folder, time, identity; the searchable text.
pub const FAVORITES_BY_FOLDER: &str = "favorites-by-folder";

/// Index: folder, kind, time, identity; the searchable text.
pub const FAVORITES_BY_KIND: &str = "favorites-by-kind";

/// Index: hash, identity.
pub(super) const FAVORITES_BY_HASH: &str = "favorites-by-hash";

/// Folders of favourites.
pub const FAVORITE_FOLDERS: Collection<FavoriteFolder> = Collection {
    name: "favorite-folders",
    version: 1,
    identity: |folder| &folder.id,
    derive: |folder, derived| {
        derived.indexed(FAVORITE_FOLDERS_BY_NAME, name_key(&folder.name).tail(&folder.id));
        if folder.id != DEFAULT_FOLDER_ID {
            derived.listed(FAVORITE_FOLDERS_BY_TIME, Key::new().time(folder.time).tail(&folder.id));
        }
    },
    text: |folder| folder.name.clone().into_bytes(),
};

/// The prefix of a name's keys in the index of names.
fn name_key(name: &str) -> Key {
    Key::new().text_or_hash(name.trim())
}

/// Favourites.
pub const FAVORITES: Collection<Favorite> = Collection {
    name: "favorites",
    version: 1,
    identity: |favorite| &favorite.unique,
    derive: derive_favorite,
    text: |favorite| {
        let message = Message::parse(&favorite.msg_content);
        searchable(&[
            &favorite.name,
            message.text.as_deref().unwrap_or_default(),
            &favorite.origin_nickname,
        ])
    },
};

/// A folder of favourites.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FavoriteFolder {
    /// A UUID, or `1` for the default folder.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was made, in milliseconds.
    pub time: i64,
}

impl FavoriteFolder {
    /// The row of the space.
    pub fn cloud_fields(&self) -> Vec<Field> {
        vec![
            text("id", &self.id),
            text("name", &self.name),
            integer("time", self.time),
        ]
    }
}

/// A favourite.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Favorite {
    /// Its identity.
    pub unique: String,
    /// The folder it is in.
    pub folder: String,
    /// The message it came from.
    pub msg_id: String,
    /// The message as JSON text.
    pub msg_content: String,
    /// The message's type.
    pub msg_type: i32,
    /// The file's hash, or the message's for a text.
    pub hash: String,
    /// The file's name.
    pub name: String,
    /// Bytes stored, capped.
    pub size: u64,
    /// When it was added, in seconds.
    pub time: i64,
    /// The node the message came from.
    pub node_address: String,
    /// The nickname of the sender.
    pub origin_nickname: String,
    /// Whether a password protects the blob.
    pub protected: bool,
    /// Its [`Kind`](crate::Kind) as a number.
    pub kind: u8,
}

impl Favorite {
    /// The row of the space.
    pub fn cloud_fields(&self) -> Vec<Field> {
        let mut fields = vec![
            text("unique", &self.unique),
            text("folder", &self.folder),
            text("msgId", &self.msg_id),
            text("msgContent", &self.msg_content),
            integer("msgType", i64::from(self.msg_type)),
            text("hash", &self.hash),
            text("name", &self.name),
            integer("size", super::amount(self.size)),
            integer("time", self.time),
            text("nodeAddress", &self.node_address),
            text("originNickname", &self.origin_nickname),
        ];
        if self.protected {
            fields.push(boolean("protected", true));
        }
        fields
    }
}

fn derive_favorite(favorite: &Favorite, derived: &mut Derived) {
    let folder = Key::new().text(&favorite.folder);
    derived.listed(
        FAVORITES_BY_FOLDER,
        folder.clone().time(favorite.time).tail(&favorite.unique),
    );
    derived.listed(
        FAVORITES_BY_KIND,
        folder.byte(favorite.kind).time(favorite.time).tail(&favorite.unique),
    );
    derive_blob(
        derived,
        "favorites",
        Some(FAVORITES_BY_HASH),
        &favorite.hash,
        &favorite.unique,
        favorite.size,
    );
}

impl From<Favorite> for BlobFile {
    fn from(favorite: Favorite) -> Self {
        Self {
            ext: dotted_extension(&favorite.name),
            thumb: Message::parse(&favorite.msg_content).thumb,
            hash: favorite.hash,
            name: favorite.name,
            size: favorite.size,
            path: favorite.folder,
            protected: favorite.protected,
        }
    }
}

pub(super) fn by_hash(ctx: &dyn Context, hash: &str) -> Option<Favorite> {
    first_with_hash(ctx, &FAVORITES, FAVORITES_BY_HASH, hash)
}

/// The default folder. It is made at first use if the space has none. The space is not told,
/// because every device has the folder.
pub fn default_folder(ctx: &dyn Context) -> FavoriteFolder {
    FAVORITE_FOLDERS.get(ctx, DEFAULT_FOLDER_ID).unwrap_or_else(|| {
        let folder = FavoriteFolder {
            id: DEFAULT_FOLDER_ID.to_owned(),
            name: DEFAULT_FOLDER_NAME.to_owned(),
            time: ctx.now_ms(),
        };
        Writer::scope(ctx, Blobs::Keep, |writer| writer.put(&FAVORITE_FOLDERS, &folder));
        folder
    })
}

/// The identities of the folders with this name, at most two.
pub fn folders_named(ctx: &dyn Context, name: &str) -> Vec<String> {
    identities(ctx, FAVORITE_FOLDERS_BY_NAME, &name_key(name).prefix(), 2)
}
