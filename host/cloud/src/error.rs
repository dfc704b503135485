//! Why an operation on the space failed.

use std::fmt::Display;
use std::sync::Arc;

use crate::Hash;
use crate::redaction::{Redacted, redacted};

/// An error that several callers can get.
pub type Source = Arc<dyn std::error::Error + Send + Sync>;

/// Why a sink did not take rows.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// Why an operation on the space failed. Cheap to clone, because several callers may wait for one
/// operation.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store cannot be reached, or it refuses us. A later attempt may succeed.
    #[error("{subject}: the space cannot be reached: {source}")]
    Unreachable {
        /// The object or operation.
        subject: String,
        /// What the store said.
        source: Source,
    },
    /// There is no such object.
    #[error("{object} is not in the space")]
    Missing {
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

impl Error {
    /// Whether the same operation may succeed later although nobody changes the space.
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Unreachable { .. } | Error::Storage { .. } | Error::Sink { .. } | Error::Local { .. } => true,
            Error::Missing { .. }
            | Error::Malformed { .. }
            | Error::NewerFormat { .. }
            | Error::Url { .. }
            | Error::Mismatch { .. }
            | Error::TooLarge { .. } => false,
        }
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
            other => Error::Unreachable {
                subject: subject.to_string(),
                source: Arc::new(Redacted::of(&other)),
            },
        }
    }

    pub(crate) fn malformed(object: impl Display, reason: impl Display) -> Self {
        Error::Malformed {
            object: object.to_string(),
            reason: reason.to_string(),
        }
    }

    /// Like [`Error::from_store`], but always [`Error::Unreachable`].
    pub(crate) fn unreachable(
        subject: impl Display,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Error::Unreachable {
            subject: subject.to_string(),
            source: Arc::new(Redacted::of(source.into().as_ref())),
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
