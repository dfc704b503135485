//! Why an operation on the space failed.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use crate::Hash;
use crate::redaction::{Redacted, redacted};
use crate::store_failure::StoreFailure;

/// An error that several callers can get.
pub type Source = Arc<dyn std::error::Error + Send + Sync>;

/// Why a sink did not take rows.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// Why an operation on the space failed. Cheap to clone, because several callers may wait for one
/// operation.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store cannot be reached. A later attempt may succeed.
    #[error("{subject}: the space cannot be reached: {source}")]
    Unreachable {
        /// The object or operation.
        subject: String,
        /// What the store said.
        source: Source,
    },
    /// The store refuses us: the credentials are wrong, or they do not allow this.
    #[error("{subject}: the space refuses access; check its credentials and their rights: {source}")]
    Refused {
        /// The object or operation.
        subject: String,
        /// What the store said.
        source: Source,
    },
    /// The store is there, but has too much to do, or takes no more requests for a while.
    #[error("{subject}: the space is too busy: {source}")]
    Busy {
        /// The object or operation.
        subject: String,
        /// How long the store asks to wait. `None` if it did not say.
        retry_after: Option<Duration>,
        /// What the store said.
        source: Source,
    },
    /// The disk of the space, or the quota there, is full.
    #[error("{subject}: the disk of the space is full; make room there: {source}")]
    Full {
        /// The object or operation.
        subject: String,
        /// What the store said.
        source: Source,
    },
    /// Another space is now where the space of the local database was.
    #[error(
        "another space is at {url} than the one this data directory belongs to, whose space.json has \
         \"id\": \"{expected}\"; put the right one back, or start with another data directory (--data DIR)"
    )]
    OtherSpace {
        /// The URL, without credentials.
        url: String,
        /// The `id` of the right space.
        expected: String,
    },
    /// The local database still has changes for the space at another URL.
    #[error(
        "changes wait for the space at {url}; start once more with that space until they are published, or start \
         with another data directory (--data DIR)"
    )]
    ChangesWait {
        /// The URL of that space, without credentials.
        url: String,
    },
    /// There is no such object.
    #[error("{object} is not in the space")]
    Missing {
        /// The object's path in the space.
        object: String,
    },
    /// The store does not answer requests for a part of an object. It sends the whole, or another
    /// part.
    #[error("{object}: the store does not send parts of objects; read the whole object instead")]
    NoRanges {
        /// The object's path in the space.
        object: String,
    },
    /// An object is not as the format of the space says.
    #[error("{object}: {reason}")]
    Malformed {
        /// The object's path in the space.
        object: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The space was written by a newer version.
    #[error("the space has format {found}, this program knows format {}", crate::layout::FORMAT)]
    NewerFormat {
        /// The format that `space.json` names.
        found: u64,
    },
    /// The URL names no known store, or its settings are wrong.
    #[error("space URL {url}: {reason}")]
    Url {
        /// The URL, without credentials.
        url: String,
        /// What was expected.
        reason: String,
    },
    /// The header of a protected blob asks for more work than a password is worth.
    #[error(
        "{object}: it was sealed with a work factor of {work_factor}, the most is {limit}; seal the file again with \
         a lower one"
    )]
    TooMuchWork {
        /// The object's path in the space.
        object: String,
        /// The work factor that its header asks for.
        work_factor: u8,
        /// The highest one that is accepted.
        limit: u8,
    },
    /// Too many wrong passwords were tried for one blob, or too many are being tried at once.
    #[error("{object}: too many passwords were tried; try again in {} s", .retry_after.as_secs().max(1))]
    TooManyAttempts {
        /// The object's path in the space.
        object: String,
        /// How long no password is tried.
        retry_after: Duration,
    },
    /// The bytes to store do not have this hash or this size. Nothing became visible.
    #[error("expected {expected_len_bytes} bytes with hash {expected}, got {found_len_bytes} with {found}")]
    Mismatch {
        /// The hash that they should have.
        expected: Hash,
        /// The hash that they have.
        found: Hash,
        /// The size that they should have, in bytes.
        expected_len_bytes: u64,
        /// The size that they have, in bytes. They may be more than this.
        found_len_bytes: u64,
    },
    /// The store takes no object of this size.
    #[error("this kind of store takes objects of at most {limit_bytes} bytes, not {len_bytes}")]
    TooLarge {
        /// The size of the object, in bytes.
        len_bytes: u64,
        /// The most it takes, in bytes.
        limit_bytes: u64,
    },
    /// Reading or writing a local file failed.
    #[error("{subject}: {source}")]
    Local {
        /// The file or operation.
        subject: String,
        /// What the system said.
        source: Source,
    },
    /// The local database failed.
    #[error("the local database: {source}")]
    Storage {
        /// What it said.
        source: Source,
    },
    /// A batch of rows could not be applied.
    #[error("rows of {collection}: {source}")]
    Sink {
        /// The collection.
        collection: String,
        /// What the sink said.
        source: Arc<SinkError>,
    },
}

