//! One download, from the task to the file under its final name.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use stowage_cloud::Hash;
use tokio::sync::watch;

use crate::board::{Job, waits_for_password};
use crate::disk::{Landed, Part, Place, blocking};
use crate::engine::{Engine, Outcome};
use crate::fetch::{Unfetched, fetch, stopped};
use crate::request::Password;
use crate::sealed::{self, UnsealError};
use crate::source::Source;
use crate::task::{Opened, State, Task, code};

/// How often a blob is fetched from its beginning before its bytes count as wrong for good.
const FETCHES: u32 = 2;

/// Works on a download until it has ended one way or another.
pub(crate) async fn run(engine: &Arc<Engine>, job: Job, stop: &mut watch::Receiver<bool>) -> Outcome {
    match attempt(engine, job, stop).await {
        Ok(landed) => Outcome::Landed(landed),
        Err(outcome) => outcome,
    }
}

async fn attempt(engine: &Arc<Engine>, job: Job, stop: &mut watch::Receiver<bool>) -> Result<Landed, Outcome> {
    let Job { mut task, password } = job;
    // A hash that is none names no blob.
    let hash: Hash = task.file.hash.parse().map_err(|_| Outcome::Vanished)?;
    if waits_for_password(&task, password.as_ref()) {
        return Err(Outcome::NoPassword);
    }
    let target = engine
        .roots
        .locate(task.directory.as_ref())
        .map_err(|why| Outcome::failed(format!("the directory {}: {why}", task.directory)))?;
    let place = blocking(move || Place::open(&target).map(Arc::new))
        .await
        .map_err(|error| Outcome::failed(format!("the directory {}: {error}", task.directory)))?;
    engine.board().change(task.id, |task, _| task.state = State::Active);
    engine.publish(task.id);

    if let Some(landed) = already_here(&task, &hash, &place).await? {
        drop_part(&place, task.part_name()).await;
        return Ok(landed);
    }
    let part = fetched(engine, &mut task, &place, &hash, stop).await?;
    if !task.file.protected {
        return publish(&task, &place, part, *hash.as_bytes()).await;
    }
    let password = password.ok_or(Outcome::NoPassword)?;
    let landed = unsealed(engine, &task, &place, part, password, stop).await?;
    drop_part(&place, task.part_name()).await;
    Ok(landed)
}

/// The file, if an attempt that was interrupted at its very end, or another task, has brought it already.
async fn already_here(task: &Task, hash: &Hash, place: &Arc<Place>) -> Result<Option<Landed>, Outcome> {
    let content = match &task.opened {
        Some(opened) => opened.clone(),
        None if task.file.protected => return Ok(None),
        None => Opened {
            size: task.file.size,
            sha256: *hash.as_bytes(),
        },
    };
    let finished = task.opened.is_some().then(|| task.opened_name());
    let place = place.clone();
    let name = task.file_name.clone();
    blocking(move || {
        if let Some(finished) = finished {
            let (part, kept) = place.part(&finished, content.size)?;
            if kept
                && part
                    .hash_prefix(content.size)
                    .is_ok_and(|hash| is(hash, content.sha256))
            {
                part.file.set_len(content.size)?;
                return place.publish(&part, &name, content.sha256).map(Some);
            }
            place.remove(&finished)?;
        }
        place.find_any(&name, content.size, content.sha256)
    })
    .await
    .map_err(Outcome::failed)
}

fn is(hasher: sha2::Sha256, sha256: [u8; 32]) -> bool {
    use sha2::Digest;
    hasher.finalize()[..] == sha256
}

/// The temporary file with the blob's bytes. Bytes that are wrong are fetched once more from the beginning.
async fn fetched(
    engine: &Arc<Engine>,
    task: &mut Task,
    place: &Arc<Place>,
    hash: &Hash,
    stop: &mut watch::Receiver<bool>,
) -> Result<Arc<Part>, Outcome> {
    let mut wrong = String::new();
    for fetches in 0..FETCHES {
        let source = tokio::select! {
            found = Source::find(engine, hash, fetches == 0) => match found {
                Err(Outcome::Vanished) => {
                    drop_part(place, task.part_name()).await;
                    return Err(Outcome::Vanished);
                }
                found => found?,
            },
            () = stopped(stop) => return Err(Outcome::Stopped),
        };
        // What the row said of the size was hearsay; this is what will come.
        let size = source.size();
        task.file.size = size;
        engine.board().change(task.id, |task, _| task.file.size = size);
        wrong = match fetch(engine, task, place, hash, &source, stop).await {
            Ok(part) => return Ok(part),
            Err(Unfetched::Ended(outcome)) => return Err(outcome),
            Err(Unfetched::Mismatch(wrong)) => wrong,
        };
        tracing::warn!(task = task.task_id, wrong, "a download has the wrong bytes");
        // The record of the bytes goes first: without them it would only cost a look.
        task.checkpoint = None;
        engine
            .persist(task.id, |task| task.checkpoint = None)
            .await
            .map_err(|error| Outcome::retry(error, false))?;
        drop_part(place, task.part_name()).await;
    }
    Err(Outcome::failed(wrong))
}

/// Gives the file its final name.
async fn publish(task: &Task, place: &Arc<Place>, part: Arc<Part>, sha256: [u8; 32]) -> Result<Landed, Outcome> {
    let place = place.clone();
    let name = task.file_name.clone();
    blocking(move || place.publish(&part, &name, sha256))
        .await
        .map_err(Outcome::failed)
}

/// Opens a protected file into a second temporary one, and gives that the final name.
async fn unsealed(
    engine: &Arc<Engine>,
    task: &Task,
    place: &Arc<Place>,
    part: Arc<Part>,
    password: Password,
    stop: &mut watch::Receiver<bool>,
) -> Result<Landed, Outcome> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let sealed = part.clone();
    let opening = async {
        let reader = tokio::task::spawn_blocking(move || sealed::reader(&sealed.file))
            .await
            .map_err(std::io::Error::other)??;
        let content = engine.cloud.open_sealed(reader, password.expose()).await?;
        let name = task.opened_name();
        let (place, interrupted) = (place.clone(), interrupted.clone());
        let copying = tokio::task::spawn_blocking(move || {
            let (plain, _) = place.part(&name, 0)?;
            match sealed::copy(content, &plain.file, &interrupted) {
                Ok(opened) => Ok((plain, opened)),
                Err(error) => {
                    place.remove(&name)?;
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
                error: error.to_string(),
            });
        }
        Err(error) => return Err(Outcome::failed(error)),
    };
    let sha256 = opened.sha256;
    // Once the file has its name nothing else would tell after a crash that it is this task's.
    engine
        .persist(task.id, |task| task.opened = Some(opened))
        .await
        .map_err(|error| Outcome::retry(error, false))?;
    publish(task, place, Arc::new(plain), sha256).await
}

async fn drop_part(place: &Arc<Place>, name: String) {
    let place = place.clone();
    if let Err(error) = blocking(move || place.remove(&name)).await {
        tracing::debug!(%error, "a temporary file stays");
    }
}
