//! The backups that a server makes of itself: when it is asked, and by a schedule.

pub(crate) mod api;
mod schedule;

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use parking_lot::Mutex;
use stowage_backup::{Error, Listed, Made, Options, Progress, Source, Target, back_up, check_outside};
use stowage_deploy::api::{BackupFailure, BackupSummary, LastBackup};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::console::now_ms;
use crate::metrics::Backups as Counts;
use api::{BackupStatus, EndedBackup, RunningBackup};
pub(crate) use schedule::Schedule;

/// The backups of a server. A cheap handle.
#[derive(Clone)]
pub(crate) struct Backups(Arc<Inner>);

struct Inner {
    source: Source,
    schedule: Option<Schedule>,
    counts: Counts,
    state: Mutex<State>,
    /// Changes when a backup ends.
    ended: watch::Sender<u64>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

#[derive(Default)]
struct State {
    /// The number of the last backup that began.
    number: u64,
    running: Option<Running>,
    last: Option<EndedBackup>,
    /// The last one that succeeded, here or before the server started.
    last_good: Option<LastBackup>,
    /// The last attempt, if it failed and nobody cancelled it.
    failure: Option<BackupFailure>,
    /// Attempts of the schedule that failed since then.
    failures: u32,
    next_ms: Option<u64>,
    /// Whether the place of the schedule had backups since the server started.
    is_known: bool,
}

struct Running {
    number: u64,
    to: String,
    since: u64,
    progress: Arc<Progress>,
    cancel: CancellationToken,
}

/// Why a backup did not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// Another one runs.
    #[error("a backup to {to} is being made; wait for its end, or cancel it")]
    Busy {
        /// Where it goes.
        to: String,
    },
    /// The server stops.
    #[error("the server is stopping")]
    Stopping,
    /// The place is wrong.
    #[error(transparent)]
    Place(#[from] Error),
}

impl Backups {
    /// The backups of what `source` has, which are counted for metrics. All of them end when `stop`
    /// is cancelled.
    pub(crate) fn new(source: Source, schedule: Option<Schedule>, counts: Counts, stop: CancellationToken) -> Backups {
        Backups(Arc::new(Inner {
            source,
            schedule,
            counts,
            state: Mutex::default(),
            ended: watch::Sender::new(0),
            tasks: TaskTracker::new(),
            stop,
        }))
    }

    /// Begins a backup to the URL of a place, and returns its number.
    ///
    /// # Errors
    /// [`StartError`].
    pub(crate) fn start(&self, url: &str, keep: Option<usize>) -> Result<u64, StartError> {
        check_outside(url, &self.0.source.data)?;
        let target = Target::open(url, true)?;
        self.begin(target, keep, false)
    }

    /// Begins a backup to a place. If it `is_known`, it must have backups.
    fn begin(&self, target: Target, keep: Option<usize>, is_known: bool) -> Result<u64, StartError> {
        let inner = Arc::clone(&self.0);
        let (number, progress, cancel) = {
            let mut state = inner.state.lock();
            if inner.stop.is_cancelled() {
                return Err(StartError::Stopping);
            }
            if let Some(running) = &state.running {
                return Err(StartError::Busy { to: running.to.clone() });
            }
            state.number += 1;
            let running = Running {
                number: state.number,
                to: target.name().to_owned(),
                since: now_ms(),
                progress: Arc::default(),
                cancel: inner.stop.child_token(),
            };
            let begun = (running.number, Arc::clone(&running.progress), running.cancel.clone());
            state.running = Some(running);
            begun
        };
        let tasks = self.0.tasks.clone();
        tasks.spawn(async move {
            // In a task of its own, so that a panic does not leave a backup that runs forever.
            let making = {
                let inner = Arc::clone(&inner);
                tokio::spawn(async move {
                    let options = Options {
                        keep,
                        is_known,
                        ..Options::default()
                    };
                    back_up(&inner.source, &target, options, &progress, &cancel).await
                })
            };
            let made = making.await.unwrap_or(Err(Error::Panicked));
            inner.end(made);
        });
        Ok(number)
    }

