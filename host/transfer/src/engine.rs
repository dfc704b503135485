//! What runs the tasks: a bounded number at once, each in a job of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::FutureExt;
use stowage_cloud::{CONFIRM_AFTER, Cloud};
use stowage_storage::{Error as StorageError, Store, UpdateError};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::audit::Audits;
use crate::board::{Board, Job};
use crate::config::Config;
use crate::confirm::Confirms;
use crate::disk::{Landed, Place, Roots};
use crate::feed::Feed;
use crate::request::UploadHook;
use crate::row::Direction;
use crate::task::{State, Task, code};
use crate::{download, table, upload};

/// Finished tasks that are forgotten in one transaction.
const FORGOTTEN_AT_ONCE: usize = 256;

/// Everything jobs share.
pub(crate) struct Engine {
    pub(crate) store: Store,
    pub(crate) cloud: Cloud,
    pub(crate) feed: Feed,
    pub(crate) config: Config,
    pub(crate) roots: Roots,
    pub(crate) audits: Audits,
    pub(crate) confirms: Confirms,
    /// Held while free space is looked at and taken, so that two downloads do not count on the same bytes.
    pub(crate) reserving: tokio::sync::Mutex<()>,
    next_id: AtomicU64,
    board: Mutex<Board>,
    wake: Notify,
}

/// How a job ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The upload is complete.
    Uploaded,
    /// The download is complete.
    Landed(Landed),
    /// The host shuts down.
    Stopped,
    /// It may work later. `progressed` tells whether this attempt got further than the one before.
    Retry { error: String, progressed: bool },
    /// A password is needed first.
    NoPassword,
    /// It will not work again by itself.
    Failed { code: i32, error: String },
    /// The blob is nowhere.
    Vanished,
    /// The space has no room for it.
    NoSpace,
}

impl Outcome {
    pub(crate) fn failed(error: impl std::fmt::Display) -> Outcome {
        Outcome::Failed {
            code: code::FAILURE,
            error: error.to_string(),
        }
    }

    pub(crate) fn retry(error: impl std::fmt::Display, progressed: bool) -> Outcome {
        Outcome::Retry {
            error: error.to_string(),
            progressed,
        }
    }
}

impl Engine {
    pub(crate) fn new(
        store: Store,
        cloud: Cloud,
        feed: Feed,
        config: Config,
        roots: Roots,
    ) -> Result<Engine, StorageError> {
        let (tasks, next_id) = table::all(&store)?;
        let engine = Engine {
            store,
            cloud,
            feed,
            config,
            roots,
            audits: Audits::default(),
            confirms: Confirms::default(),
            reserving: tokio::sync::Mutex::new(()),
            next_id: AtomicU64::new(next_id),
            board: Mutex::new(Board::default()),
            wake: Notify::new(),
        };
        for mut task in tasks {
            if !task.state.is_terminal() {
                let waits = crate::board::waits_for_password(&task, None);
                task.state = if waits { State::Paused } else { State::Initial };
                task.code = if waits { code::WRONG_PASSWORD } else { code::NONE };
            }
            engine.board().recover(task);
        }
        let mut ids = engine.board().ids();
        ids.sort_unstable();
        for id in ids {
            engine.publish(id);
        }
        Ok(engine)
    }

    pub(crate) fn board(&self) -> MutexGuard<'_, Board> {
        // Every change of the board is whole before anything in it can panic.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn new_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Shows a task in the feed as it is now.
    pub(crate) fn publish(&self, id: u64) {
        let board = self.board();
        let row = board.get(id).map(|(task, moved)| {
            let source = match task.direction {
                Direction::Upload => self.temp_file(&task.file.hash),
                Direction::Download => None,
            };
            let source = source.map_or_else(String::new, |path| path.display().to_string());
            task.row(moved, source)
        });
        // The lock is held so that an older row cannot overtake a newer one on its way to the feed.
        if let Some(row) = row {
            self.feed.publish(row);
        }
    }

    /// The file that holds a blob's bytes, if it is among the temp files.
    pub(crate) fn temp_file(&self, hash: &str) -> Option<std::path::PathBuf> {
        let hash: stowage_cloud::Hash = hash.parse().ok()?;
        Some(self.config.temp_dir.join(hash.to_hex()))
    }

