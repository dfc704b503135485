//! What a module version has done since it was loaded: counts and times of its calls.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use histogram::AtomicHistogram;
use parking_lot::Mutex;

use crate::api::error::CallError;
use crate::api::moment::now_ms;
use crate::codec::Outcome;

/// Error codes that are counted one by one. Further codes of a module are counted together.
const MAX_CODES: usize = 64;
/// Times are exact to a 32nd part, up to about 19 hours in microseconds. These are the histogram's
/// parameters.
const GROUPING_POWER: u8 = 5;
const MAX_POWER: u8 = 36;

/// Counts and times. Many threads add to them.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    calls: AtomicU64,
    failed: AtomicU64,
    traps: AtomicU64,
    deadlines: AtomicU64,
    cached: AtomicU64,
    paced: AtomicU64,
    /// When a call last trapped or ran out of time, in milliseconds since 1970; 0 for never.
    last_fault_ms: AtomicU64,
    codes: Mutex<BTreeMap<i32, u64>>,
    times: Times,
}

/// How long calls took.
#[derive(Debug)]
pub(crate) struct Times(AtomicHistogram);

impl Default for Times {
    fn default() -> Self {
        Times(AtomicHistogram::new(GROUPING_POWER, MAX_POWER).expect("the powers are in the crate's range"))
    }
}

impl Times {
    pub(crate) fn add(&self, elapsed: Duration) {
        let max = (1 << MAX_POWER) - 1;
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(max).min(max);
        // The value is in the histogram's range.
        let _ = self.0.increment(elapsed_us);
    }

    /// The median and the 99th percentile in microseconds; none without calls.
    pub(crate) fn median_and_p99(&self) -> [Option<u64>; 2] {
        let times = self.0.load();
        [0.5, 0.99].map(|q| times.quantile_bucket(q).ok().flatten().map(|bucket| bucket.end()))
    }
}

/// The counts and times of a module version at one moment.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Calls that ended, however they did.
    pub calls: u64,
    /// Calls that returned an error of their own.
    pub failed: u64,
    /// Calls that trapped or went over a limit.
    pub traps: u64,
    /// Calls that ran out of time.
    pub deadlines: u64,
    /// Responses that came from the response cache, without a call.
    #[serde(default)]
    pub remembered: u64,
    /// Runs that waited for a turn, because their function usually needs much processor time.
    #[serde(default)]
    pub paced: u64,
    /// When a call last trapped, went over a limit or ran out of time, in milliseconds since 1970.
    #[serde(default)]
    pub last_fault: Option<u64>,
    /// How often each error code was returned.
    pub codes: BTreeMap<i32, u64>,
    /// Half of the calls took no longer, in microseconds; none without calls.
    pub p50_us: Option<u64>,
    /// 99 of 100 calls took no longer, in microseconds.
    pub p99_us: Option<u64>,
}

impl Stats {
    /// Counts a call. Errors that are not the module's (storage, contention) count as calls only.
    pub(crate) fn count(&self, outcome: Result<&Outcome, &CallError>, elapsed: Duration) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.times.add(elapsed);
        match outcome {
            Ok(Outcome::Done(_)) => {}
            Ok(failed @ Outcome::Failed(_)) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                let mut codes = self.codes.lock();
                let code = failed.code().unwrap_or_default();
                if codes.len() < MAX_CODES || codes.contains_key(&code) {
                    *codes.entry(code).or_default() += 1;
                }
            }
            Err(CallError::CpuDeadline | CallError::WallDeadline) => {
                self.deadlines.fetch_add(1, Ordering::Relaxed);
                self.last_fault_ms.store(now_ms(), Ordering::Relaxed);
            }
            Err(error) if error.is_of_the_module() => {
                self.traps.fetch_add(1, Ordering::Relaxed);
                self.last_fault_ms.store(now_ms(), Ordering::Relaxed);
            }
            Err(_) => {}
        }
    }

    /// Counts a response that came from the response cache.
    pub(crate) fn count_cached(&self) {
        self.cached.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a run that waited for a turn.
    pub(crate) fn count_paced(&self) {
        self.paced.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts as they are now.
    pub(crate) fn summary(&self) -> Summary {
        let [p50_us, p99_us] = self.times.median_and_p99();
        Summary {
            calls: self.calls.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            traps: self.traps.load(Ordering::Relaxed),
            deadlines: self.deadlines.load(Ordering::Relaxed),
            remembered: self.cached.load(Ordering::Relaxed),
            paced: self.paced.load(Ordering::Relaxed),
            last_fault: Some(self.last_fault_ms.load(Ordering::Relaxed)).filter(|ms| *ms > 0),
            codes: self.codes.lock().clone(),
            p50_us,
            p99_us,
        }
    }
}
