//! One download: from the task to the file with its final name.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use stowage_cloud::Hash;
use tokio::sync::watch;

use crate::board::{TransferJob, waits_for_password};
use crate::disk::{FinishedFile, PartFile, TargetFile, blocking};
use crate::engine::Engine;
use crate::fetch::{FetchError, fetch};
use crate::outcome::{Outcome, TransferError};
use crate::request::Password;
use crate::sealed::{self, UnsealError};
use crate::shutdown::stopped;
use crate::source::Source;
use crate::task::{Opened, State, Task, code};

/// Attempts to fetch a blob whose bytes have the wrong hash.
const FETCHES: u32 = 2;

/// Runs a download to its end.
pub(crate) async fn run(engine: &Arc<Engine>, job: TransferJob, stop: &mut watch::Receiver<bool>) -> Outcome {
    match attempt(engine, job, stop).await {
        Ok(finished_file) => Outcome::Downloaded(finished_file),
        Err(outcome) => outcome,
    }
}

async fn attempt(
    engine: &Arc<Engine>,
    job: TransferJob,
    stop: &mut watch::Receiver<bool>,
) -> Result<FinishedFile, Outcome> {
    let TransferJob { mut task, password } = job;
    // A malformed hash names no blob.
    let hash: Hash = task.file.hash.parse().map_err(|_| Outcome::BlobMissing)?;
    if waits_for_password(&task, password.as_ref()) {
        return Err(Outcome::NoPassword);
    }
    let target = engine.roots.locate(task.directory.as_ref()).map_err(|source| {
        let directory = task.directory.clone();
        Outcome::failed(TransferError::Directory { directory, source })
    })?;
    let target_file = blocking(move || TargetFile::open(&target).map(Arc::new))
        .await
        .map_err(|source| {
            let directory = task.directory.clone();
            Outcome::failed(TransferError::OpenDirectory { directory, source })
        })?;
    engine.board().change(task.id, |task, _| task.state = State::Active);
    engine.publish(task.id);

    if let Some(finished_file) = already_here(&task, &hash, &target_file).await? {
        drop_part(&target_file, task.part_name()).await;
        return Ok(finished_file);
    }
    let part = fetched(engine, &mut task, &target_file, &hash, stop).await?;
    if !task.file.protected {
        return publish(&task, &target_file, part, *hash.as_bytes()).await;
    }
    let password = password.ok_or(Outcome::NoPassword)?;
    let finished_file = unsealed(engine, &task, &target_file, part, password, stop).await?;
    drop_part(&target_file, task.part_name()).await;
    Ok(finished_file)
}

/// The finished file, if it exists already: from an attempt that was interrupted at its end, or
/// from another task.
async fn already_here(
    task: &Task,
    hash: &Hash,
    target_file: &Arc<TargetFile>,
) -> Result<Option<FinishedFile>, Outcome> {
    let content = match &task.opened {
        Some(opened) => opened.clone(),
        None if task.file.protected => return Ok(None),
        None => Opened {
            size: task.file.size,
            sha256: *hash.as_bytes(),
        },
    };
    let finished = task.opened.is_some().then(|| task.opened_name());
    let target_file = target_file.clone();
    let name = task.file_name.clone();
    blocking(move || {
        if let Some(finished) = finished {
            let (part, kept) = target_file.part(&finished, content.size)?;
            if kept
                && part
                    .hash_prefix(content.size)
                    .is_ok_and(|hash| is(hash, content.sha256))
            {
                part.file.set_len(content.size)?;
                return target_file.publish(&part, &name, content.sha256).map(Some);
            }
            target_file.remove(&finished)?;
        }
        target_file.find_any(&name, content.size, content.sha256)
    })
    .await
    .map_err(Outcome::failed)
}

fn is(hasher: sha2::Sha256, sha256: [u8; 32]) -> bool {
    use sha2::Digest;
    hasher.finalize()[..] == sha256
}