    /// Shows how many bytes of a task were moved.
    pub(crate) fn moved(&self, id: u64, bytes: u64) {
        self.board().change(id, |_, moved| *moved = bytes);
        self.publish(id);
    }

    /// Changes a task that a job works on, durably, and then shows it.
    pub(crate) async fn persist(
        &self,
        id: u64,
        change: impl FnOnce(&mut Task),
    ) -> Result<(), UpdateError<StorageError>> {
        let Some(mut task) = self.board().get(id).map(|(task, _)| task.clone()) else {
            return Ok(());
        };
        change(&mut task);
        task.revision += 1;
        self.write(&task).await?;
        self.board().change(id, |kept, _| *kept = task);
        self.publish(id);
        Ok(())
    }

    async fn write(&self, task: &Task) -> Result<(), UpdateError<StorageError>> {
        self.store.update::<_, StorageError>(|tx| table::put(tx, task)).await
    }

    /// Works on tasks until `shutdown` completes; then stops those that run at a checkpoint and returns.
    pub(crate) async fn run(self: Arc<Self>, hook: Arc<dyn UploadHook>, shutdown: impl Future<Output = ()>) {
        let (stop, stopped) = watch::channel(false);
        let mut jobs = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        self.prune().await;
        jobs.spawn({
            let engine = self.clone();
            async move { engine.audit().await }
        });
        self.confirm_recent();
        jobs.spawn({
            let (engine, stopped) = (self.clone(), stopped.clone());
            async move { engine.confirm(stopped).await }
        });
        loop {
            let retry = self.start(&mut jobs, &hook, &stopped);
            tokio::select! {
                () = &mut shutdown => break,
                () = self.wake.notified() => {}
                Some(_) = jobs.join_next() => {}
                () = sleep_until(retry.unwrap_or_else(Instant::now)), if retry.is_some() => {}
            }
        }
        // A receiver is held above, so the send reaches whoever listens.
        let _ = stop.send(true);
        while jobs.join_next().await.is_some() {}
    }

    /// Has the blobs looked after whose upload ended shortly before a restart.
    fn confirm_recent(&self) {
        let window = i64::try_from(CONFIRM_AFTER.as_millis()).unwrap_or(i64::MAX);
        for (hash, size) in self.board().uploaded(now_ms().saturating_sub(window)) {
            if let Ok(hash) = hash.parse() {
                self.confirms.add(hash, size);
            }
        }
    }

    /// Starts what may start, and says when to look again for a retry.
    fn start(
        self: &Arc<Self>,
        jobs: &mut JoinSet<()>,
        hook: &Arc<dyn UploadHook>,
        stopped: &watch::Receiver<bool>,
    ) -> Option<Instant> {
        self.board().retry_due(Instant::now());
        let most = self.config.max_active.max(1);
        for direction in [Direction::Upload, Direction::Download] {
            loop {
                let job = self.board().next(direction, most);
                let Some(job) = job else { break };
                jobs.spawn(self.clone().work(job, hook.clone(), stopped.clone()));
            }
        }
        let waiting = self.board().mark_waiting();
        for id in waiting {
            self.publish(id);
        }
        self.board().next_retry()
    }

