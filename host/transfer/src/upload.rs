//! One upload: from the task to the rows that name the blob.

use std::sync::Arc;
use std::time::Duration;

use stowage_cloud::{Error as SpaceError, Hash, SpaceChange};
use tokio::time::interval;

use crate::engine::Engine;
use crate::kept_upload::KeptUpload;
use crate::outcome::Outcome;
use crate::request::{HookError, Refusal, UploadHook};
use crate::task::{State, Task, code};
use crate::upload_source;

/// The time between two reports of progress.
const REPORT_INTERVAL: Duration = Duration::from_millis(50);

/// Runs an upload to its end.
pub(crate) async fn run(engine: &Arc<Engine>, task: &Task, hook: &dyn UploadHook) -> Result<(), Outcome> {
    let hash: Hash = task.file.hash.parse().map_err(|_| Outcome::BlobMissing)?;
    let hold = engine.unless_stopped(engine.cloud.hold_blob(&hash)).await?;
    if !task.moved {
        allowed(engine.unless_stopped(admit(task, hook)).await?)?;
        engine.tasks().change(task.id, |task| task.state = State::Active);
        engine.publish(task.id);
        engine.unless_stopped(to_space(engine, task, &hash)).await??;
        engine
            .persist(task.id, |task| task.moved = true)
            .await
            .map_err(|error| Outcome::Retry {
                error: error.into(),
                progressed: true,
            })?;
    }
    // If this call is interrupted, the module is called twice. So the host waits for the answer,
    // also at shutdown.
    let ended = allowed(finished(task, hook).await);
    drop(hold);
    if let Err(Outcome::Failed { .. }) = &ended {
        discard(engine, task.id, hash).await?;
    }
    ended?;
    let size = engine.tasks().get(task.id).map(|(task, _)| task.file.size);
    engine.blob_checks.add(hash, size.unwrap_or(task.file.size));
    Ok(())
}

/// Removes the blob of an upload that no row will name. The space keeps it if another row does.
async fn discard(engine: &Arc<Engine>, id: u64, hash: Hash) -> Result<(), Outcome> {
    // First, so that a later attempt sends the blob again.
    engine.persist(id, |task| task.moved = false).await?;
    let change = SpaceChange::DeleteBlob { hash };
    let staged = engine.store.update(|tx| engine.cloud.stage(tx, &change)).await;
    match staged {
        Ok(()) => engine.cloud.wake(),
        Err(error) => tracing::warn!(%hash, %error, "the blob of an upload that no row names stays"),
    }
    Ok(())
}

/// Asks the module whether there is room.
async fn admit(task: &Task, hook: &dyn UploadHook) -> Result<Result<(), Refusal>, HookError> {
    match task.prepared_upload() {
        Some(upload) => hook.admit_file(&upload).await,
        None => hook.admit(&task.upload_request()).await,
    }
}

/// Tells the module that the blob is durable in the space.
async fn finished(task: &Task, hook: &dyn UploadHook) -> Result<Result<(), Refusal>, HookError> {
    match task.prepared_upload() {
        Some(upload) => hook.finished_file(&upload).await,
        None => hook.finished(&task.upload_request()).await,
    }
}

/// Turns the answer of the module into an outcome.
fn allowed(answer: Result<Result<(), Refusal>, HookError>) -> Result<(), Outcome> {
    match answer {
        Ok(Ok(())) => Ok(()),
        Ok(Err(Refusal::NoSpace)) => Err(Outcome::NoSpace),
        Ok(Err(refusal @ Refusal::Gone)) => Err(Outcome::Failed {
            code: code::NO_FILE,
            error: refusal.into(),
        }),
        Err(error) => Err(Outcome::retry(error)),
    }
}

/// Stores the blob in the space, unless it is there already.
async fn to_space(engine: &Arc<Engine>, task: &Task, hash: &Hash) -> Result<(), Outcome> {
    if engine.cloud.confirm_blob(hash, task.file.size).await? {
        return Ok(());
    }
    let (file, size) = upload_source::open(engine, task, hash).await?;
    // The size in the row may be wrong. The size of the file counts.
    engine.tasks().change(task.id, |task| task.file.size = size);
    let state = KeptUpload::new(engine, task.id, size);
    let file = file.into_std().await;
    let mut put = std::pin::pin!(engine.cloud.space().put_file(file, hash, size, &state));
    let mut reports = interval(REPORT_INTERVAL);
    let put = loop {
        tokio::select! {
            put = &mut put => break put,
            _ = reports.tick() => engine.report_progress(task.id, state.sent_bytes()),
        }
    };
    match put {
        Ok(_) => Ok(()),
        // The temp file does not have the hash in its name. So the file to upload does not exist.
        Err(error @ (SpaceError::Mismatch { .. } | SpaceError::Local { .. })) => Err(Outcome::Failed {
            code: code::NO_FILE,
            error: error.into(),
        }),
        Err(error) => Err(match error.into() {
            // What the space has now is not sent again.
            Outcome::Retry { error, .. } => Outcome::Retry {
                error,
                progressed: state.has_grown(),
            },
            outcome => outcome,
        }),
    }
}
