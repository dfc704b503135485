//! The bytes of a blob for a client that shares no disk with this machine.
//!
//! A whole blob is hashed while it is read. Only its end tells whether it is right, so the last
//! piece is held back until then: nobody gets all bytes of a wrong blob.

mod opened;
mod verified;

use std::io::{self, SeekFrom};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use stowage_cloud::{Error as SpaceError, Hash, OpenSealedError};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

pub use opened::OpenedBlob;

use crate::engine::Engine;
use crate::outcome::Outcome;
use crate::source::Source;
use crate::transfers::Transfers;

/// Bytes read from a file at a time.
const READ_BYTES: usize = 256 << 10;

/// The bytes of a blob, in pieces of a few MiB at most.
pub type Pieces = BoxStream<'static, Result<Bytes, OutgoingError>>;

/// Why the bytes of a blob cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutgoingError {
    /// The space or a local file failed.
    #[error(transparent)]
    Source(#[from] SpaceError),
    /// The blob could not be looked for.
    #[error("the space cannot be asked for the blob")]
    Find,
    /// The source sent nothing for too long.
    #[error("the source sent no bytes for {} s", .0.as_secs_f32())]
    Stalled(Duration),
    /// The blob has other bytes than its hash says.
    #[error("expected bytes with hash {expected}, got other ones")]
    WrongHash {
        /// The hash that they should have.
        expected: Hash,
    },
    /// The password does not open the blob.
    #[error("the password is wrong")]
    WrongPassword,
    /// No password opens the blob.
    #[error("not a file that a password opens")]
    NotSealed,
    /// The protected blob was changed or cut off, or a thread failed.
    #[error("the protected file cannot be read")]
    Damaged(#[source] io::Error),
}

impl From<OpenSealedError> for OutgoingError {
    fn from(error: OpenSealedError) -> OutgoingError {
        match error {
            OpenSealedError::WrongPassword => OutgoingError::WrongPassword,
            OpenSealedError::Io(error) => OutgoingError::Damaged(error),
            _ => OutgoingError::NotSealed,
        }
    }
}

/// A blob that was found, and where.
pub struct Blob {
    engine: Arc<Engine>,
    hash: Hash,
    source: Source,
}

impl Transfers {
    /// Finds a blob: among complete downloads, in the space, or among the temp files. `None` if
    /// there is no such blob.
    ///
    /// # Errors
    /// [`OutgoingError::Find`]; [`OutgoingError::WrongHash`] if it is empty and must not be.
    pub async fn blob(&self, hash: &Hash) -> Result<Option<Blob>, OutgoingError> {
        let engine = Arc::clone(self.engine());
        match Source::find(&engine, hash, true).await {
            // No bytes come that could be verified.
            Ok(source) if source.size() == 0 && *hash != Hash::of(b"") => {
                Err(OutgoingError::WrongHash { expected: *hash })
            }
            Ok(source) => Ok(Some(Blob {
                engine,
                hash: *hash,
                source,
            })),
            Err(Outcome::BlobMissing) => Ok(None),
            Err(outcome) => {
                tracing::warn!(%hash, ?outcome, "a blob could not be looked for");
                Err(OutgoingError::Find)
            }
        }
    }
}

impl Blob {
    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.source.size()
    }

    /// The bytes of a range, which must be within the blob. Those of the whole blob are verified.
    ///
    /// # Errors
    /// [`OutgoingError::Source`]. The stream has the other errors.
    pub async fn read(self, range: Range<u64>) -> Result<Pieces, OutgoingError> {
        let whole = range == (0..self.size());
        let hash = self.hash;
        let pieces = self.read_unverified(range).await?;
        Ok(match whole {
            true => verified::verified(pieces, hash),
            false => pieces,
        })
    }

    async fn read_unverified(self, range: Range<u64>) -> Result<Pieces, OutgoingError> {
        let stall_timeout = self.engine.config.stall_timeout;
        let pieces = match self.source {
            Source::Space { .. } => self.engine.cloud.space().read_blob(&self.hash, range).await?,
            Source::File { file, .. } => {
                let mut file = File::from_std(file);
                file.seek(SeekFrom::Start(range.start)).await.map_err(local_error)?;
                let rest = file.take(range.end - range.start);
                ReaderStream::with_capacity(rest, READ_BYTES)
                    .map_err(local_error)
                    .boxed()
            }
        };
        Ok(verified::timely(pieces, stall_timeout))
    }
}

fn local_error(error: io::Error) -> SpaceError {
    SpaceError::Local {
        subject: "a local copy of the blob".to_owned(),
        source: Arc::new(error),
    }
}
