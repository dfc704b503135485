//! What a module version has done since it was loaded: counts and times of its calls.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use histogram::AtomicHistogram;

use crate::api::outcome::{CallError, Outcome};

/// Error codes that are counted one by one; a module that makes up more has them counted together.
const MOST_CODES: usize = 64;
/// Times are exact to a 32nd part, up to about 19 hours in microseconds.
const GROUPING_POWER: u8 = 5;
const MOST_POWER: u8 = 36;

/// Counts that many threads add to.
#[derive(Debug, Default)]
pub struct Stats {
    calls: AtomicU64,
    failed: AtomicU64,
    traps: AtomicU64,
    deadlines: AtomicU64,
    remembered: AtomicU64,
    paced: AtomicU64,
    codes: Mutex<BTreeMap<i32, u64>>,
    times: Times,
}

/// How long calls took.
#[derive(Debug)]
pub(crate) struct Times(AtomicHistogram);

impl Default for Times {
    fn default() -> Self {
        Times(AtomicHistogram::new(GROUPING_POWER, MOST_POWER).expect("the powers are in the crate's range"))
    }
}

impl Times {
    pub(crate) fn add(&self, elapsed: Duration) {
        let most = (1 << MOST_POWER) - 1;
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(most).min(most);
        // The value is in the histogram's range.
        let _ = self.0.increment(elapsed_us);
    }

    /// Half, and 99 of 100, took no longer than this many microseconds; none without calls.
    pub(crate) fn half_and_most(&self) -> [Option<u64>; 2] {
        let times = self.0.load();
        [0.5, 0.99].map(|q| times.quantile_bucket(q).ok().flatten().map(|bucket| bucket.end()))
    }
}

/// What [`Stats`] held at some time.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Calls that ended, however they did.
    pub calls: u64,
    /// Calls that answered with an error of their own.
    pub failed: u64,
    /// Calls that trapped or went over a limit.
    pub traps: u64,
    /// Calls that ran out of time.
    pub deadlines: u64,
    /// Answers that were given again without a call, for nothing they came from had changed.
    #[serde(default)]
    pub remembered: u64,
    /// Runs of calls that took turns, for their function usually needs much of the processor.
    #[serde(default)]
    pub paced: u64,
    /// How often each error code was answered.
    pub codes: BTreeMap<i32, u64>,
    /// Half of the calls took no longer, in microseconds; none without calls.
    pub p50_us: Option<u64>,
    /// 99 of 100 calls took no longer, in microseconds.
    pub p99_us: Option<u64>,
}

impl Stats {
    /// Counts a call. Failures that are not the module's (storage, contention) count as calls only.
    pub(crate) fn count(&self, outcome: Result<&Outcome, &CallError>, elapsed: Duration) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.times.add(elapsed);
        match outcome {
            Ok(Outcome::Done(_)) => {}
            Ok(failed @ Outcome::Failed(_)) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
                let code = failed.code().unwrap_or_default();
                if codes.len() < MOST_CODES || codes.contains_key(&code) {
                    *codes.entry(code).or_default() += 1;
                }
            }
            Err(CallError::CpuDeadline | CallError::WallDeadline) => {
                self.deadlines.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) if error.is_of_the_module() => {
                self.traps.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => {}
        }
    }

    /// Counts an answer that was given again.
    pub(crate) fn count_remembered(&self) {
        self.remembered.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a run that took turns with others of its kind.
    pub(crate) fn count_paced(&self) {
        self.paced.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts as they are now.
    pub fn summary(&self) -> Summary {
        let [p50_us, p99_us] = self.times.half_and_most();
        Summary {
            calls: self.calls.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            traps: self.traps.load(Ordering::Relaxed),
            deadlines: self.deadlines.load(Ordering::Relaxed),
            remembered: self.remembered.load(Ordering::Relaxed),
            paced: self.paced.load(Ordering::Relaxed),
            codes: self.codes.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            p50_us,
            p99_us,
        }
    }
}
