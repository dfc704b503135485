//! The service: calls stage durable tasks, the engine runs them.

use std::future::Future;
use std::sync::Arc;

use stowage_cloud::Cloud;
use stowage_storage::{Error as StorageError, Store, Transaction};
use uuid::Uuid;

use crate::config::Config;
use crate::control::Control;
use crate::disk::{Roots, is_unchanged};
use crate::engine::Engine;
use crate::feed::Feed;
use crate::request::{DownloadRefusal, DownloadRequest, Password, TaskIdError, UploadHook, UploadRequest};
use crate::row::Direction;
use crate::staged::{Kind, Staged};
use crate::task::{State, Task};
use crate::upload_roots::UploadRoots;
use crate::{audit, span, staging, table};

/// The allowed length of a task identifier, in characters.
const TASK_ID_CHARS: std::ops::RangeInclusive<usize> = 1..=128;

/// Why the transfers could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A directory cannot be created.
    #[error("cannot create the directories for downloads and temp files")]
    Directory(#[source] std::io::Error),
    /// The tasks cannot be read.
    #[error("cannot read the tasks from the database")]
    Storage(#[source] StorageError),
}

/// A handle to the transfers. Clones share them.
#[derive(Clone)]
pub struct Transfers(Arc<Engine>);

impl Transfers {
    /// Reads the tasks, publishes them in the feed, and creates missing directories. No task runs
    /// before [`Transfers::run`]. Open one `Transfers` for a store.
    ///
    /// # Errors
    /// A directory cannot be created, or the tasks cannot be read.
    pub fn open(store: Store, cloud: Cloud, feed: Feed, config: Config) -> Result<Transfers, OpenError> {
        let roots = Roots::open(&config).map_err(OpenError::Directory)?;
        let upload_roots = UploadRoots::new(&config.upload_roots).map_err(OpenError::Directory)?;
        let engine = Engine::new(store, cloud, feed.clone(), config, roots, upload_roots);
        let engine = Arc::new(engine.map_err(OpenError::Storage)?);
        let needed = engine.tasks().needed_files();
        staging::open(&engine.config.staging_dir, &needed).map_err(OpenError::Directory)?;
        // A strong reference would be a cycle: the engine owns the feed.
        let weak = Arc::downgrade(&engine);
        feed.set_audit(Arc::new(move || {
            let engine = weak.upgrade();
            Box::pin(async move {
                if let Some(engine) = engine {
                    // Spawned, so that the audit continues when a snapshot stops waiting for it.
                    if let Err(error) = tokio::spawn(audit::run(engine)).await {
                        tracing::warn!(%error, "the audit of downloads failed");
                    }
                }
            })
        }));
        Ok(Transfers(engine))
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.0
    }

    /// Writes a download into the transaction of a call. It creates a task, or resumes or restarts
    /// a known one. A task that runs, or that is complete and has its file, stays unchanged. So a
    /// repeated request is harmless.
    ///
    /// # Errors
    /// Errors of the transaction. A refused download writes nothing.
    pub fn stage_download(
        &self,
        tx: &mut Transaction,
        request: DownloadRequest,
        now_ms: i64,
    ) -> Result<Result<Staged, DownloadRefusal>, StorageError> {
        let target = self.0.roots.resolve(request.platform, request.directory.as_deref());
        let directory = match target {
            Ok(target) => target.path().display().to_string(),
            Err(why) => return Ok(Err(DownloadRefusal::Directory(why))),
        };
        let task_id = match &request.task_id {
            None => Uuid::new_v4().to_string(),
            Some(given) => {
                if let Err(why) = check_task_id(given) {
                    return Ok(Err(DownloadRefusal::TaskId(why)));
                }
                if let Some(task) = table::find(tx, given)? {
                    return match check_same(&task, &request, &directory) {
                        Ok(()) => restart(tx, task, request.password).map(Ok),
                        Err(why) => Ok(Err(DownloadRefusal::TaskId(why))),
                    };
                }
                given.clone()
            }
        };
        let task = Task::download(self.0.new_id(), task_id, &request, directory, now_ms);
        table::insert(tx, &task)?;
        Ok(Ok(Staged::new_task(task, request.password)))
    }

    /// Writes an upload into the transaction of a call, as a new task.
    ///
    /// # Errors
    /// Errors of the transaction.
    pub fn stage_upload(
        &self,
        tx: &mut Transaction,
        request: UploadRequest,
        now_ms: i64,
    ) -> Result<Staged, StorageError> {
        let task_id = Uuid::new_v4().to_string();
        let task = Task::upload(self.0.new_id(), task_id, &request, now_ms);
        table::insert(tx, &task)?;
        Ok(Staged::new_task(task, None))
    }

    /// Puts in force what a call has staged. Call it after the commit. When it returns, the feed
    /// has the task.
    pub fn release(&self, staged: Staged) {
        let engine = &self.0;
        match staged.0 {
            Kind::Task {
                task,
                control,
                password,
                changed,
            } => {
                let id = task.id;
                let staged = changed.then(|| task.staged_hash()).flatten();
                release_task(engine, task, control, password, changed);
                if let Some(hash) = staged {
                    engine.arrivals.task_made(&hash);
                }
                engine.publish(id);
            }
            Kind::Control { id, control, now, .. } => {
                engine.tasks().set_control(id, control, now);
                engine.publish(id);
            }
            Kind::Removed(task) => {
                let mut tasks = engine.tasks();
                let row = tasks.remove(task, |task| engine.source_path(task));
                // The lock is still held, so that no older row follows.
                if let Some(row) = row {
                    engine.feed.publish_last(row);
                }
            }
            Kind::Limits(limits) => engine.limiter.change(limits),
        }
        engine.wake.notify_one();
    }

    /// Runs the tasks until `shutdown` completes. Then the running tasks stop at a checkpoint and
    /// are paused durably. Dropping the future instead acts like a crash: only checkpoints stay.
    /// Run it once.
    pub async fn run(self, hook: Arc<dyn UploadHook>, shutdown: impl Future<Output = ()>) {
        self.0.clone().run(hook, shutdown).await;
    }
}

fn release_task(engine: &Engine, task: Task, control: Control, password: Option<Password>, changed: bool) {
    let id = task.id;
    let span = span::transfer(&task);
    let mut tasks = engine.tasks();
    if tasks.contains(id) {
        tasks.add_staged(task, control, password, changed);
        tasks.trace(id, span);
        return;
    }
    // A later call may have changed or removed the task before this one is released. The lock is
    // held, so that such a call is either seen here, or finds the task.
    let mut tx = engine.store.begin();
    let latest = table::get(&mut tx, id).and_then(|task| Ok((task, table::control(&mut tx, id)?)));
    match latest {
        Ok((Some(task), control)) => tasks.add_staged(task, control, password, changed),
        Ok((None, _)) => {}
        Err(error) => {
            tracing::warn!(%error, "cannot read a new task again");
            tasks.add_staged(task, control, password, changed);
        }
    }
    tasks.trace(id, span);
}

/// Lets a known task run. If it has ended without its result, it starts again.
pub(crate) fn restart(
    tx: &mut Transaction,
    mut task: Task,
    password: Option<Password>,
) -> Result<Staged, StorageError> {
    let complete = task.state == State::Done
        && match task.direction {
            Direction::Download => task.finished_file.as_ref().is_some_and(is_unchanged),
            Direction::Upload => true,
        };
    let changed = task.state.is_terminal() && !complete;
    if changed {
        task.restart();
        table::put(tx, &task)?;
    }
    let mut control = table::control(tx, task.id)?;
    if control.holds() && !complete {
        control.let_go();
        control.revision += 1;
        table::put_control(tx, task.id, &control)?;
    }
    Ok(Staged(Kind::Task {
        task,
        control,
        password,
        changed,
    }))
}

pub(crate) fn check_task_id(task_id: &str) -> Result<(), TaskIdError> {
    if !TASK_ID_CHARS.contains(&task_id.chars().count()) {
        return Err(TaskIdError::Length);
    }
    if task_id.chars().any(char::is_control) {
        return Err(TaskIdError::ControlCharacter);
    }
    Ok(())
}

/// Checks that a known task is the download that is requested.
fn check_same(task: &Task, request: &DownloadRequest, directory: &str) -> Result<(), TaskIdError> {
    let names_directory = request.directory.as_deref().is_some_and(|text| !text.is_empty());
    if names_directory && directory != task.directory {
        return Err(TaskIdError::OtherDirectory {
            directory: task.directory.clone(),
        });
    }
    if task.direction != Direction::Download {
        return Err(TaskIdError::Upload);
    }
    if task.file.hash != request.file.hash {
        return Err(TaskIdError::OtherFile);
    }
    if task.platform != request.platform {
        return Err(TaskIdError::OtherPlatform);
    }
    Ok(())
}
