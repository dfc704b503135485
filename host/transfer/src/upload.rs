//! One upload: from the task to the rows that name the blob.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use stowage_cloud::{Error as SpaceError, Hash};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::watch;
use tokio::time::interval;

use crate::board::TransferJob;
use crate::engine::Engine;
use crate::outcome::{Outcome, TransferError};
use crate::request::{HookError, Refusal, UploadHook};
use crate::shutdown::stopped;
use crate::source::{Source, failure};
use crate::task::{State, Task, code};

/// The time between two reports of progress.
const REPORT_INTERVAL: Duration = Duration::from_millis(50);

/// Runs an upload to its end.
pub(crate) async fn run(
    engine: &Arc<Engine>,
    job: TransferJob,
    hook: &dyn UploadHook,
    stop: &mut watch::Receiver<bool>,
) -> Outcome {
    match attempt(engine, &job.task, hook, stop).await {
        Ok(()) => Outcome::Uploaded,
        Err(outcome) => outcome,
    }
}

async fn attempt(
    engine: &Arc<Engine>,
    task: &Task,
    hook: &dyn UploadHook,
    stop: &mut watch::Receiver<bool>,
) -> Result<(), Outcome> {
    let hash: Hash = task.file.hash.parse().map_err(|_| Outcome::BlobMissing)?;
    let request = task.upload_request();
    let hold = tokio::select! {
        hold = engine.cloud.hold_blob(&hash) => hold,
        () = stopped(stop) => return Err(Outcome::Stopped),
    };
    if !task.moved {
        tokio::select! {
            admitted = hook.admit(&request) => allowed(admitted)?,
            () = stopped(stop) => return Err(Outcome::Stopped),
        }
        engine.board().change(task.id, |task, _| task.state = State::Active);
        engine.publish(task.id);
        tokio::select! {
            moved = to_space(engine, task, &hash) => moved?,
            () = stopped(stop) => return Err(Outcome::Stopped),
        }
        engine
            .persist(task.id, |task| task.moved = true)
            .await
            .map_err(|error| Outcome::retry(error, true))?;
    }
    // An interrupted module would be told twice. So the host waits for it, also at shutdown.
    allowed(hook.finished(&request).await)?;
    drop(hold);
    let size = engine.board().get(task.id).map(|(task, _)| task.file.size);
    engine.blob_checks.add(hash, size.unwrap_or(task.file.size));
    Ok(())
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
        Err(error) => Err(Outcome::retry(error, false)),
    }
}

/// Stores the blob in the space, unless it is there already.
async fn to_space(engine: &Arc<Engine>, task: &Task, hash: &Hash) -> Result<(), Outcome> {
    let present = engine.cloud.space().head_blob(hash).await;
    match present {
        Ok(Some(info)) if info.size == task.file.size => return Ok(()),
        Ok(_) => {}
        Err(error) => return Err(failure(error, false)),
    }
    let Some(Source::File { file, size }) = Source::temp_file(engine, hash).await else {
        return Err(Outcome::BlobMissing);
    };
    let file = file
        .try_clone()
        .map_err(|error| Outcome::failed(TransferError::TempFile(error)))?;
    // The size in the row may be wrong. The size of the file counts.
    engine.board().change(task.id, |task, _| task.file.size = size);
    let read = Arc::new(AtomicU64::new(0));
    let source = Counted {
        reader: tokio::fs::File::from_std(file),
        read: read.clone(),
    };
    let mut put = std::pin::pin!(engine.cloud.space().put_blob(source, hash, size));
    let mut reports = interval(REPORT_INTERVAL);
    let put = loop {
        tokio::select! {
            put = &mut put => break put,
            _ = reports.tick() => engine.moved(task.id, read.load(Ordering::Relaxed)),
        }
    };
    match put {
        Ok(_) => Ok(()),
        Err(error @ (SpaceError::Mismatch { .. } | SpaceError::Local { .. })) => {
            // The temp file does not have the hash in its name, so the file to upload does not
            // exist.
            Err(Outcome::Failed {
                code: code::NO_FILE,
                error: error.into(),
            })
        }
        Err(error) => Err(failure(error, false)),
    }
}

/// A reader that counts the bytes read.
struct Counted<R> {
    reader: R,
    read: Arc<AtomicU64>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Counted<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.reader).poll_read(context, buffer);
        let read = buffer.filled().len() - before;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        polled
    }
}
