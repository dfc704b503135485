//! What passes through the server: calls a second with their times, connections and subscribers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use histogram::AtomicHistogram;
use parking_lot::Mutex;
use stowage_deploy::api::Second;
use stowage_logic::rpc::Code;
use stowage_storage::{Distribution, DistributionCounts, TIME_BOUNDS_US};

/// Seconds that are kept.
pub(crate) const MAX_SECONDS: usize = 300;
/// Times are exact to a 32nd part, up to about 134 seconds in microseconds: a call takes less.
/// These are the histogram's parameters.
const GROUPING_POWER: u8 = 5;
const MAX_POWER: u8 = 27;

/// Counts of a server. Many threads add to them.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) calls: Calls,
    /// Open connections; a websocket is one.
    pub(crate) connections: Gauge,
    /// Websockets of the feed.
    pub(crate) subscribers: Gauge,
    /// Requests that the gate refused.
    pub(crate) refusals: Refusals,
}

/// Requests that the gate refused, by the reason. There are as many counts as reasons.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<BTreeMap<&'static str, u64>>);

impl Refusals {
    pub(crate) fn count(&self, reason: &'static str) {
        *self.0.lock().entry(reason).or_default() += 1;
    }

    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().clone()
    }
}

/// Codes that are counted one by one. Modules choose theirs, so there may be more.
const MAX_CODES: usize = 256;

/// Calls of the API by second. To count a call takes a few atomic additions, and a lock if it
/// failed.
#[derive(Debug)]
pub(crate) struct Calls {
    /// The calls of the second that is not over.
    times: AtomicHistogram,
    failed: AtomicU64,
    /// Since the server started, as below.
    succeeded: AtomicU64,
    codes: Mutex<BTreeMap<i32, u64>>,
    more_codes: AtomicU64,
    durations_us: Distribution,
    seconds: Mutex<VecDeque<Second>>,
}

impl Default for Calls {
    fn default() -> Self {
        Calls {
            times: AtomicHistogram::new(GROUPING_POWER, MAX_POWER).expect("the powers are in the crate's range"),
            failed: AtomicU64::new(0),
            succeeded: AtomicU64::new(0),
            codes: Mutex::default(),
            more_codes: AtomicU64::new(0),
            durations_us: Distribution::new(TIME_BOUNDS_US),
            seconds: Mutex::default(),
        }
    }
}

