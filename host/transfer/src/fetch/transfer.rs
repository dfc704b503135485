//! One attempt to fetch the missing bytes of a blob.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Fuse, FusedFuture};
use stowage_cloud::{Error as SpaceError, Hash};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::FetchError;
use super::progress::{HashError, Progress};
use super::requests::{Requests, Way};
use crate::disk::{CopyError, blocking, copy};
use crate::engine::Engine;
use crate::outcome::{Outcome, TransferError};
use crate::source::Source;
use crate::task::Task;

/// The most pieces that wait for the disk. The requests wait when the queue is full.
const PIECES: usize = 2;
/// Copied bytes that are counted at a time.
const STEP_BYTES: u64 = 256 << 10;
/// The time between two reports of progress.
const REPORT_INTERVAL: Duration = Duration::from_millis(50);

/// One attempt to fetch the missing bytes of a blob.
pub(super) struct Transfer<'a> {
    engine: &'a Arc<Engine>,
    task: &'a Task,
    progress: Arc<Progress>,
    /// Bytes that the last checkpoint covers.
    saved: u64,
}

/// The threads end also when the attempt is dropped.
impl Drop for Transfer<'_> {
    fn drop(&mut self) {
        self.progress.end();
    }
}

type Writer = Fuse<JoinHandle<Result<(), Outcome>>>;
type Hasher = Fuse<JoinHandle<Hashed>>;
/// How hashing ended.
type Hashed = Result<Option<[u8; 32]>, HashError>;

