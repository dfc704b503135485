//! Backups by a schedule.

use std::time::{Duration, UNIX_EPOCH};

use stowage_backup::{Error, Target, host, newest_of};
use stowage_deploy::api::{BackupFailure, LastBackup};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Backups, StartError, State, chain};
use crate::console::now_ms;

/// The wait after the first attempt that failed; it doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_secs(30);
/// The longest wait after an attempt that failed.
const LONGEST_RETRY: Duration = Duration::from_secs(60 * 60);
/// The longest time that is slept at once: a clock that is set changes when the next one is due.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// The longest look for the newest backup.
const LOOK_LIMIT: Duration = Duration::from_secs(120);
/// How far two clocks may differ.
const CLOCK_ERROR: Duration = Duration::from_secs(5 * 60);

/// When backups are made, and where they go.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    /// The time from one to the next.
    pub(crate) every: Duration,
    /// The URL of the place.
    url: String,
    /// The URL without credentials.
    shown: String,
    /// How many are kept. `None`: all.
    keep: Option<usize>,
}

impl Schedule {
    /// Backups to the URL of a place, which must be a good one.
    ///
    /// # Errors
    /// [`stowage_backup::Error::Url`].
    pub(crate) fn new(every: Duration, url: String, keep: Option<usize>) -> Result<Schedule, stowage_backup::Error> {
        let shown = Target::open(&url, true)?.name().to_owned();
        Ok(Schedule {
            every,
            url,
            shown,
            keep,
        })
    }

    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// When the next backup is due after one more attempt that failed.
    fn after_failure(&self, state: &mut State) -> u64 {
        state.failures = state.failures.saturating_add(1);
        now_ms() + ms(self.retry(state.failures))
    }

    /// The wait after so many attempts that failed.
    fn retry(&self, failures: u32) -> Duration {
        let doubled = FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(16));
        doubled.min(LONGEST_RETRY).min(self.every)
    }
}

impl Backups {
    /// Makes backups by the schedule until `stop`. Without a schedule it ends at once.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let Some(schedule) = self.0.schedule.clone() else {
            return;
        };
        // How long ago the last one was: a restart does not begin another one.
        let mut due_ms = stop
            .run_until_cancelled(self.first_due(&schedule))
            .await
            .unwrap_or_default();
        loop {
            self.0.state.lock().next_ms = Some(due_ms);
            if stop.run_until_cancelled(until(due_ms, schedule.every)).await.is_none() {
                return;
            }
            // One that a person began counts as well, but may go elsewhere.
            if stop.run_until_cancelled(self.idle()).await.is_none() {
                return;
            }
            due_ms = match self.start_scheduled(&schedule) {
                Ok(number) => {
                    // It ends soon after the stop.
                    self.idle().await;
                    self.due_after(number, &schedule)
                }
                Err(StartError::Busy { .. }) => now_ms(),
                Err(StartError::Stopping) => return,
                Err(StartError::Place(error)) => {
                    let mut state = self.0.state.lock();
                    self.0.failed(&mut state, &schedule.shown, &error);
                    schedule.after_failure(&mut state)
                }
            };
        }
    }

    /// Begins a backup of the schedule. The folder was made at the start of the server: if it is
    /// missing now, or has no backups any more, its disk is not mounted, and a backup to the disk
    /// below would seem to be one.
    fn start_scheduled(&self, schedule: &Schedule) -> Result<u64, StartError> {
        let target = Target::open(&schedule.url, false)?;
        let is_known = self.0.state.lock().is_known;
        self.begin(target, schedule.keep, is_known)
    }

    /// When the first backup is due.
    async fn first_due(&self, schedule: &Schedule) -> u64 {
        let (url, data) = (schedule.url.clone(), self.0.source.data.clone());
        // In a task of its own: a disk that hangs makes it wait in the middle.
        let looking = tokio::spawn(async move {
            let opened = tokio::task::spawn_blocking(move || Target::open(&url, false)).await;
            let target = opened.map_err(|_| Error::Panicked)??;
            newest_of(&target, &host(&data)).await
        });
        // A place that does not answer must not keep the first attempt from being made.
        let newest = match timeout(LOOK_LIMIT, looking).await {
            Ok(looked) => looked.unwrap_or(Err(Error::Panicked)).map_err(|error| chain(&error)),
            Err(_) => Err(format!("it did not answer for {} s", LOOK_LIMIT.as_secs())),
        };
        match newest {
            Ok(Some(at)) => {
                self.0.counts.found(UNIX_EPOCH + Duration::from_millis(at));
                let mut state = self.0.state.lock();
                state.last_good = Some(LastBackup { id: None, at });
                state.is_known = true;
                at.saturating_add(ms(schedule.every))
            }
            Ok(None) => now_ms(),
            // A warning until the first attempt succeeds, which may take long to fail.
            Err(error) => {
                tracing::warn!(to = schedule.shown, error, "the newest backup is not known");
                self.0.state.lock().failure = Some(BackupFailure {
                    at: now_ms(),
                    to: schedule.shown.clone(),
                    message: format!("the newest backup is not known: {error}"),
                    attempts: 1,
                });
                now_ms()
            }
        }
    }

    /// When the next backup is due after the one with this number.
    fn due_after(&self, number: u64, schedule: &Schedule) -> u64 {
        let mut state = self.0.state.lock();
        let good = state
            .last
            .as_ref()
            .filter(|last| last.number == number)
            .and_then(|last| last.backup.as_ref());
        match good {
            Some(backup) => {
                let next = backup.at.saturating_add(ms(schedule.every));
                state.failures = 0;
                state.is_known = true;
                next
            }
            None => schedule.after_failure(&mut state),
        }
    }
}

