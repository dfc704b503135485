//! How the work on a task ended.

use std::io;
use std::time::Duration;

use stowage_cloud::{Error as SpaceError, ErrorClass, Hash};
use stowage_storage::{Error as StorageError, UpdateError};

use crate::decrypt::DecryptError;
use crate::disk::{DirectoryError, FinishedFile};
use crate::request::{HookError, Refusal};
use crate::task::code;
use crate::upload_roots::PathError;

/// How the work on a task ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The upload is complete.
    Uploaded,
    /// The download is complete.
    Downloaded(FinishedFile),
    /// The host shuts down, or a person stopped the task.
    Stopped,
    /// It may work later. `progressed` tells whether this attempt got further than the one before.
    Retry { error: TransferError, progressed: bool },
    /// A password is needed first.
    NoPassword,
    /// It will not work again by itself.
    Failed { code: i32, error: TransferError },
    /// The disk is full, or has less than the free bytes that must stay.
    DiskFull(TransferError),
    /// The disk still lacks room.
    NoRoomYet,
    /// The blob is neither in the space nor on this machine.
    BlobMissing,
    /// The module says that the space has no room for it.
    NoSpace,
    /// The disk of the space is full.
    SpaceFull(SpaceError),
}

/// Why an attempt at a transfer failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransferError {
    /// The directory is outside the directories of downloads.
    #[error("the directory {directory} cannot take a download")]
    Directory {
        directory: String,
        #[source]
        source: DirectoryError,
    },
    /// The directory cannot be opened or made.
    #[error("the directory {directory} cannot be opened")]
    OpenDirectory {
        directory: String,
        #[source]
        source: io::Error,
    },
    /// A file of the download cannot be read or written.
    #[error("a file of the download cannot be read or written")]
    File(#[from] io::Error),
    /// The thread that writes the file panicked.
    #[error("the thread that writes the file panicked")]
    Writer(#[source] tokio::task::JoinError),
    /// The work on the task panicked.
    #[error("the work on the transfer panicked")]
    Panic,
    /// The space failed.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// The task cannot be written to the database.
    #[error("the task cannot be written to the database")]
    Storage(#[from] UpdateError<StorageError>),
    /// The source ended early.
    #[error("the source ended after {found_bytes} of {expected_bytes} bytes")]
    SourceEnded { found_bytes: u64, expected_bytes: u64 },
    /// The source sent nothing for too long.
    #[error("the source sent no bytes for {} s", .0.as_secs_f32())]
    Stalled(Duration),
    /// The file to upload changed since it was prepared.
    #[error("the file to upload changed since it was prepared")]
    SourceChanged,
    /// The file to upload cannot be opened.
    #[error(transparent)]
    Source(#[from] PathError),
    /// The bytes have another hash.
    #[error("expected {size} bytes with hash {expected}, got other bytes with hash {found}")]
    WrongHash { size: u64, expected: Hash, found: Hash },
    /// The protected file cannot be opened.
    #[error(transparent)]
    Decrypt(#[from] DecryptError),
    /// The module refused the upload.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The module could not be asked.
    #[error(transparent)]
    Hook(#[from] HookError),
}

impl TransferError {
    /// How long the space asks to wait before the next attempt.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            TransferError::Space(error) => match error.class() {
                ErrorClass::Busy { retry_after } => retry_after,
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether a local disk is full.
    fn is_disk_full(&self) -> bool {
        match self {
            TransferError::File(source)
            | TransferError::OpenDirectory { source, .. }
            | TransferError::Decrypt(DecryptError::Io(source)) => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            _ => false,
        }
    }
}

impl Outcome {
    /// An end that only a person or a free disk can change.
    pub(crate) fn failed(error: impl Into<TransferError>) -> Outcome {
        match error.into() {
            error if error.is_disk_full() => Outcome::DiskFull(error),
            error @ TransferError::WrongHash { .. } => Outcome::Failed {
                code: code::WRONG_BYTES,
                error,
            },
            error => Outcome::Failed {
                code: code::FAILURE,
                error,
            },
        }
    }

    /// A retry after an attempt without progress.
    pub(crate) fn retry(error: impl Into<TransferError>) -> Outcome {
        Outcome::Retry {
            error: error.into(),
            progressed: false,
        }
    }
}

impl From<SpaceError> for Outcome {
    fn from(error: SpaceError) -> Outcome {
        match error.class() {
            ErrorClass::Refused => Outcome::Failed {
                code: code::REFUSED,
                error: error.into(),
            },
            ErrorClass::Full => Outcome::SpaceFull(error),
            ErrorClass::Permanent => Outcome::failed(error),
            // A blob that vanished during reading is searched again. The search tells whether it
            // still exists.
            _ => Outcome::retry(error),
        }
    }
}

impl From<UpdateError<StorageError>> for Outcome {
    fn from(error: UpdateError<StorageError>) -> Outcome {
        Outcome::retry(error)
    }
}

impl From<DecryptError> for Outcome {
    fn from(error: DecryptError) -> Outcome {
        match error {
            DecryptError::Stopped => Outcome::Stopped,
            DecryptError::Password => Outcome::Failed {
                code: code::WRONG_PASSWORD,
                error: error.into(),
            },
            _ => Outcome::failed(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn source() -> stowage_cloud::Source {
        Arc::new(io::Error::other("so the store says"))
    }

    fn subject() -> String {
        "blobs/x".to_owned()
    }

    #[test]
    fn errors_of_the_space_have_the_outcome_of_their_class() {
        let refused = SpaceError::Refused {
            subject: subject(),
            source: source(),
        };
        assert!(matches!(Outcome::from(refused), Outcome::Failed { code: 403, .. }));
        let full = SpaceError::Full {
            subject: subject(),
            source: source(),
        };
        assert!(matches!(Outcome::from(full), Outcome::SpaceFull(_)));
        let newer = SpaceError::NewerFormat { found: 9 };
        assert!(matches!(Outcome::from(newer), Outcome::Failed { code: 500, .. }));
        let missing = SpaceError::Missing { object: subject() };
        assert!(matches!(Outcome::from(missing), Outcome::Retry { .. }));
    }

    #[test]
    fn a_busy_space_says_how_long_to_wait() {
        let retry_after = Some(Duration::from_secs(7));
        let busy = SpaceError::Busy {
            subject: subject(),
            retry_after,
            source: source(),
        };
        let Outcome::Retry { error, .. } = Outcome::from(busy) else {
            panic!("it may work later");
        };
        assert_eq!(error.retry_after(), retry_after);
        assert_eq!(TransferError::Panic.retry_after(), None);
    }

    #[test]
    fn a_full_disk_waits_and_wrong_bytes_fail() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            assert!(matches!(Outcome::failed(io::Error::from(kind)), Outcome::DiskFull(_)));
            let decrypting = DecryptError::Io(kind.into());
            assert!(matches!(Outcome::from(decrypting), Outcome::DiskFull(_)));
        }
        let other = io::Error::from(io::ErrorKind::PermissionDenied);
        assert!(matches!(Outcome::failed(other), Outcome::Failed { code: 500, .. }));
        let wrong = TransferError::WrongHash {
            size: 1,
            expected: Hash::of(b"x"),
            found: Hash::of(b"y"),
        };
        assert!(matches!(Outcome::failed(wrong), Outcome::Failed { code: 422, .. }));
    }
}