    async fn work(self: Arc<Self>, job: Job, hook: Arc<dyn UploadHook>, mut stopped: watch::Receiver<bool>) {
        let id = job.task.id;
        let work = async {
            match job.task.direction {
                Direction::Download => download::run(&self, job, &mut stopped).await,
                Direction::Upload => upload::run(&self, job, hook.as_ref(), &mut stopped).await,
            }
        };
        let outcome = std::panic::AssertUnwindSafe(work)
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Outcome::failed("a panic, reported above"));
        self.settle(id, outcome).await;
        self.prune().await;
        self.wake();
    }

    /// Takes down how a job ended.
    async fn settle(&self, id: u64, outcome: Outcome) {
        let Some(mut task) = self.board().get(id).map(|(task, _)| task.clone()) else {
            return;
        };
        let mut retry = None;
        task.code = code::NONE;
        match outcome {
            Outcome::Uploaded => task.state = State::Done,
            Outcome::Landed(landed) => {
                task.state = State::Done;
                task.landed = Some(landed);
                task.checkpoint = None;
                task.opened = None;
            }
            Outcome::Stopped => task.state = State::Paused,
            Outcome::NoPassword => {
                task.state = State::Paused;
                task.code = code::WRONG_PASSWORD;
            }
            Outcome::Vanished => {
                tracing::warn!(
                    task = task.task_id,
                    hash = task.file.hash,
                    "the blob of a transfer is gone"
                );
                task.state = if task.direction == Direction::Download {
                    State::Invalid
                } else {
                    State::Failed
                };
                task.code = code::NO_FILE;
                task.checkpoint = None;
            }
            Outcome::NoSpace => task.state = State::NoSpace,
            Outcome::Failed { code, error } => {
                tracing::warn!(
                    task = task.task_id,
                    hash = task.file.hash,
                    code,
                    error,
                    "a transfer failed"
                );
                task.state = State::Failed;
                task.code = code;
            }
            Outcome::Retry { error, progressed } => {
                let failures = self.board().count_failure(id, progressed);
                let wait = self.config.retry.wait(failures);
                tracing::info!(
                    task = task.task_id,
                    hash = task.file.hash,
                    error,
                    failures,
                    ?wait,
                    "an attempt at a transfer failed"
                );
                task.code = code::FAILURE;
                task.state = if wait.is_some() { State::Paused } else { State::Failed };
                retry = wait.map(|wait| Instant::now() + wait);
            }
        }
        if task.state.is_terminal() {
            task.finished_ms = now_ms();
        }
        if retry.is_none() {
            task.revision += 1;
            if let Err(error) = self.write(&task).await {
                // It has not ended as long as that is not durable: the work is repeated, which finds what is done.
                tracing::warn!(task = task.task_id, %error, "the end of a transfer could not be taken down");
                task.state = State::Paused;
                task.code = code::FAILURE;
                task.landed = None;
                task.finished_ms = 0;
                retry = Some(Instant::now() + self.config.retry.most);
            }
        }
        self.board().settle(task, retry);
        self.publish(id);
    }

    /// Forgets the oldest finished tasks beyond those that are kept.
    async fn prune(&self) {
        loop {
            let surplus = self.board().surplus(self.config.finished_kept, FORGOTTEN_AT_ONCE);
            if surplus.is_empty() {
                return;
            }
            let removed = self
                .store
                .update::<_, StorageError>(|tx| {
                    let mut removed = Vec::new();
                    for id in &surplus {
                        match table::get(tx, *id)? {
                            Some(task) if !task.state.is_terminal() => continue,
                            Some(task) => table::remove(tx, &task)?,
                            None => {}
                        }
                        removed.push(*id);
                    }
                    Ok(removed)
                })
                .await;
            let removed = match removed {
                Ok(removed) => removed,
                Err(error) => {
                    tracing::warn!(%error, "finished tasks could not be forgotten");
                    return;
                }
            };
            let forgotten = self.board().forget(&removed);
            if forgotten.is_empty() {
                return;
            }
            for task in &forgotten {
                self.feed.forget(task.id);
            }
            self.remove_parts(forgotten).await;
        }
    }

    /// Removes what downloads that never ended well have left on disk.
    async fn remove_parts(&self, tasks: Vec<Task>) {
        let places: Vec<_> = tasks
            .into_iter()
            .filter(|task| task.direction == Direction::Download && task.state != State::Done)
            .filter_map(|task| {
                let target = self.roots.locate(task.directory.as_ref()).ok()?;
                Some((target, [task.part_name(), task.opened_name()]))
            })
            .collect();
        if places.is_empty() {
            return;
        }
        let removal = tokio::task::spawn_blocking(move || {
            for (target, names) in places {
                let Ok(place) = Place::existing(&target) else {
                    continue;
                };
                for name in names {
                    if let Err(error) = place.remove(&name) {
                        tracing::debug!(name, %error, "a temporary file stays");
                    }
                }
            }
        });
        if let Err(error) = removal.await {
            tracing::warn!(%error, "temporary files stay");
        }
    }
}

/// The time, in milliseconds since the epoch.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