/// Sleeps until a time of the wall clock.
async fn until(due_ms: u64, every: Duration) {
    loop {
        let left = left(due_ms, now_ms(), every);
        if left.is_zero() {
            return;
        }
        sleep(left.min(LONGEST_SLEEP)).await;
    }
}

/// The time that is left until a backup is due. None is due later than after the time of the
/// schedule: then the clock was set back, and it is due now.
fn left(due_ms: u64, now_ms: u64, every: Duration) -> Duration {
    let left = Duration::from_millis(due_ms.saturating_sub(now_ms));
    match left > every.saturating_add(CLOCK_ERROR) {
        true => {
            tracing::warn!("the next backup was due too late, because the clock was set; it is made now");
            Duration::ZERO
        }
        false => left,
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_makes_a_backup_due() {
        let hour = Duration::from_secs(60 * 60);
        assert_eq!(left(5_000, 2_000, hour), Duration::from_secs(3));
        assert_eq!(left(5_000, 6_000, hour), Duration::ZERO);
        let late = ms(hour + CLOCK_ERROR);
        assert_eq!(left(late, 0, hour), hour + CLOCK_ERROR);
        assert_eq!(left(late + 1, 0, hour), Duration::ZERO);
        assert_eq!(left(u64::MAX, 0, hour), Duration::ZERO);
    }

    #[test]
    fn attempts_that_fail_become_rarer_to_a_bound() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("file://{}", dir.path().display());
        let schedule = |every| Schedule::new(Duration::from_secs(every), url.clone(), None).unwrap();
        let day = schedule(86_400);
        assert_eq!(day.retry(1), FIRST_RETRY);
        assert_eq!(day.retry(3), FIRST_RETRY * 4);
        assert_eq!((day.retry(20), day.retry(u32::MAX)), (LONGEST_RETRY, LONGEST_RETRY));
        assert_eq!(schedule(5).retry(9), Duration::from_secs(5));
        assert!(Schedule::new(Duration::from_secs(1), "ftp://x".to_owned(), None).is_err());
    }
}
