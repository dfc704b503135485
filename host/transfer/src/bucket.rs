//! A limit of bytes a second that several takers share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// The most bytes of one turn.
const MOST_BYTES: u64 = 64 << 10;

/// Turns a second at least, if a turn has more than one byte.
const TURNS_PER_SECOND: u64 = 20;

/// What was not used for so long may be used at once.
const BURST: Duration = Duration::from_millis(50);

/// A limit of bytes a second. Takers take turns of a few bytes, in the order in which they came.
/// So takers share the limit equally, and no number of bytes is too large. A turn waits for at most
/// one second. So a changed limit takes effect soon.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// Bytes a second. 0 means no limit.
    rate: AtomicU64,
    /// When all bytes taken so far are paid for. The lock is fair, so that takers come in turn.
    paid: Mutex<Instant>,
}

impl Bucket {
    /// A limit of `rate` bytes a second. 0 means no limit.
    pub(crate) fn new(rate: u64) -> Bucket {
        Bucket {
            rate: AtomicU64::new(rate),
            paid: Mutex::new(Instant::now()),
        }
    }

    /// Changes the limit, also for those who wait.
    pub(crate) fn set_rate(&self, rate: u64) {
        self.rate.store(rate, Ordering::Relaxed);
    }

    /// Returns when `bytes` may be transferred.
    pub(crate) async fn take(&self, mut bytes: u64) {
        while bytes > 0 && self.rate.load(Ordering::Relaxed) > 0 {
            let mut paid = self.paid.lock().await;
            sleep_until(*paid).await;
            let rate = self.rate.load(Ordering::Relaxed);
            if rate == 0 {
                return;
            }
            let turn = bytes.min((rate / TURNS_PER_SECOND).clamp(1, MOST_BYTES));
            // A taker that comes late must not get what it missed in one burst.
            let now = Instant::now();
            let from = now.checked_sub(BURST).map_or(*paid, |earliest| earliest.max(*paid));
            *paid = from + Duration::from_secs(1).mul_f64(turn as f64 / rate as f64);
            bytes -= turn;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    async fn seconds(work: impl Future<Output = ()>) -> f64 {
        let start = Instant::now();
        work.await;
        start.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn many_bytes_at_once_take_the_time_of_the_limit() {
        for (rate, bytes) in [(1_000_000, 50_000_000), (1000, 10_000), (3, 30)] {
            let took = seconds(Bucket::new(rate).take(bytes)).await;
            let right = bytes as f64 / rate as f64;
            assert!((right - 1.5..right + 1.0).contains(&took), "{rate}: {took} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nobody_waits() {
        assert_eq!(seconds(Bucket::new(0).take(u64::MAX)).await, 0.0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_and_a_small_taker_share_equally() {
        let bucket = Arc::new(Bucket::new(1_000_000));
        let large = tokio::spawn({
            let bucket = bucket.clone();
            async move { bucket.take(1 << 40).await }
        });
        tokio::task::yield_now().await;
        // Half of the limit: twice the time that it would take alone.
        let took = seconds(bucket.take(5_000_000)).await;
        assert!((9.0..11.0).contains(&took), "{took} s");
        large.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_limit_counts_for_those_who_wait() {
        let bucket = Arc::new(Bucket::new(1));
        let waiting = tokio::spawn({
            let bucket = bucket.clone();
            async move { seconds(bucket.take(1 << 30)).await }
        });
        tokio::time::sleep(Duration::from_secs(10)).await;
        bucket.set_rate(0);
        assert!(waiting.await.unwrap() < 12.0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_used_does_not_pile_up() {
        let bucket = Bucket::new(1000);
        bucket.take(1).await;
        tokio::time::sleep(Duration::from_secs(3600)).await;
        let took = seconds(bucket.take(10_000)).await;
        assert!(took > 9.0, "{took} s");
    }
}
