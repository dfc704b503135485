//! Backups by a schedule.

use std::time::{Duration, UNIX_EPOCH};

use stowage_backup::{Target, host, newest_of};
use stowage_deploy::api::LastBackup;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Backups, StartError, State};
use crate::console::now_ms;

/// The wait after the first attempt that failed; it doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_secs(30);
/// The longest wait after an attempt that failed.
const LONGEST_RETRY: Duration = Duration::from_secs(60 * 60);
/// The longest time that is slept at once: a clock that is set changes when the next one is due.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

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
            if stop.run_until_cancelled(until(due_ms)).await.is_none() {
                return;
            }
            // One that a person began counts as well, but may go elsewhere.
            if stop.run_until_cancelled(self.idle()).await.is_none() {
                return;
            }
            due_ms = match self.start(&schedule.url, schedule.keep) {
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

    /// When the first backup is due.
    async fn first_due(&self, schedule: &Schedule) -> u64 {
        let newest = match Target::open(&schedule.url, true) {
            Ok(target) => newest_of(&target, &host(&self.0.source.data)).await,
            Err(error) => Err(error),
        };
        match newest {
            Ok(Some(at)) => {
                self.0.counts.found(UNIX_EPOCH + Duration::from_millis(at));
                self.0.state.lock().last_good = Some(LastBackup { id: None, at });
                at.saturating_add(ms(schedule.every))
            }
            Ok(None) => now_ms(),
            // The first attempt tells what is wrong.
            Err(error) => {
                tracing::debug!(%error, "the newest backup is not known");
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
                next
            }
            None => schedule.after_failure(&mut state),
        }
    }
}

/// Sleeps until a time of the wall clock.
async fn until(due_ms: u64) {
    loop {
        let left = Duration::from_millis(due_ms.saturating_sub(now_ms()));
        if left.is_zero() {
            return;
        }
        sleep(left.min(LONGEST_SLEEP)).await;
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

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
