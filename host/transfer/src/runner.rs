//! Runs the tasks: a bounded number at once, each in a tokio task of its own.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use stowage_cloud::{CONFIRM_AFTER, Health};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::Instrument as _;

use crate::engine::{Engine, now_ms};
use crate::outcome::{Outcome, TransferError};
use crate::request::UploadHook;
use crate::row::Direction;
use crate::task::{State, Task, code};
use crate::tasks::Attempt;
use crate::{audit, confirm, download, prune, removal, room, span, staging, upload};

/// The longest time that a space may ask to wait before the next attempt.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

impl Engine {
    /// Runs tasks until `shutdown` completes. Then stops the running ones at a checkpoint and
    /// returns.
    pub(crate) async fn run(self: Arc<Self>, hook: Arc<dyn UploadHook>, shutdown: impl Future<Output = ()>) {
        let mut jobs = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        prune::run(&self).await;
        jobs.spawn(audit::run(self.clone()));
        self.confirm_recent();
        jobs.spawn(confirm::run(self.clone()));
        jobs.spawn(staging::run(self.clone()));
        loop {
            let retry = self.start(&mut jobs, &hook);
            tokio::select! {
                () = &mut shutdown => break,
                () = self.wake.notified() => {}
                Some(_) = jobs.join_next() => {}
                () = sleep_until(retry.unwrap_or_else(Instant::now)), if retry.is_some() => {}
            }
        }
        self.stop.cancel();
        while jobs.join_next().await.is_some() {}
    }

    /// Schedules a check of the blobs whose upload ended shortly before the restart.
    fn confirm_recent(&self) {
        let window = i64::try_from(CONFIRM_AFTER.as_millis()).unwrap_or(i64::MAX);
        for (hash, size) in self.tasks().uploaded(now_ms().saturating_sub(window)) {
            if let Ok(hash) = hash.parse() {
                self.blob_checks.add(hash, size);
            }
        }
    }

    /// Starts the tasks that may run. Returns the time of the next retry.
    fn start(self: &Arc<Self>, jobs: &mut JoinSet<()>, hook: &Arc<dyn UploadHook>) -> Option<Instant> {
        let removed = self.tasks().take_removed();
        if !removed.is_empty() {
            jobs.spawn(removal::run(self.clone(), removed));
        }
        self.tasks().retry_due(Instant::now());
        for direction in [Direction::Upload, Direction::Download] {
            loop {
                let most = self.limiter.at_once(direction);
                let attempt = self.tasks().next(direction, most);
                let Some(attempt) = attempt else { break };
                jobs.spawn(self.clone().work(attempt, hook.clone()));
            }
        }
        let waiting = self.tasks().mark_waiting();
        for id in waiting {
            self.publish(id);
        }
        self.tasks().next_retry()
    }