    /// Cancels the backup that runs. Returns whether there was one.
    pub(crate) fn cancel(&self) -> bool {
        let state = self.0.state.lock();
        state.running.as_ref().map(|running| running.cancel.cancel()).is_some()
    }

    /// Waits until no backup runs.
    pub(crate) async fn idle(&self) {
        let mut ended = self.0.ended.subscribe();
        // It fails only if the sender is gone, which this handle keeps.
        let _ = ended.wait_for(|_| self.0.state.lock().running.is_none()).await;
    }

    /// Waits for the end of all backups. Call it after the stop, before the store is closed.
    pub(crate) async fn drained(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// What runs, and what ended last.
    pub(crate) fn status(&self) -> BackupStatus {
        let state = self.0.state.lock();
        BackupStatus {
            running: state.running.as_ref().map(|running| RunningBackup {
                number: running.number,
                to: running.to.clone(),
                since: running.since,
                progress: running.progress.snapshot(),
            }),
            last: state.last.clone(),
        }
    }

    /// For the overview. `None` if no backup was made and none is scheduled.
    pub(crate) fn summary(&self) -> Option<BackupSummary> {
        let state = self.0.state.lock();
        let schedule = self.0.schedule.as_ref();
        if schedule.is_none() && state.last.is_none() && state.running.is_none() {
            return None;
        }
        Some(BackupSummary {
            to: schedule.map(|schedule| schedule.shown().to_owned()),
            every_seconds: schedule.map(|schedule| schedule.every.as_secs().max(1)),
            next: state.next_ms,
            running: state.running.is_some(),
            last: state.last_good.clone(),
            failure: state.failure.clone().map(|failure| BackupFailure {
                attempts: state.failures.max(1),
                ..failure
            }),
        })
    }
}

impl Inner {
    fn end(&self, made: Result<Made, Error>) {
        let mut state = self.state.lock();
        let Some(running) = state.running.take() else { return };
        let mut ended = EndedBackup {
            number: running.number,
            to: running.to,
            since: running.since,
            until: now_ms(),
            backup: None,
            skipped: Vec::new(),
            pruned: None,
            error: None,
        };
        match made {
            Ok(Made { manifest, pruned }) => {
                let listed = Listed::from(&manifest);
                tracing::info!(
                    to = ended.to,
                    id = listed.id,
                    rows = listed.rows,
                    files = listed.files,
                    "backup made"
                );
                state.failure = None;
                self.counts.complete(UNIX_EPOCH + Duration::from_millis(listed.at));
                state.last_good = Some(LastBackup {
                    id: Some(listed.id.clone()),
                    at: listed.at,
                });
                ended.backup = Some(listed);
                ended.skipped = manifest.skipped;
                match pruned {
                    Some(Ok(pruned)) => ended.pruned = Some(pruned),
                    Some(Err(error)) => {
                        tracing::warn!(to = ended.to, error = %chain(&*error), "older backups were not removed");
                        ended.error = Some(format!("older backups were not removed: {}", chain(&*error)));
                    }
                    None => {}
                }
            }
            Err(error @ Error::Cancelled) => {
                tracing::info!(to = ended.to, "the backup was cancelled");
                ended.error = Some(error.to_string());
            }
            Err(error) => {
                self.failed(&mut state, &ended.to, &error);
                ended.error = Some(chain(&error));
            }
        }
        state.last = Some(ended);
        drop(state);
        self.ended.send_modify(|count| *count += 1);
    }

    /// Notes an attempt that failed.
    fn failed(&self, state: &mut State, to: &str, error: &Error) {
        tracing::warn!(to, error = %chain(error), "the backup failed");
        self.counts.failed();
        state.failure = Some(BackupFailure {
            at: now_ms(),
            to: to.to_owned(),
            message: chain(error),
            attempts: 1,
        });
    }
}

/// An error and its causes as one text.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        source = error.source();
    }
    text
}