/// What a caller should do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorClass {
    /// The space cannot be reached. Try again, with longer and longer pauses.
    Unreachable,
    /// The space has too much to do. Try again after this time, if it is known.
    Busy {
        /// How long the store asks to wait.
        retry_after: Option<Duration>,
    },
    /// The space refuses us. A person must change the credentials or the rights.
    Refused,
    /// The disk of the space is full. Try again when there is room.
    Full,
    /// The object is not in the space.
    Missing,
    /// A file, the database or a module of this host failed. It may work later.
    Local,
    /// It does not work before somebody changes the space, the settings or the request.
    Permanent,
}

impl Error {
    /// What a caller should do about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            // Another space in its place goes as the right one comes back.
            Error::Unreachable { .. } | Error::OtherSpace { .. } => ErrorClass::Unreachable,
            Error::Busy { retry_after, .. } => ErrorClass::Busy {
                retry_after: *retry_after,
            },
            Error::TooManyAttempts { retry_after, .. } => ErrorClass::Busy {
                retry_after: Some(*retry_after),
            },
            Error::Refused { .. } => ErrorClass::Refused,
            Error::Full { .. } => ErrorClass::Full,
            Error::Missing { .. } => ErrorClass::Missing,
            Error::Storage { .. } | Error::Sink { .. } | Error::Local { .. } => ErrorClass::Local,
            Error::Malformed { .. }
            | Error::NewerFormat { .. }
            | Error::ChangesWait { .. }
            | Error::Url { .. }
            | Error::TooMuchWork { .. }
            | Error::NoRanges { .. }
            | Error::Mismatch { .. }
            | Error::TooLarge { .. } => ErrorClass::Permanent,
        }
    }

    /// Whether the same operation may succeed later although nobody changes the space.
    pub fn is_transient(&self) -> bool {
        match self.class() {
            ErrorClass::Missing | ErrorClass::Permanent => false,
            ErrorClass::Unreachable
            | ErrorClass::Busy { .. }
            | ErrorClass::Refused
            | ErrorClass::Full
            | ErrorClass::Local => true,
        }
    }

    /// Whether the space as a whole gives no answer now, whatever was asked.
    pub(crate) fn is_outage(&self) -> bool {
        matches!(
            self,
            Error::Unreachable { .. } | Error::Refused { .. } | Error::Busy { .. } | Error::OtherSpace { .. }
        )
    }

    /// An error of the object store. Its text may quote a URL with credentials: they are left out.
    pub(crate) fn from_store(subject: impl Display, error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Error::Missing {
                object: subject.to_string(),
            },
            object_store::Error::InvalidPath { source } => Error::Malformed {
                object: subject.to_string(),
                reason: redacted(&source.to_string()),
            },
            other => Error::unreachable(subject, other),
        }
    }

    /// Like [`Error::from_store`], but an object that is not there is [`Error::Unreachable`] too.
    pub(crate) fn unreachable(
        subject: impl Display,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let (subject, source) = (subject.to_string(), source.into());
        let failure = StoreFailure::of(source.as_ref());
        let source: Source = Arc::new(Redacted::of(source.as_ref()));
        match failure {
            StoreFailure::Other => Error::Unreachable { subject, source },
            StoreFailure::Refused => Error::Refused { subject, source },
            StoreFailure::Full => Error::Full { subject, source },
            StoreFailure::Busy(retry_after) => Error::Busy {
                subject,
                retry_after,
                source,
            },
        }
    }

    pub(crate) fn malformed(object: impl Display, reason: impl Display) -> Self {
        Error::Malformed {
            object: object.to_string(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn local(subject: impl Display, source: std::io::Error) -> Self {
        Error::Local {
            subject: subject.to_string(),
            source: Arc::new(source),
        }
    }

    pub(crate) fn storage(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Error::Storage {
            source: Arc::new(source),
        }
    }
}

impl From<stowage_storage::Error> for Error {
    fn from(source: stowage_storage::Error) -> Self {
        Error::storage(source)
    }
}

/// For a sink that commits by itself.
impl From<stowage_storage::CommitError> for Error {
    fn from(error: stowage_storage::CommitError) -> Self {
        Error::storage(error)
    }
}