impl<'a> Transfer<'a> {
    pub(super) fn new(engine: &'a Arc<Engine>, task: &'a Task, progress: Arc<Progress>, saved: u64) -> Transfer<'a> {
        Transfer {
            engine,
            task,
            progress,
            saved,
        }
    }

    /// Brings all bytes of the source into the file. Returns their hash. When it returns, no thread
    /// uses the file any more.
    pub(super) async fn run(&mut self, source: Source, hash: Hash, way: Way) -> Result<[u8; 32], FetchError> {
        let mut hasher = spawn_blocking({
            let progress = self.progress.clone();
            move || progress.hash()
        })
        .fuse();
        let (mut requests, mut writer) = self.begin(source, hash, way);
        let mut saving = Fuse::terminated();
        let ended = self.drive(&mut requests, &mut writer, &mut hasher, &mut saving).await;
        // The queue of the writer closes with the requests.
        drop(requests);
        self.progress.end();
        let writer_ended = match writer.is_terminated() {
            true => Ok(()),
            false => flatten(writer.await),
        };
        if !hasher.is_terminated() {
            // An error of the hasher changes nothing now.
            let _ = hasher.await;
        }
        if !saving.is_terminated() {
            self.saved = saving.await;
        }
        // An error of the writer explains why the requests ended.
        writer_ended?;
        ended
    }

    /// Starts what brings the bytes: requests with a thread that writes, or a thread that copies.
    fn begin(&self, source: Source, hash: Hash, way: Way) -> (Option<Requests<'a>>, Writer) {
        let progress = self.progress.clone();
        match source {
            Source::Space { .. } => {
                let (pieces, queue) = mpsc::channel(PIECES);
                let writer = spawn_blocking({
                    let progress = progress.clone();
                    move || progress.write(queue).map_err(Outcome::failed)
                });
                let requests = Requests::new(self.engine, self.task.id, hash, way, progress, pieces);
                (Some(requests), writer.fuse())
            }
            Source::File { file, size } => {
                let (engine, id, runtime) = (self.engine.clone(), self.task.id, Handle::current());
                let copier = spawn_blocking(move || {
                    let gaps = progress.plan().written().gaps(size);
                    let wrote = |range: Range<u64>| {
                        steps(range).all(|step| {
                            let paid = engine.throttle(id, step.end - step.start);
                            runtime.block_on(engine.unless_stopped(paid)).is_ok() && progress.wrote(step)
                        })
                    };
                    copy(&file, &progress.part, size, &gaps, wrote).map_err(|error| match error {
                        CopyError::Write(error) => Outcome::failed(error),
                        CopyError::Read(error) => Outcome::retry(local_error(error)),
                    })
                });
                (None, copier.fuse())
            }
        }
    }

    /// Waits until the whole file is hashed, or for the first error. Reports progress and writes
    /// checkpoints meanwhile.
    async fn drive(
        &mut self,
        requests: &mut Option<Requests<'a>>,
        writer: &mut Writer,
        hasher: &mut Hasher,
        saving: &mut Fuse<BoxFuture<'static, u64>>,
    ) -> Result<[u8; 32], FetchError> {
        let mut reports = interval(REPORT_INTERVAL);
        reports.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = Instant::now();
        loop {
            if let Some(requests) = requests {
                requests.start();
            }
            tokio::select! {
                hashed = &mut *hasher => return self.hashed(hashed),
                ended = &mut *writer => {
                    flatten(ended)?;
                    self.check_length()?;
                }
                ended = next(requests) => if let Some(requests) = requests {
                    requests.end(ended)?;
                },
                saved = &mut *saving => self.saved = saved,
                _ = reports.tick() => {
                    if let Some(requests) = requests {
                        requests.look();
                    }
                    let written = self.progress.plan().written().total();
                    self.engine.report_progress(self.task.id, written);
                    let config = &self.engine.config;
                    let unsaved = written.saturating_sub(self.saved);
                    let due = unsaved >= config.checkpoint_bytes
                        || unsaved > 0 && last.elapsed() >= config.checkpoint_interval;
                    if due && saving.is_terminated() {
                        last = Instant::now();
                        *saving = self.save().boxed().fuse();
                    }
                }
                () = self.engine.stop.cancelled() => return Err(Outcome::Stopped.into()),
            }
        }
    }

    fn hashed(&self, ended: Result<Hashed, JoinError>) -> Result<[u8; 32], FetchError> {
        match ended {
            Ok(Ok(Some(found))) => Ok(found),
            Ok(Ok(None)) => Err(Outcome::Stopped.into()),
            Ok(Err(HashError::Changed)) => Err(FetchError::Changed),
            Ok(Err(HashError::Io(error))) => Err(Outcome::failed(error).into()),
            Err(error) => Err(Outcome::failed(TransferError::Writer(error)).into()),
        }
    }

    /// Checks that the writer has written the whole file.
    fn check_length(&self) -> Result<(), Outcome> {
        let plan = self.progress.plan();
        if plan.is_written() {
            return Ok(());
        }
        Err(Outcome::retry(TransferError::SourceEnded {
            found_bytes: plan.written().prefix(),
            expected_bytes: plan.size(),
        }))
    }

    /// Writes a last checkpoint.
    pub(super) async fn save_last(&mut self) {
        if self.progress.plan().written().total() > self.saved {
            self.saved = self.save().await;
        }
    }

    /// Syncs the file, then writes a checkpoint for what was in it before. Returns the bytes
    /// covered by the newest checkpoint.
    fn save(&self) -> impl Future<Output = u64> + Send + use<> {
        let (engine, part) = (self.engine.clone(), self.progress.part.clone());
        let (id, before) = (self.task.id, self.saved);
        let checkpoint = self.progress.checkpoint();
        async move {
            if let Err(error) = blocking(move || part.sync_data()).await {
                tracing::warn!(id, %error, "cannot sync a download; its checkpoint stays");
                return before;
            }
            let covered = checkpoint.covered_bytes();
            match engine.persist(id, |task| task.checkpoint = Some(checkpoint)).await {
                Ok(()) => covered,
                Err(error) => {
                    tracing::warn!(id, %error, "cannot write a checkpoint");
                    before
                }
            }
        }
    }
}

/// The steps in which copied bytes are counted.
fn steps(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let mut at = range.start;
    std::iter::from_fn(move || {
        let step = at..range.end.min(at.saturating_add(STEP_BYTES));
        at = step.end;
        (!step.is_empty()).then_some(step)
    })
}

async fn next(requests: &mut Option<Requests<'_>>) -> super::requests::Ended {
    match requests {
        Some(requests) => requests.next().await,
        None => std::future::pending().await,
    }
}

/// The outcome of a thread.
fn flatten(ended: Result<Result<(), Outcome>, JoinError>) -> Result<(), Outcome> {
    ended.unwrap_or_else(|error| Err(Outcome::failed(TransferError::Writer(error))))
}

fn local_error(error: io::Error) -> SpaceError {
    SpaceError::Local {
        subject: "a local copy of the blob".to_owned(),
        source: Arc::new(error),
    }
}
