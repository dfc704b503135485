//! The sources of a blob: the space and local files.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use stowage_cloud::{Error as SpaceError, Hash};

use crate::disk::{FinishedFile, blocking, open_regular, verify};
use crate::engine::Engine;
use crate::outcome::Outcome;

/// Bytes read from a file at a time.
const READ_BYTES: usize = 1 << 20;

/// A possible source of a blob. Its bytes are not trusted before they are hashed.
pub(crate) enum Source {
    /// The space.
    Space { size: u64 },
    /// A file on this machine.
    File { file: Arc<File>, size: u64 },
}

impl Source {
    /// Finds a blob in the space, then among the temp files. With `local`, complete downloads are
    /// tried first.
    pub(crate) async fn find(engine: &Engine, hash: &Hash, local: bool) -> Result<Source, Outcome> {
        if local {
            let copies = engine.board().copies(&hash.to_string());
            if let Some(source) = blocking(move || Ok(copy(&copies))).await.unwrap_or_default() {
                return Ok(source);
            }
        }
        let in_space = engine.cloud.space().head_blob(hash).await;
        if let Ok(Some(info)) = in_space {
            return Ok(Source::Space { size: info.size });
        }
        if let Some(source) = Source::temp_file(engine, hash).await {
            return Ok(source);
        }
        match in_space {
            Ok(_) => Err(Outcome::BlobMissing),
            Err(error) => Err(failure(error, false)),
        }
    }

    /// The temp file of a blob, if there is one.
    pub(crate) async fn temp_file(engine: &Engine, hash: &Hash) -> Option<Source> {
        let path = engine.config.temp_dir.join(hash.to_hex());
        let opened = blocking(move || {
            let Some(file) = open_regular(&path)? else {
                return Ok(None);
            };
            let size = file.metadata()?.len();
            let file = Arc::new(file);
            Ok(Some(Source::File { file, size }))
        });
        match opened.await {
            Ok(source) => source,
            Err(error) => {
                tracing::warn!(%hash, %error, "cannot open a temp file");
                None
            }
        }
    }

    /// Its size in bytes.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Source::Space { size } | Source::File { size, .. } => *size,
        }
    }

    /// Its bytes from `offset` to its end, in pieces.
    pub(crate) async fn read(
        &self,
        engine: &Engine,
        hash: &Hash,
        offset: u64,
    ) -> Result<BoxStream<'static, Result<Bytes, SpaceError>>, SpaceError> {
        match self {
            Source::Space { size } => engine.cloud.space().read_blob(hash, offset..*size).await,
            Source::File { file, size } => Ok(read_file(file.clone(), offset, *size)),
        }
    }
}

/// Turns an error of the space into an outcome.
pub(crate) fn failure(error: SpaceError, progressed: bool) -> Outcome {
    if error.is_transient() || matches!(error, SpaceError::Missing { .. }) {
        // A blob that vanished during reading is searched again. The search tells whether it still
        // exists.
        Outcome::retry(error, progressed)
    } else {
        Outcome::failed(error)
    }
}

/// The first of the files that is unchanged.
fn copy(copies: &[FinishedFile]) -> Option<Source> {
    copies.iter().find_map(|finished_file| {
        verify(finished_file)?;
        let file = open_regular(&finished_file.path).ok()??;
        let size = finished_file.size;
        let file = Arc::new(file);
        Some(Source::File { file, size })
    })
}

fn read_file(file: Arc<File>, offset: u64, size: u64) -> BoxStream<'static, Result<Bytes, SpaceError>> {
    stream::try_unfold(offset, move |offset| {
        let file = file.clone();
        async move {
            let most = usize::try_from(size - offset).map_or(READ_BYTES, |n| n.min(READ_BYTES));
            if most == 0 {
                return Ok(None);
            }
            let piece = blocking(move || {
                let mut piece = vec![0; most];
                let read = file.read_at(&mut piece, offset)?;
                piece.truncate(read);
                Ok(Bytes::from(piece))
            });
            let piece = piece.await.map_err(|error| SpaceError::Local {
                subject: "a local copy of the blob".to_owned(),
                source: Arc::new(error),
            })?;
            if piece.is_empty() {
                return Ok(None);
            }
            let end = offset + piece.len() as u64;
            Ok(Some((piece, end)))
        }
    })
    .boxed()
}
