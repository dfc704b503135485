//! Files of the cloud storage and of DAPPs.

use serde::{Deserialize, Serialize};

use super::{BlobFile, boolean, derive_blob, integer, text};
use crate::bindings::cloud::Field;
use crate::collection::Collection;

/// Files of the cloud storage.
pub const STORAGE_FILES: Collection<StoredFile> = Collection {
    name: "storage-files",
    version: 1,
    identity: |file| &file.hash,
    derive: |file, derived| derive_blob(derived, "storage-files", None, &file.hash, &file.hash, file.size),
    text: |_| Vec::new(),
};

/// Files of DAPPs.
pub const DAPP_FILES: Collection<StoredFile> = Collection {
    name: "dapp-files",
    version: 1,
    identity: |file| &file.hash,
    derive: |file, derived| derive_blob(derived, "dapp-files", None, &file.hash, &file.hash, file.size),
    text: |_| Vec::new(),
};

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
    /// The folder identifiers that lead to it.
    pub path: String,
    /// The extension with its dot.
    pub ext: String,
    /// The thumbnail's address.
    pub thumb: String,
    /// Whether a password protects the blob.
    pub protected: bool,
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