    async fn work(self: Arc<Self>, attempt: Attempt, hook: Arc<dyn UploadHook>) {
        let Attempt {
            job,
            lacks_room,
            stop,
            span,
        } = attempt;
        let task = job.task.clone();
        let span = span.unwrap_or_else(|| span::transfer(&task));
        let engine = self.for_attempt(stop);
        let work = async {
            if lacks_room {
                room::check(&engine, &job.task).await?;
            }
            match job.task.direction {
                Direction::Download => download::run(&engine, job).await.map(Outcome::Downloaded),
                Direction::Upload => upload::run(&engine, &job.task, hook.as_ref())
                    .await
                    .map(|()| Outcome::Uploaded),
            }
        };
        let (Ok(outcome) | Err(outcome)) = std::panic::AssertUnwindSafe(work.instrument(span.clone()))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(Outcome::failed(TransferError::Panic)));
        self.record_outcome(task.id, outcome).instrument(span.clone()).await;
        if let Some((task, bytes)) = self.tasks().get(task.id) {
            span::ended(&span, task, bytes);
        }
        drop(span);
        staging::remove_unneeded(&self, &task).await;
        prune::run(&self).await;
        self.wake.notify_one();
    }

    /// Records how the work on a task ended.
    async fn record_outcome(&self, id: u64, outcome: Outcome) {
        let Some(mut task) = self.tasks().get(id).map(|(task, _)| task.clone()) else {
            return;
        };
        let lacks_room = matches!(outcome, Outcome::DiskFull(_) | Outcome::NoRoomYet);
        let lacked_room = self.tasks().set_lacks_room(id, lacks_room);
        if let (Outcome::DiskFull(error), false) = (&outcome, lacked_room) {
            tracing::warn!(
                task = task.task_id,
                error = error as &(dyn std::error::Error + 'static),
                "the disk has no room for a transfer; it waits for room"
            );
        }
        let mut retry = self.apply(&mut task, outcome);
        if task.state.is_terminal() {
            task.finished_ms = now_ms();
        }
        if retry.is_none() {
            task.revision += 1;
            if let Err(error) = self.write(&task).await {
                // The task has not ended before its end is durable. The next attempt finds the work
                // done.
                tracing::warn!(task = task.task_id, %error, "the end of a transfer cannot be written");
                task.state = State::Paused;
                task.code = code::TEMPORARY;
                task.finished_file = None;
                task.finished_ms = 0;
                retry = Some(Instant::now() + self.config.retry.most);
            }
        }
        self.tasks().end_attempt(task, retry);
        self.publish(id);
    }

    /// Changes the task as the outcome says. Returns the time of the next attempt, if there is one.
    fn apply(&self, task: &mut Task, outcome: Outcome) -> Option<Instant> {
        task.code = code::NONE;
        match outcome {
            Outcome::Uploaded => task.state = State::Done,
            Outcome::Downloaded(finished_file) => {
                task.state = State::Done;
                task.finished_file = Some(finished_file);
                task.checkpoint = None;
                task.opened = None;
            }
            Outcome::Stopped => task.state = State::Paused,
            Outcome::NoPassword => {
                task.state = State::Paused;
                task.code = code::WRONG_PASSWORD;
            }
            Outcome::BlobMissing => {
                tracing::warn!(
                    task = task.task_id,
                    hash = task.file.hash,
                    "the blob of a transfer does not exist"
                );
                task.state = match task.direction {
                    Direction::Download => State::Invalid,
                    Direction::Upload => State::Failed,
                };
                task.code = code::NO_FILE;
                task.checkpoint = None;
            }
            Outcome::NoSpace => task.state = State::NoSpace,
            Outcome::SpaceFull(error) => {
                tracing::warn!(task = task.task_id, %error, "the disk of the space has no room for a transfer");
                task.state = State::NoSpace;
                task.code = code::DISK_FULL;
            }
            Outcome::DiskFull(_) | Outcome::NoRoomYet => {
                // A check of the disk is no failed attempt.
                task.state = State::Paused;
                task.code = code::DISK_FULL;
                return Some(Instant::now() + self.config.room_interval);
            }
            Outcome::Failed { code, error } => {
                tracing::warn!(
                    task = task.task_id,
                    hash = task.file.hash,
                    code,
                    error = &error as &(dyn std::error::Error + 'static),
                    "a transfer failed"
                );
                task.state = State::Failed;
                task.code = code;
            }
            Outcome::Retry { error, progressed } => return self.apply_retry(task, &error, progressed),
        }
        None
    }

    fn apply_retry(&self, task: &mut Task, error: &TransferError, progressed: bool) -> Option<Instant> {
        let failures = self.tasks().count_failure(task.id, progressed);
        let asked = error.retry_after().unwrap_or_default().min(LONGEST_ASKED);
        // A space that is away comes back some day. Until then, its tasks do not fail.
        let is_away = self.cloud.health() != Health::Reachable;
        let wait = self.config.retry.wait(failures);
        let wait = wait.or(is_away.then_some(self.config.retry.most));
        let wait = wait.map(|wait| wait.max(asked));
        tracing::info!(
            task = task.task_id,
            hash = task.file.hash,
            error = error as &(dyn std::error::Error + 'static),
            failures,
            ?wait,
            "an attempt at a transfer failed"
        );
        (task.state, task.code) = match wait {
            Some(_) => (State::Paused, code::TEMPORARY),
            None => (State::Failed, code::FAILURE),
        };
        wait.map(|wait| Instant::now() + wait)
    }
}
