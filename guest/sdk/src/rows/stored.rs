//! Files and folders of the cloud storage, and files of DAPPs.
//!
//! The path of a file or a folder is made of the identities of the folders that lead to it, joined
//! by `/`. It is empty at the top.

use serde::{Deserialize, Serialize};

use super::{BlobFile, boolean, derive_blob, identities, integer, text};
use crate::bindings::cloud::Field;
use crate::collection::Collection;
use crate::context::Context;
use crate::derived::Derived;
use crate::hash::sha256;
use crate::key::Key;
use crate::keyword::searchable;
use crate::kind::Kind;
use crate::migration::Migration;

/// Index: path ([`storage_path_key`]), time, identity; the searchable text.
pub const STORAGE_FOLDERS_BY_PATH: &str = "storage-folders-by-path";

/// Index: path and name ([`name_key`]), identity. The space may have the same name twice.
const STORAGE_FOLDERS_BY_NAME: &str = "storage-folders-by-name";

/// Index: path ([`storage_path_key`]), time, identity; the searchable text.
pub const STORAGE_FILES_BY_PATH: &str = "storage-files-by-path";

/// Index: path ([`storage_path_key`]), kind, time, identity; the searchable text.
pub const STORAGE_FILES_BY_KIND: &str = "storage-files-by-kind";

/// Index: path and name ([`name_key`]), identity. The space may have the same name twice.
const STORAGE_FILES_BY_NAME: &str = "storage-files-by-name";

/// Folders of the cloud storage.
pub const STORAGE_FOLDERS: Collection<StorageFolder> = Collection {
    name: "storage-folders",
    version: 1,
    identity: |folder| &folder.id,
    derive: |folder, derived| {
        let path = storage_path_key(&folder.path);
        derived.listed(STORAGE_FOLDERS_BY_PATH, path.time(folder.time).tail(&folder.id));
        let name = name_key(&folder.path, &folder.name);
        derived.indexed(STORAGE_FOLDERS_BY_NAME, name.tail(&folder.id));
    },
    text: |folder| searchable(&[&folder.name]),
};

/// Files of the cloud storage.
pub const STORAGE_FILES: Collection<StoredFile> = Collection {
    name: "storage-files",
    version: 2,
    identity: |file| &file.hash,
    derive: derive_storage_file,
    text: |file| searchable(&[&file.name]),
};

/// Files of DAPPs.
pub const DAPP_FILES: Collection<StoredFile> = Collection {
    name: "dapp-files",
    version: 2,
    identity: |file| &file.hash,
    derive: |file, derived| derive_blob(derived, "dapp-files", None, &file.hash, &file.hash, file.size),
    text: |_| Vec::new(),
};

/// A folder of the cloud storage.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StorageFolder {
    /// Its identity, a UUID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was made, in milliseconds.
    pub time: i64,
    /// The identities of the folders that lead to it.
    pub path: String,
}

impl StorageFolder {
    /// The path of what is in the folder.
    pub fn inner_path(&self) -> String {
        match trimmed(&self.path) {
            "" => self.id.clone(),
            path => format!("{path}/{}", self.id),
        }
    }

    /// The row of the space.
    pub fn cloud_fields(&self) -> Vec<Field> {
        vec![
            text("id", &self.id),
            text("name", &self.name),
            integer("time", self.time),
            text("path", &self.path),
        ]
    }
}

/// A file of the cloud storage or of a DAPP.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StoredFile {
    /// Base58 of the SHA-256 of the stored bytes. It is the identity.
    pub hash: String,
    /// Its name.
    pub name: String,
    /// Bytes stored, capped.
    pub size: u64,
    /// When it was stored, in milliseconds.
    pub time: i64,
    /// The identities of the folders that lead to it.
    pub path: String,
    /// The extension with its dot.
    pub ext: String,
    /// The thumbnail's address.
    pub thumb: String,
    /// Whether a password protects the blob.
    pub protected: bool,
    /// Its [`Kind`](crate::Kind) as a number; 0 in a row of version 1.
    pub kind: u8,
}

