//! The publisher: the task that publishes the outbox and removes blobs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::reap::{self, BlobRemovals};
use crate::state::CloudState;
use crate::{Error, Health, RowSink, publish};

/// The shortest time from a change to its publishing, and between two rounds. So changes that come
/// together are published together.
const GATHER: Duration = Duration::from_millis(100);
/// The longest rest between two steps.
const LONGEST_REST: Duration = Duration::from_secs(10);
/// While calls run, the publisher rests this many times as long as its last step took.
const REST_FACTOR: u32 = 9;
/// Pause after the first failed attempt to publish.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause between attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Pause before the next attempt to remove a blob whose removal waits.
const WAITING_PAUSE: Duration = Duration::from_secs(2);

/// Publishes the outbox until `shutdown`. During an outage it retries with a backoff.
pub(crate) async fn run(state: &CloudState, sink: Arc<dyn RowSink>, shutdown: impl Future<Output = ()>) {
    tokio::pin!(shutdown);
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut health = state.space.health_changes();
    loop {
        let again = tokio::select! {
            () = &mut shutdown => return,
            published = publish_all(state, sink.as_ref()) => published,
        };
        let wait = match again {
            Ok((left, busy)) => {
                backoff.reset();
                let waiting = left == BlobRemovals::Waiting;
                Wait {
                    longest: waiting.then_some(WAITING_PAUSE),
                    wakes: true,
                    rest: rest_after(busy),
                }
            }
            Err(error) => {
                if backoff.attempts() == 0 {
                    tracing::warn!(space = state.space.name(), %error, "changes wait until the space can be reached");
                }
                // Later changes of it end the pause.
                health.mark_unchanged();
                // During an outage a new change must not end the backoff.
                Wait {
                    longest: Some(backoff.next()),
                    wakes: false,
                    rest: Duration::ZERO,
                }
            }
        };
        let longest = wait.longest.unwrap_or_default();
        tokio::select! {
            () = &mut shutdown => return,
            () = state.wake.notified(), if wait.wakes => {}
            () = tokio::time::sleep(longest), if wait.longest.is_some() => {}
            () = back(&mut health), if !wait.wakes => {}
        }
        tokio::select! {
            () = &mut shutdown => return,
            () = rest(state, wait.rest) => {}
        }
    }
}

/// Waits until a space that was out of reach is back.
async fn back(health: &mut watch::Receiver<Health>) {
    loop {
        // No error: the sender lives as long as the space.
        let _ = health.changed().await;
        if *health.borrow() == Health::Reachable {
            return;
        }
    }
}

/// Publishes the outbox. Returns which removals are left, and how long the last step took.
async fn publish_all(state: &CloudState, sink: &dyn RowSink) -> Result<(BlobRemovals, Duration), Error> {
    let mut from = 0;
    loop {
        let begun = Instant::now();
        let Some(cursor) = publish::some_rows(state, from).await? else {
            let left = reap::blobs(state, sink).await?;
            return Ok((left, begun.elapsed()));
        };
        from = cursor;
        rest(state, rest_after(begun.elapsed())).await;
    }
}

/// Waits this long, so that calls have the processor. Ends early if no call ended for [`GATHER`].
async fn rest(state: &CloudState, time: Duration) {
    let until = Instant::now() + time;
    let mut left = time;
    while !left.is_zero() {
        let before = state.store.stats();
        tokio::time::sleep(left.min(GATHER)).await;
        let now = state.store.stats();
        if (now.commits, now.read_only_commits) == (before.commits, before.read_only_commits) {
            return;
        }
        left = until.saturating_duration_since(Instant::now());
    }
}

/// How the publisher waits for its next round.
struct Wait {
    /// The longest wait. `None` is without limit.
    longest: Option<Duration>,
    /// Whether a new change ends the wait.
    wakes: bool,
    /// The rest after the wait, while more changes may come.
    rest: Duration,
}

/// How long the publisher rests after a step of this length.
fn rest_after(busy: Duration) -> Duration {
    busy.saturating_mul(REST_FACTOR).clamp(GATHER, LONGEST_REST)
}

#[cfg(test)]
mod tests {
    use stowage_storage::{Config, Store};

    use super::*;
    use crate::{Cloud, Space};

    #[tokio::test(start_paused = true)]
    async fn the_publisher_rests_while_calls_go_on() {
        let store = Store::in_memory(Config::default());
        let options = crate::OpenOptions {
            create: Some(1),
            ..Default::default()
        };
        let space = Space::open("memory:///", options).await.expect("memory");
        let cloud = Cloud::open(space, store.clone()).await.expect("open");
        let begun = Instant::now();
        let rested = async |time| {
            let begun = Instant::now();
            rest(cloud.state(), time).await;
            begun.elapsed()
        };
        assert_eq!(rested(LONGEST_REST).await, GATHER, "nobody calls");
        let calls = async {
            loop {
                store.commit(store.begin()).await.expect("committed");
                tokio::time::sleep(GATHER / 4).await;
            }
        };
        let during_calls = async {
            assert_eq!(rested(LONGEST_REST).await, LONGEST_REST);
            assert_eq!(rested(Duration::from_millis(250)).await, Duration::from_millis(250));
        };
        tokio::select! {
            () = calls => {}
            () = during_calls => {}
        }
        assert_eq!(rested(LONGEST_REST).await, GATHER, "nobody calls any more");
        assert!(begun.elapsed() < LONGEST_REST * 2);
    }
}
