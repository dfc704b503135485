//! The collections of a space.

use std::fmt;

/// A collection of rows: `lists/NAME/` in the space.
#[derive(PartialEq, Eq)]
pub struct Collection {
    /// Its name in the space.
    pub name: &'static str,
    /// The field that holds the identity of a row.
    pub identity: &'static str,
    /// Whether the identity of a row is the hash of its blob.
    pub identity_is_hash: bool,
}

/// All collections of format 1. Folders come before the files in them.
pub static COLLECTIONS: [Collection; 9] = [
    Collection {
        name: "favorite-folders",
        identity: "id",
        identity_is_hash: false,
    },
    Collection {
        name: "favorites",
        identity: "unique",
        identity_is_hash: false,
    },
    Collection {
        name: "temp-folders",
        identity: "unique",
        identity_is_hash: false,
    },
    Collection {
        name: "temp-files",
        identity: "unique",
        identity_is_hash: false,
    },
    Collection {
        name: "backup-folders",
        identity: "unique",
        identity_is_hash: false,
    },
    Collection {
        name: "backups",
        identity: "unique",
        identity_is_hash: false,
    },
    Collection {
        name: "storage-folders",
        identity: "id",
        identity_is_hash: false,
    },
    Collection {
        name: "storage-files",
        identity: "hash",
        identity_is_hash: true,
    },
    Collection {
        name: "dapp-files",
        identity: "hash",
        identity_is_hash: true,
    },
];

impl Collection {
    /// The collection with this name.
    pub fn named(name: &str) -> Option<&'static Collection> {
        COLLECTIONS.iter().find(|collection| collection.name == name)
    }
}

impl fmt::Debug for Collection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