impl Calls {
    /// Counts a call that was answered with this code.
    pub(crate) fn count(&self, elapsed: Duration, code: i32) {
        let max = (1 << MAX_POWER) - 1;
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(max).min(max);
        // The value is in the histogram's range.
        let _ = self.times.increment(elapsed_us);
        self.durations_us.add(elapsed_us);
        if code == Code::SUCCESS.0 {
            self.succeeded.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.failed.fetch_add(1, Ordering::Relaxed);
        let mut codes = self.codes.lock();
        if codes.len() < MAX_CODES || codes.contains_key(&code) {
            *codes.entry(code).or_default() += 1;
        } else {
            self.more_codes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The calls since the server started, by code. Those with codes that are not counted one by
    /// one have the code `other`.
    pub(crate) fn codes(&self) -> Vec<(String, u64)> {
        let mut counts = vec![(Code::SUCCESS.0.to_string(), self.succeeded.load(Ordering::Relaxed))];
        counts.extend(self.codes.lock().iter().map(|(code, count)| (code.to_string(), *count)));
        let more = self.more_codes.load(Ordering::Relaxed);
        counts.extend((more > 0).then(|| ("other".to_owned(), more)));
        counts
    }

    /// How long calls took since the server started, in microseconds.
    pub(crate) fn durations_us(&self) -> DistributionCounts {
        self.durations_us.read()
    }

    /// Ends a second. `at` is its start in seconds since 1970. Numbers only grow, also if the clock
    /// is set back.
    pub(crate) fn end_second(&self, at: u64) {
        let times = self.times.drain();
        let calls = times.as_slice().iter().sum();
        let [p50_us, p99_us] = [0.5, 0.99].map(|q| times.quantile_bucket(q).ok().flatten().map(|bucket| bucket.end()));
        let failed = self.failed.swap(0, Ordering::Relaxed);
        let mut seconds = self.seconds.lock();
        let at = seconds.back().map_or(at, |last| at.max(last.at + 1));
        if seconds.len() == MAX_SECONDS {
            seconds.pop_front();
        }
        seconds.push_back(Second {
            at,
            calls,
            failed,
            p50_us,
            p99_us,
        });
    }

    /// The seconds after `since`, oldest first.
    pub(crate) fn seconds_after(&self, since: u64) -> Vec<Second> {
        let seconds = self.seconds.lock();
        seconds.iter().filter(|second| second.at > since).cloned().collect()
    }
}

/// How many there are now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauge(Arc<Entries>);

#[derive(Debug, Default)]
struct Entries {
    now: AtomicUsize,
    all: AtomicU64,
}

impl Gauge {
    /// Counts one more, until what it returns is dropped.
    pub(crate) fn enter(&self) -> Entered {
        self.0.now.fetch_add(1, Ordering::Relaxed);
        self.0.all.fetch_add(1, Ordering::Relaxed);
        Entered(Arc::clone(&self.0))
    }

    /// How many there were, those of now included.
    pub(crate) fn entered(&self) -> u64 {
        self.0.all.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.now.load(Ordering::Relaxed)
    }
}

/// One that is counted.
#[derive(Debug)]
pub(crate) struct Entered(Arc<Entries>);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_the_calls_that_ended_in_it() {
        let calls = Calls::default();
        for ms in 1..=100 {
            calls.count(Duration::from_millis(ms), if ms > 3 { 200 } else { 60000 });
        }
        calls.end_second(10);
        calls.end_second(11);
        calls.count(Duration::from_secs(1 << 40), 200);
        calls.end_second(12);
        let seconds = calls.seconds_after(0);
        let shown: Vec<_> = seconds.iter().map(|s| (s.at, s.calls, s.failed)).collect();
        assert_eq!(shown, [(10, 100, 3), (11, 0, 0), (12, 1, 0)]);
        let near = |us: Option<u64>, ms: u64| us.is_some_and(|us| (ms * 1000..ms * 1040).contains(&us));
        assert!(
            near(seconds[0].p50_us, 50) && near(seconds[0].p99_us, 99),
            "{seconds:?}"
        );
        assert_eq!((seconds[1].p50_us, seconds[1].p99_us), (None, None));
        assert_eq!(calls.codes(), [("200".into(), 98), ("60000".into(), 3)]);
        assert_eq!(calls.durations_us().counts.iter().sum::<u64>(), 101);
        assert_eq!(calls.seconds_after(11).len(), 1);
        assert!(calls.seconds_after(12).is_empty());
    }

    #[test]
    fn the_last_seconds_are_kept_and_their_numbers_grow() {
        let calls = Calls::default();
        calls.end_second(1000);
        for at in 0..MAX_SECONDS as u64 {
            calls.end_second(at);
        }
        let seconds = calls.seconds_after(0);
        assert_eq!(seconds.len(), MAX_SECONDS);
        assert_eq!(seconds[0].at, 1001, "the clock was set back");
        assert!(seconds.is_sorted_by(|a, b| a.at < b.at));
    }

    #[test]
    fn codes_have_a_bound() {
        let calls = Calls::default();
        for code in 0..1000 {
            calls.count(Duration::ZERO, 1000 + code);
        }
        let codes = calls.codes();
        assert_eq!(codes.len(), MAX_CODES + 2, "success and other are counted apart");
        assert_eq!(codes.last(), Some(&("other".to_owned(), 1000 - MAX_CODES as u64)));
    }

    #[test]
    fn a_gauge_counts_what_has_not_ended() {
        let gauge = Gauge::default();
        let first = gauge.enter();
        let second = gauge.enter();
        assert_eq!(gauge.count(), 2);
        drop(first);
        assert_eq!(gauge.count(), 1);
        drop(second);
        assert_eq!((gauge.count(), gauge.entered()), (0, 2));
    }
}
