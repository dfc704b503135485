//! The sources of a blob: the space and local files.

use std::io::{self, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use stowage_cloud::{Error as SpaceError, Hash};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

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
    File { file: File, size: u64 },
}

impl Source {
    /// Finds a blob in the space, then among the temp files. With `local`, complete downloads are
    /// tried first.
    pub(crate) async fn find(engine: &Engine, hash: &Hash, local: bool) -> Result<Source, Outcome> {
        if local {
            let copies = engine.tasks().copies(&hash.to_string());
            if let Some(source) = blocking(move || Ok(copy(&copies))).await.unwrap_or_default() {
                return Ok(source);
            }
        }
        let in_space = engine.cloud.space().head_blob(hash).await;
        if let Ok(Some(info)) = in_space {
            return Ok(Source::Space { size: info.size });
        }
        if let Some((file, size)) = temp_file(engine, hash).await {
            return Ok(Source::File { file, size });
        }
        in_space?;
        Err(Outcome::BlobMissing)
    }

    /// Its size in bytes.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Source::Space { size } | Source::File { size, .. } => *size,
        }
    }

    /// Its bytes from `offset` to its end, in pieces.
    pub(crate) async fn read(
        self,
        engine: &Engine,
        hash: &Hash,
        offset: u64,
    ) -> Result<BoxStream<'static, Result<Bytes, SpaceError>>, SpaceError> {
        match self {
            Source::Space { size } => engine.cloud.space().read_blob(hash, offset..size).await,
            Source::File { mut file, size } => {
                file.seek(SeekFrom::Start(offset)).await.map_err(local_error)?;
                let rest = file.take(size - offset);
                Ok(ReaderStream::with_capacity(rest, READ_BYTES)
                    .map_err(local_error)
                    .boxed())
            }
        }
    }
}

/// The temp file of a blob and its size, if there is one.
pub(crate) async fn temp_file(engine: &Engine, hash: &Hash) -> Option<(File, u64)> {
    let path = engine.temp_path(hash);
    let opened = blocking(move || {
        let Some(file) = open_regular(&path)? else {
            return Ok(None);
        };
        let size = file.metadata()?.len();
        Ok(Some((File::from_std(file), size)))
    });
    opened.await.unwrap_or_else(|error| {
        tracing::warn!(%hash, %error, "cannot open a temp file");
        None
    })
}

/// The first of the files that is unchanged.
fn copy(copies: &[FinishedFile]) -> Option<Source> {
    copies.iter().find_map(|finished_file| {
        verify(finished_file)?;
        let file = open_regular(&finished_file.path).ok()??;
        Some(Source::File {
            file: File::from_std(file),
            size: finished_file.size,
        })
    })
}

fn local_error(error: io::Error) -> SpaceError {
    SpaceError::Local {
        subject: "a local copy of the blob".to_owned(),
        source: Arc::new(error),
    }
}
