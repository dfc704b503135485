//! One download: from the task to the file with its final name.

use std::io;
use std::sync::Arc;

use sha2::Digest;
use stowage_cloud::Hash;
use tokio::task::spawn_blocking;

use crate::decrypt::{self, DecryptError};
use crate::disk::{FinishedFile, PartFile, TargetDirectory, blocking};
use crate::engine::Engine;
use crate::fetch::{FetchError, Way, fetch};
use crate::outcome::{Outcome, TransferError};
use crate::request::Password;
use crate::source::Source;
use crate::task::{Opened, State, Task};
use crate::tasks::{Job, waits_for_password};

/// Attempts to fetch a blob whose bytes have the wrong hash.
const FETCHES: u32 = 2;

/// Runs a download to its end.
pub(crate) async fn run(engine: &Arc<Engine>, job: Job) -> Result<FinishedFile, Outcome> {
    let Job { mut task, password } = job;
    // A malformed hash names no blob.
    let hash: Hash = task.file.hash.parse().map_err(|_| Outcome::BlobMissing)?;
    if waits_for_password(&task, password.as_ref()) {
        return Err(Outcome::NoPassword);
    }
    let target = engine.roots.locate(task.directory.as_ref()).map_err(|source| {
        Outcome::failed(TransferError::Directory {
            directory: task.directory.clone(),
            source,
        })
    })?;
    let directory = blocking(move || TargetDirectory::open(&target).map(Arc::new))
        .await
        .map_err(|source| {
            Outcome::failed(TransferError::OpenDirectory {
                directory: task.directory.clone(),
                source,
            })
        })?;
    engine.tasks().change(task.id, |task| task.state = State::Active);
    engine.publish(task.id);

    if let Some(finished_file) = find_finished(&task, &hash, &directory).await? {
        remove_part(&directory, task.part_name()).await;
        return Ok(finished_file);
    }
    let part = fetch_part(engine, &mut task, &directory, &hash).await?;
    if !task.file.protected {
        return publish(&task, &directory, part, *hash.as_bytes()).await;
    }
    let password = password.ok_or(Outcome::NoPassword)?;
    let finished_file = decrypt_part(engine, &task, &directory, part, password).await?;
    remove_part(&directory, task.part_name()).await;
    Ok(finished_file)
}

/// The finished file, if it exists already: from an attempt that was interrupted at its end, or
/// from another task.
async fn find_finished(
    task: &Task,
    hash: &Hash,
    directory: &Arc<TargetDirectory>,
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
    let directory = directory.clone();
    let name = task.file_name.clone();
    blocking(move || {
        if let Some(finished) = finished {
            if let Some(part) = directory.existing_part(&finished, content.size)?
                && part
                    .hash_prefix(content.size)
                    .is_ok_and(|hasher| hasher.finalize()[..] == content.sha256)
            {
                part.file.set_len(content.size)?;
                return directory.publish(&part, &name, content.sha256).map(Some);
            }
            directory.remove(&finished)?;
        }
        directory.find_any(&name, content.size, content.sha256)
    })
    .await
    .map_err(Outcome::failed)
}

/// Fetches the blob into the temporary file. Bytes with a wrong hash are fetched again from the
/// beginning, with one request.
async fn fetch_part(
    engine: &Arc<Engine>,
    task: &mut Task,
    directory: &Arc<TargetDirectory>,
    hash: &Hash,
) -> Result<Arc<PartFile>, Outcome> {
    let mut wrong = 0;
    let mut way = Way::Parts;
    loop {
        let found = engine
            .unless_stopped(Source::find(engine, hash, wrong == 0))
            .await
            .flatten();
        if let Err(Outcome::BlobMissing) = found {
            remove_part(directory, task.part_name()).await;
        }
        let source = found?;
        // The size in the row may be wrong. The size of the source counts.
        let size = source.size();
        task.file.size = size;
        engine.tasks().change(task.id, |task| task.file.size = size);
        match fetch(engine, task, directory, hash, source, way).await {
            Ok(part) => return Ok(part),
            Err(FetchError::Ended(outcome)) => return Err(outcome),
            Err(FetchError::NoRanges) => {
                tracing::info!(
                    task = task.task_id,
                    "the store sends whole blobs only; one connection is used"
                );
                way = Way::Whole;
                task.checkpoint = engine
                    .tasks()
                    .get(task.id)
                    .and_then(|(task, _)| task.checkpoint.clone());
            }
            Err(FetchError::Changed) => {
                tracing::warn!(
                    task = task.task_id,
                    "a temporary file does not match its checkpoint; the download starts again"
                );
                discard_part(engine, task, directory).await?;
            }
            Err(FetchError::WrongHash(error)) => {
                tracing::warn!(task = task.task_id, %error, "a download has the wrong bytes");
                discard_part(engine, task, directory).await?;
                wrong += 1;
                way = Way::Whole;
                if wrong == FETCHES {
                    return Err(Outcome::failed(error));
                }
            }
        }
    }
}

/// Removes the temporary file. Removes its checkpoint first, so that no checkpoint covers wrong
/// bytes.
async fn discard_part(engine: &Arc<Engine>, task: &mut Task, directory: &Arc<TargetDirectory>) -> Result<(), Outcome> {
    task.checkpoint = None;
    engine.persist(task.id, |task| task.checkpoint = None).await?;
    remove_part(directory, task.part_name()).await;
    Ok(())
}

/// Renames the temporary file to its final name.
async fn publish(
    task: &Task,
    directory: &Arc<TargetDirectory>,
    part: Arc<PartFile>,
    sha256: [u8; 32],
) -> Result<FinishedFile, Outcome> {
    let directory = directory.clone();
    let name = task.file_name.clone();
    blocking(move || directory.publish(&part, &name, sha256))
        .await
        .map_err(Outcome::failed)
}

/// Decrypts a protected file into a second temporary file, and renames that to the final name.
async fn decrypt_part(
    engine: &Arc<Engine>,
    task: &Task,
    directory: &Arc<TargetDirectory>,
    part: Arc<PartFile>,
    password: Password,
) -> Result<FinishedFile, Outcome> {
    let (plain, opened) = write_decrypted(engine, task.opened_name(), directory.clone(), part, password).await?;
    let sha256 = opened.sha256;
    // After a crash, only this record tells that the renamed file belongs to this task.
    engine.persist(task.id, |task| task.opened = Some(opened)).await?;
    publish(task, directory, Arc::new(plain), sha256).await
}

/// Decrypts a protected file into the temporary file `name`. At shutdown it stops between two
/// pieces.
async fn write_decrypted(
    engine: &Engine,
    name: String,
    directory: Arc<TargetDirectory>,
    part: Arc<PartFile>,
    password: Password,
) -> Result<(PartFile, Opened), DecryptError> {
    let reader = spawn_blocking(move || decrypt::reader(&part.file))
        .await
        .map_err(io::Error::other)??;
    let content = engine.cloud.open_sealed(reader, password.expose()).await?;
    let stop = engine.stop.clone();
    let copying = spawn_blocking(move || {
        let plain = directory.new_part(&name)?;
        match decrypt::copy(content, &plain.file, &stop) {
            Ok(opened) => Ok((plain, opened)),
            Err(error) => {
                directory.remove(&name)?;
                Err(error)
            }
        }
    });
    copying.await.map_err(io::Error::other)?
}

async fn remove_part(directory: &Arc<TargetDirectory>, name: String) {
    let directory = directory.clone();
    if let Err(error) = blocking(move || directory.remove(&name)).await {
        tracing::debug!(%error, "cannot remove a temporary file");
    }
}
