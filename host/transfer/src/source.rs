//! The sources of a blob: the space and local files.

use stowage_cloud::Hash;
use tokio::fs::File;

use crate::disk::{FinishedFile, blocking, open_regular, verify};
use crate::engine::Engine;
use crate::outcome::Outcome;

/// A possible source of a blob. Its bytes are not trusted before they are hashed.
pub(crate) enum Source {
    /// The space, asked over the network.
    Space { size: u64 },
    /// A file on this machine.
    File { file: std::fs::File, size: u64 },
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
        let space = engine.cloud.space();
        let in_space = space.head_blob(hash).await;
        if let Ok(Some(info)) = in_space {
            let size = info.size;
            return Ok(match space.open_blob(hash).await? {
                Some(file) => Source::File { file, size },
                None => Source::Space { size },
            });
        }
        if let Some((file, size)) = temp_file(engine, hash).await {
            let file = file.into_std().await;
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
            file,
            size: finished_file.size,
        })
    })
}
