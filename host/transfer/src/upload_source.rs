//! Where the bytes of an upload are on this machine.

use std::io;
use std::sync::Arc;

use stowage_cloud::Hash;
use tokio::fs::File;

use crate::disk::{blocking, open_regular};
use crate::engine::Engine;
use crate::outcome::{Outcome, TransferError};
use crate::prepared_id::Origin;
use crate::source::temp_file;
use crate::task::{Task, code};

/// Opens the local file of an upload. Returns it with its size.
pub(crate) async fn open(engine: &Arc<Engine>, task: &Task, hash: &Hash) -> Result<(File, u64), Outcome> {
    let found = match Origin::parse(&task.prepared) {
        None | Some(Origin::Space) => temp_file(engine, hash).await,
        Some(Origin::Staged { .. }) => staged_file(engine, hash).await,
        Some(Origin::Path { path, size, mtime_ns }) => {
            let opening = engine.clone();
            let opened = blocking(move || Ok(opening.upload_roots.open(&path))).await;
            let file = opened.map_err(gone)?.map_err(gone)?;
            if (file.size, file.mtime_ns) != (size, mtime_ns) {
                return Err(gone(TransferError::SourceChanged));
            }
            Some((File::from_std(file.file), size))
        }
    };
    found.ok_or(Outcome::BlobMissing)
}

async fn staged_file(engine: &Engine, hash: &Hash) -> Option<(File, u64)> {
    let path = engine.staged_path(hash);
    let opened = blocking(move || {
        let Some(file) = open_regular(&path)? else {
            return Ok(None);
        };
        let size = file.metadata()?.len();
        Ok(Some((File::from_std(file), size)))
    });
    opened.await.unwrap_or_else(|error: io::Error| {
        tracing::warn!(%hash, %error, "cannot open a prepared file");
        None
    })
}

/// The file to upload does not exist any more.
fn gone(error: impl Into<TransferError>) -> Outcome {
    Outcome::Failed {
        code: code::NO_FILE,
        error: error.into(),
    }
}