/// Fetches the blob into the temporary file. Bytes with a wrong hash are fetched again from the
/// beginning.
async fn fetched(
    engine: &Arc<Engine>,
    task: &mut Task,
    target_file: &Arc<TargetFile>,
    hash: &Hash,
    stop: &mut watch::Receiver<bool>,
) -> Result<Arc<PartFile>, Outcome> {
    let mut attempt = 1;
    loop {
        let source = tokio::select! {
            found = Source::find(engine, hash, attempt == 1) => match found {
                Err(Outcome::BlobMissing) => {
                    drop_part(target_file, task.part_name()).await;
                    return Err(Outcome::BlobMissing);
                }
                found => found?,
            },
            () = stopped(stop) => return Err(Outcome::Stopped),
        };
        // The size in the row may be wrong. The size of the source counts.
        let size = source.size();
        task.file.size = size;
        engine.board().change(task.id, |task, _| task.file.size = size);
        let error = match fetch(engine, task, target_file, hash, &source, stop).await {
            Ok(part) => return Ok(part),
            Err(FetchError::Ended(outcome)) => return Err(outcome),
            Err(FetchError::Mismatch(error)) => error,
        };
        tracing::warn!(task = task.task_id, %error, "a download has the wrong bytes");
        // Remove the checkpoint before the file, so that no checkpoint covers wrong bytes.
        task.checkpoint = None;
        engine
            .persist(task.id, |task| task.checkpoint = None)
            .await
            .map_err(|error| Outcome::retry(error, false))?;
        drop_part(target_file, task.part_name()).await;
        if attempt == FETCHES {
            return Err(Outcome::failed(error));
        }
        attempt += 1;
    }
}

/// Renames the temporary file to its final name.
async fn publish(
    task: &Task,
    target_file: &Arc<TargetFile>,
    part: Arc<PartFile>,
    sha256: [u8; 32],
) -> Result<FinishedFile, Outcome> {
    let target_file = target_file.clone();
    let name = task.file_name.clone();
    blocking(move || target_file.publish(&part, &name, sha256))
        .await
        .map_err(Outcome::failed)
}

/// Decrypts a protected file into a second temporary file, and renames that to the final name.
async fn unsealed(
    engine: &Arc<Engine>,
    task: &Task,
    target_file: &Arc<TargetFile>,
    part: Arc<PartFile>,
    password: Password,
    stop: &mut watch::Receiver<bool>,
) -> Result<FinishedFile, Outcome> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let sealed = part.clone();
    let opening = async {
        let reader = tokio::task::spawn_blocking(move || sealed::reader(&sealed.file))
            .await
            .map_err(std::io::Error::other)??;
        let content = engine.cloud.open_sealed(reader, password.expose()).await?;
        let name = task.opened_name();
        let (target_file, interrupted) = (target_file.clone(), interrupted.clone());
        let copying = tokio::task::spawn_blocking(move || {
            let (plain, _) = target_file.part(&name, 0)?;
            match sealed::copy(content, &plain.file, &interrupted) {
                Ok(opened) => Ok((plain, opened)),
                Err(error) => {
                    target_file.remove(&name)?;
                    Err(error)
                }
            }
        });
        copying.await.map_err(std::io::Error::other)?
    };
    let mut opening = std::pin::pin!(opening);
    let opened = tokio::select! {
        opened = &mut opening => opened,
        () = stopped(stop) => {
            interrupted.store(true, Ordering::Relaxed);
            opening.await
        }
    };
    let (plain, opened) = match opened {
        Ok(opened) => opened,
        Err(UnsealError::Stopped) => return Err(Outcome::Stopped),
        Err(error @ UnsealError::Password) => {
            return Err(Outcome::Failed {
                code: code::WRONG_PASSWORD,
                error: error.into(),
            });
        }
        Err(error) => return Err(Outcome::failed(error)),
    };
    let sha256 = opened.sha256;
    // After a crash, only this record tells that the renamed file belongs to this task.
    engine
        .persist(task.id, |task| task.opened = Some(opened))
        .await
        .map_err(|error| Outcome::retry(error, false))?;
    publish(task, target_file, Arc::new(plain), sha256).await
}

async fn drop_part(target_file: &Arc<TargetFile>, name: String) {
    let target_file = target_file.clone();
    if let Err(error) = blocking(move || target_file.remove(&name)).await {
        tracing::debug!(%error, "cannot remove a temporary file");
    }
}
