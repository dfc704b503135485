//! The ticks: when subscribers are told what has changed.
//!
//! All subscribers are told at common times, so that most of them get the same rows, which are
//! serialised once. Ticks come only while something changes and somebody is connected.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until};

use super::connection::FRAME_INTERVAL;
use super::progress_feed::Feed;

/// The longest time between two ticks while rows change.
const MAX_INTERVAL: Duration = Duration::from_secs(2);

/// The time between two ticks, in multiples of the time that the feed runs for them. So the feed
/// takes about a tenth of one processor, unless that needs more than [`MAX_INTERVAL`].
const PAUSE_FACTOR: u32 = 10;

/// How many connections are woken at once. Between two batches other work has its turn.
const BATCH: usize = 16;

/// When the next tick is due.
pub(super) struct Pace {
    tick_at: Instant,
    /// How long the feed had run until the tick.
    cost: Duration,
}

impl Pace {
    pub(super) fn new(now: Instant, cost: Duration) -> Pace {
        Pace { tick_at: now, cost }
    }

    /// The time between the last tick and the next one, if the feed has run for `cost` until now.
    pub(super) fn interval(&self, cost: Duration) -> Duration {
        let pause = cost.saturating_sub(self.cost).saturating_mul(PAUSE_FACTOR);
        pause.clamp(FRAME_INTERVAL, MAX_INTERVAL)
    }
}

/// Makes ticks, until it is aborted.
pub(super) async fn run(feed: Feed) {
    let mut pace: Option<Pace> = None;
    loop {
        feed.changed().notified().await;
        let mut interval = FRAME_INTERVAL;
        // The last tick may still cause work, which moves the next one.
        while let Some(last) = &pace {
            interval = last.interval(feed.cost());
            let due = last.tick_at + interval;
            if due <= Instant::now() {
                break;
            }
            sleep_until(due).await;
        }
        pace = Some(Pace::new(Instant::now(), feed.cost()));
        wake(&feed.cut(), interval / 2).await;
    }
}

/// Wakes connections in batches, within about this time.
async fn wake(connections: &[Arc<Notify>], time: Duration) {
    let batches = u32::try_from(connections.len().div_ceil(BATCH)).unwrap_or(u32::MAX);
    for (index, batch) in connections.chunks(BATCH).enumerate() {
        match time / batches {
            _ if index == 0 => {}
            // Shorter than the timer can measure.
            pause if pause < Duration::from_millis(1) => yield_now().await,
            pause => sleep(pause).await,
        }
        for connection in batch {
            connection.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_pause_grows_with_the_cost_and_is_bounded() {
        let earlier = Duration::from_secs(100);
        let pace = Pace::new(Instant::now(), earlier);
        let interval = |cost_ms| pace.interval(earlier + Duration::from_millis(cost_ms)).as_millis();
        assert_eq!(
            [0, 10, 11, 150, 200, 9000].map(interval),
            [100, 100, 110, 1500, 2000, 2000]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn connections_are_woken_in_batches_within_the_time() {
        let connections: Vec<Arc<Notify>> = (0..100).map(|_| Arc::default()).collect();
        let start = Instant::now();
        wake(&connections, Duration::from_secs(1)).await;
        assert!(start.elapsed() <= Duration::from_secs(1));
        assert!(start.elapsed() >= Duration::from_millis(500));
        for connection in &connections {
            tokio::time::timeout(Duration::ZERO, connection.notified())
                .await
                .unwrap();
        }
    }
}