impl StoredFile {
    /// The row of the space.
    pub fn cloud_fields(&self) -> Vec<Field> {
        let mut fields = vec![
            text("hash", &self.hash),
            text("name", &self.name),
            integer("size", super::amount(self.size)),
            integer("time", self.time),
            text("path", &self.path),
            text("ext", &self.ext),
            text("thumb", &self.thumb),
        ];
        if self.protected {
            fields.push(boolean("protected", true));
        }
        fields
    }
}

impl From<StoredFile> for BlobFile {
    fn from(file: StoredFile) -> Self {
        Self {
            hash: file.hash,
            name: file.name,
            ext: file.ext,
            thumb: file.thumb,
            size: file.size,
            path: file.path,
            protected: file.protected,
        }
    }
}

fn derive_storage_file(file: &StoredFile, derived: &mut Derived) {
    let path = storage_path_key(&file.path);
    derived.listed(STORAGE_FILES_BY_PATH, path.clone().time(file.time).tail(&file.hash));
    derived.listed(
        STORAGE_FILES_BY_KIND,
        path.byte(file.kind).time(file.time).tail(&file.hash),
    );
    let name = name_key(&file.path, &file.name);
    derived.indexed(STORAGE_FILES_BY_NAME, name.tail(&file.hash));
    derive_blob(derived, "storage-files", None, &file.hash, &file.hash, file.size);
}

/// What follows from a file of the cloud storage in version 1.
fn derive_storage_file_1(file: &StoredFile, derived: &mut Derived) {
    derive_blob(derived, "storage-files", None, &file.hash, &file.hash, file.size);
}

/// Migrates files of the cloud storage and of DAPPs from version 1: they get their kind, and their
/// entries in the indexes.
pub fn migrate_stored_files(step: &mut Migration<'_>) {
    let set_kind = |file: &mut StoredFile| file.kind = Kind::of("", &file.name, &file.ext) as u8;
    step.rederive(&STORAGE_FILES, derive_storage_file_1, set_kind);
    step.rederive(&DAPP_FILES, DAPP_FILES.derive, set_kind);
}

/// The prefix of a path's keys in the indexes of the cloud storage. A `/` at the start or end of
/// the path does not count.
pub fn storage_path_key(path: &str) -> Key {
    Key::new().text_or_hash(trimmed(path))
}

fn trimmed(path: &str) -> &str {
    path.trim_matches('/')
}

/// The prefix of a name's keys in the indexes of names. The path is always hashed: a key has no
/// room for a path, a name and an identity.
fn name_key(path: &str, name: &str) -> Key {
    Key::new().fixed(&sha256(&[trimmed(path)])).text_or_hash(name.trim())
}

/// The identities of the folders at this path with this name, at most two. The name is compared
/// without white space at its ends.
pub fn storage_folders_named(ctx: &dyn Context, path: &str, name: &str) -> Vec<String> {
    identities(ctx, STORAGE_FOLDERS_BY_NAME, &name_key(path, name).prefix(), 2)
}

