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

/// How long the next tick waits.
struct Pause {
    /// In multiples of the time that the feed ran for the last tick.
    factor: u32,
    /// The longest wait.
    most: Duration,
}

/// While tasks only come further. So the feed takes about a twentieth of one processor.
const PROGRESS: Pause = Pause {
    factor: 20,
    most: Duration::from_secs(5),
};

/// When the status of a task has changed.
const STATUS: Pause = Pause {
    factor: 4,
    most: Duration::from_secs(1),
};

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
    pub(super) fn interval(&self, cost: Duration, is_urgent: bool) -> Duration {
        let Pause { factor, most } = if is_urgent { STATUS } else { PROGRESS };
        let pause = cost.saturating_sub(self.cost).saturating_mul(factor);
        pause.clamp(FRAME_INTERVAL, most)
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
            interval = last.interval(feed.cost(), feed.is_urgent());
            let due = last.tick_at + interval;
            if due <= Instant::now() {
                break;
            }
            tokio::select! {
                () = sleep_until(due) => {}
                () = feed.status_changed().notified() => {}
            }
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
        let interval = |cost_ms: u64| {
            let cost = earlier + Duration::from_millis(cost_ms);
            [false, true].map(|is_urgent| pace.interval(cost, is_urgent).as_millis())
        };
        assert_eq!(interval(0), [100, 100]);
        assert_eq!(interval(5), [100, 100]);
        assert_eq!(interval(30), [600, 120]);
        assert_eq!(interval(250), [5000, 1000]);
        assert_eq!(interval(9000), [5000, 1000]);
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
