//! What imported files become.

/// What the files become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Favourites, in the folder of this name. It is made if there is none. An empty name means the
    /// default folder.
    Favorites {
        /// The folder's name.
        folder: String,
    },
    /// Temp files of this conversation.
    TempFiles {
        /// The conversation's identity.
        conversation: String,
    },
    /// Chat backups, in the folder of this name. It is made if there is none.
    Backups {
        /// The folder's name.
        folder: String,
    },
    /// Cloud storage files.
    Storage,
    /// Files of DAPPs.
    Dapp,
}
