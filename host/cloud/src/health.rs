//! Whether the space can be reached, as the last requests found.

use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::{Error, Space};

/// The pause before the space is first asked whether it is back.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two such questions.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// The time between two warnings in the log.
const WARN_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Whether the space can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// The last request was answered.
    Reachable,
    /// The space gives no answer, refuses us, or is not the right one. Changes and transfers wait.
    OutOfReach {
        /// When this was first noticed.
        since: SystemTime,
        /// Why, for a person.
        why: String,
    },
}

/// The health of a space, which every request reports to.
#[derive(Debug)]
pub(crate) struct HealthReport {
    health: watch::Sender<Health>,
}

impl Default for HealthReport {
    fn default() -> Self {
        Self {
            health: watch::Sender::new(Health::Reachable),
        }
    }
}

impl HealthReport {
    /// Reports how a request ended.
    pub(crate) fn note(&self, error: Option<&Error>) {
        match error.filter(|error| error.is_outage()) {
            Some(error) => self.note_outage(error),
            None => {
                self.health.send_if_modified(|health| {
                    let changed = *health != Health::Reachable;
                    *health = Health::Reachable;
                    changed
                });
            }
        }
    }

    /// Reports that the space cannot be used. The time of an outage is that of its first report,
    /// the reason is that of the last.
    pub(crate) fn note_outage(&self, error: &Error) {
        self.health.send_if_modified(|health| match health {
            Health::OutOfReach { why, .. } => {
                *why = error.to_string();
                false
            }
            Health::Reachable => {
                *health = Health::OutOfReach {
                    since: SystemTime::now(),
                    why: error.to_string(),
                };
                true
            }
        });
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }
}

/// While the space is out of reach, asks now and then whether it is back, and warns in the log.
pub(crate) async fn watch(space: &Space) {
    let mut health = space.health_changes();
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut warned: Option<Instant> = None;
    let mut back_since = Instant::now();
    // An error would mean that the space is gone. It lives as long as this future.
    while health.wait_for(|health| *health != Health::Reachable).await.is_ok() {
        // A space that goes away again at once is not asked more and more often.
        if back_since.elapsed() > LONGEST_PAUSE * 4 {
            backoff.reset();
        }
        let mut told = false;
        loop {
            let Health::OutOfReach { since, why } = health.borrow_and_update().clone() else {
                break;
            };
            if warned.is_none_or(|at| at.elapsed() >= WARN_INTERVAL) {
                (warned, told) = (Some(Instant::now()), true);
                tracing::warn!(
                    space = space.name(),
                    why,
                    seconds = since.elapsed().unwrap_or_default().as_secs(),
                    "the space is out of reach; lists come from the local database, changes and transfers wait"
                );
            }
            tokio::select! {
                _ = health.changed() => {}
                () = tokio::time::sleep(backoff.next()) => {
                    // The health tells the answer.
                    let _ = space.description().await;
                }
            }
        }
        back_since = Instant::now();
        if told {
            tracing::info!(space = space.name(), "the space can be reached again");
        }
    }
}