/// The hashes of the files at this path with this name, at most two. The name is compared without
/// white space at its ends.
pub fn storage_files_named(ctx: &dyn Context, path: &str, name: &str) -> Vec<String> {
    identities(ctx, STORAGE_FILES_BY_NAME, &name_key(path, name).prefix(), 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Keyword, Listing, MemoryContext, Order};

    fn folder(id: &str, name: &str, path: &str, time: i64) -> StorageFolder {
        StorageFolder {
            id: id.to_owned(),
            name: name.to_owned(),
            time,
            path: path.to_owned(),
        }
    }

    fn file(of: &str, name: &str, path: &str, time: i64) -> StoredFile {
        StoredFile {
            hash: crate::base58_sha256(&[of]),
            name: name.to_owned(),
            size: 5,
            time,
            path: path.to_owned(),
            kind: Kind::of("", name, "") as u8,
            ..StoredFile::default()
        }
    }

    #[test]
    fn a_folder_lists_what_is_directly_in_it() {
        let ctx = MemoryContext::new();
        let (top, inner) = (folder("a", "Top", "", 1), folder("b", "Inner", "a", 2));
        assert_eq!((top.inner_path(), inner.inner_path()), ("a".into(), "a/b".into()));
        STORAGE_FOLDERS.apply(&ctx, [top, inner, folder("c", "Other", "/a/", 1)], &[]);
        let in_folder = |path: &str| Listing::new(STORAGE_FOLDERS_BY_PATH, storage_path_key(path).prefix());
        assert_eq!(in_folder("").all(&ctx), ["a"]);
        assert_eq!(in_folder("a").all(&ctx), ["c", "b"], "slashes at the ends do not count");
        assert_eq!(in_folder("a/b").all(&ctx), Vec::<String>::new());
        let found = in_folder("a").containing(&Keyword::new(Some("INN"))).all(&ctx);
        assert_eq!(found, ["b"]);
    }

    #[test]
    fn files_are_listed_by_path_kind_and_time() {
        let ctx = MemoryContext::new();
        let rows = [
            file("1", "old.jpg", "a/b", 1),
            file("2", "new.png", "a/b", 3),
            file("3", "notes.txt", "a/b", 2),
            file("4", "other.jpg", "a", 1),
        ];
        let hashes: Vec<_> = rows.iter().map(|file| file.hash.clone()).collect();
        STORAGE_FILES.apply(&ctx, rows, &[]);
        let path = storage_path_key("a/b");
        let newest = Listing::new(STORAGE_FILES_BY_PATH, path.clone().prefix()).order(Order::Desc);
        assert_eq!(newest.all(&ctx), [&hashes[1..3], &hashes[..1]].concat());
        let media = Listing::new(STORAGE_FILES_BY_KIND, path.byte(Kind::Media as u8).prefix());
        assert_eq!(media.all(&ctx), hashes[..2]);
    }

    #[test]
    fn a_name_is_found_in_its_folder_only() {
        let ctx = MemoryContext::new();
        let rows = [folder("a", " 图片 ", "", 1), folder("b", "图片", "a", 1)];
        STORAGE_FOLDERS.apply(&ctx, rows, &[]);
        assert_eq!(storage_folders_named(&ctx, "", "图片"), ["a"]);
        assert_eq!(storage_folders_named(&ctx, "a", "图片"), ["b"]);
        assert_eq!(storage_folders_named(&ctx, "a/图片", ""), Vec::<String>::new());
        STORAGE_FILES.apply(&ctx, [file("1", "b/c", "a", 1), file("2", "c", "a/b", 1)], &[]);
        assert_eq!(storage_files_named(&ctx, "a", "b/c"), [crate::base58_sha256(&["1"])]);
        STORAGE_FILES.apply(&ctx, [file("1", "d", "a", 1)], &[]);
        assert_eq!(storage_files_named(&ctx, "a", "b/c"), Vec::<String>::new());
    }

    #[test]
    fn a_path_and_a_name_of_any_length_are_stored() {
        let ctx = MemoryContext::new();
        let (path, name) = ("p".repeat(700_000), "n".repeat(2000));
        let id = "i".repeat(480);
        STORAGE_FOLDERS.apply(&ctx, [folder(&id, &name, &path, 1)], &[]);
        STORAGE_FILES.apply(&ctx, [file("1", &name, &path, 1)], &[]);
        assert_eq!(storage_folders_named(&ctx, &path, &name), [id]);
        assert_eq!(storage_files_named(&ctx, &path, &name), [crate::base58_sha256(&["1"])]);
    }
}
