//! Why the bytes of a client were not taken.

use std::io;

use stowage_storage::{Error as StorageError, UpdateError};

/// Why the bytes of a client were not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IncomingError {
    /// The disk would have less than its free minimum.
    #[error("the disk has no room for this file; free some space and try again")]
    NoRoom,
    /// As many files as allowed arrive at the moment.
    #[error("too many files arrive at once; try again in a moment")]
    Busy,
    /// As many uploads as allowed are unfinished.
    #[error("too many uploads are unfinished; finish or delete some")]
    TooManyUploads,
    /// More bytes came than the upload has.
    #[error("the upload has {length} bytes, more came")]
    TooLong {
        /// All bytes of the upload.
        length: u64,
    },
    /// The bytes of an upload do not have the checksum that came with them. They were dropped.
    #[error("the bytes do not have this checksum")]
    Checksum,
    /// Bytes of the upload that were on the disk are gone.
    #[error("the bytes that were received are gone; begin again")]
    Lost,
    /// The bytes ended early, so that nothing was kept.
    #[error("the bytes ended early")]
    Cut,
    /// A file cannot be read or written.
    #[error("a file in the staging directory cannot be read or written")]
    File(#[source] io::Error),
    /// The database cannot be read.
    #[error("the unfinished uploads cannot be read from the database")]
    Read(#[from] StorageError),
    /// The database cannot be written.
    #[error("the upload cannot be written to the database")]
    Write(#[from] UpdateError<StorageError>),
}

impl From<io::Error> for IncomingError {
    fn from(error: io::Error) -> IncomingError {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                IncomingError::NoRoom
            }
            _ => IncomingError::File(error),
        }
    }
}
