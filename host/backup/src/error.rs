//! Why a backup, a restore or a check failed.

use std::io;
use std::path::{Path, PathBuf};

use stowage_storage::{BackendError, OpenError};

/// Why a backup, a restore or a check failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL of the backups names no place for them.
    #[error("{url}: {reason}")]
    Url {
        /// The URL, without credentials.
        url: String,
        /// What was expected.
        reason: String,
    },
    /// The store of the backups failed.
    #[error("{object} of the backups at {place}: {reason}")]
    Store {
        /// The URL of the backups, without credentials.
        place: String,
        /// The object.
        object: String,
        /// What the store said, and what to do.
        reason: String,
    },
    /// There are no backups at the place.
    #[error("there are no backups at {place}: check the name for a typing error, and that its disk is mounted")]
    NoBackups {
        /// The URL of the backups, without credentials.
        place: String,
    },
    /// There is no backup with this identifier.
    #[error("there is no backup {id} at {place}; `stowage db backups {place}` lists all of them")]
    NoSuchBackup {
        /// The URL of the backups, without credentials.
        place: String,
        /// The identifier.
        id: String,
    },
    /// The place has backups of several hosts, and none was chosen.
    #[error("{place} has backups of several hosts; choose one with --id: {newest}")]
    SeveralHosts {
        /// The URL of the backups, without credentials.
        place: String,
        /// The newest backup of each host.
        newest: String,
    },
    /// A backup is of the future, and none was chosen.
    #[error(
        "{id} at {place} has a time of the future, so the newest backup is not known: check the clock of this machine; \
         if it is right, choose a backup with --id; `stowage db backups {place}` lists all of them"
    )]
    OfFuture {
        /// The URL of the backups, without credentials.
        place: String,
        /// The identifier.
        id: String,
    },
    /// A newer program made the backups.
    #[error("{object} at {place} has format {found}, and this program knows format {known}; use a newer program")]
    NewerFormat {
        /// The URL of the backups, without credentials.
        place: String,
        /// The object.
        object: String,
        /// Its format.
        found: u64,
        /// The format of this program.
        known: u64,
    },
    /// An object of the backups is missing.
    #[error(
        "{object} of the backups at {place} is missing; choose an older backup with --id, or restore the object from a copy of \
         the backups"
    )]
    Missing {
        /// The URL of the backups, without credentials.
        place: String,
        /// The object.
        object: String,
    },
    /// An object of the backups is not what was written.
    #[error(
        "{object} of the backups at {place} is damaged ({reason}); choose an older backup with --id, or restore the object from a \
         copy of the backups"
    )]
    Damaged {
        /// The URL of the backups, without credentials.
        place: String,
        /// The object.
        object: String,
        /// What is wrong.
        reason: String,
    },
    /// The place holds other files.
    #[error("{place} holds other files and no backups: name an empty folder, or a folder of backups")]
    Occupied {
        /// The URL of the backups, without credentials.
        place: String,
    },
    /// Somebody removed the mark of this backup, or objects that it needs.
    #[error("the backup at {place} lost {what}, because it took too long or somebody removed it; start it again")]
    Lost {
        /// The URL of the backups, without credentials.
        place: String,
        /// What is gone.
        what: String,
    },
    /// Somebody removes old backups at the place.
    #[error("old backups at {place} are being removed by another program ({object}); try again in a moment")]
    Pruning {
        /// The URL of the backups, without credentials.
        place: String,
        /// Its mark.
        object: String,
    },
    /// The server stops, or somebody cancelled it.
    #[error("the backup was cancelled; what it has stored is used by the next one")]
    Cancelled,
    /// The data directory of a restore is not empty.
    #[error("{} is not empty; name a new directory, and start the server with --data on it", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// The place where a restore works has something else.
    #[error("{}: {reason}; a restore works there: move it away, or restore into another directory", path.display())]
    Draft {
        /// The directory.
        path: PathBuf,
        /// What is there.
        reason: &'static str,
    },
    /// Another restore works on the same directory.
    #[error("another restore into this directory is running, in {}", path.display())]
    RestoreRuns {
        /// Its directory.
        path: PathBuf,
    },
    /// What was restored is not what the backup says.
    #[error(
        "table {table}: the restored rows differ from the backup: expected {expected}, found {found}; nothing was restored"
    )]
    Differs {
        /// The table.
        table: String,
        /// What the manifest says.
        expected: String,
        /// What was found.
        found: String,
    },
    /// A file of this machine failed.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No row has this table.
    #[error("there is no table {table:?}: no row is in it")]
    NoSuchTable {
        /// Its name.
        table: String,
    },
    /// The database could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database could not be read.
    #[error("the database cannot be read")]
    Read(#[source] stowage_storage::Error),
    /// A new database could not be filled.
    #[error("the new database cannot be written")]
    Fill(#[source] stowage_storage::Error),
    /// A thread of this program panicked: a bug.
    #[error("a thread ended by a panic; see the log")]
    Panicked,
}

impl Error {
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    }

    /// Whether the same backup may succeed later although nobody changes anything.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Error::Store { .. } | Error::Lost { .. } | Error::Pruning { .. } | Error::File { .. } | Error::Read(_)
        )
    }
}

impl From<stowage_storage::Error> for Error {
    fn from(error: stowage_storage::Error) -> Self {
        Error::Read(error)
    }
}

impl From<BackendError> for Error {
    fn from(error: BackendError) -> Self {
        Error::Read(error.into())
    }
}
