//! What a module version has done since it was loaded: counts and times of its calls.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use histogram::AtomicHistogram;

use crate::call::{CallError, Outcome};

/// Error codes that are counted one by one; a module that makes up more has them counted together.
const MOST_CODES: usize = 64;
/// Times are exact to a 32nd part, up to about 19 hours in microseconds.
const GROUPING_POWER: u8 = 5;
const MOST_POWER: u8 = 36;

/// Counts that many threads add to.
#[derive(Debug)]
pub struct Stats {
    calls: AtomicU64,
    failed: AtomicU64,
    traps: AtomicU64,
    deadlines: AtomicU64,
    codes: Mutex<BTreeMap<i32, u64>>,
    times: AtomicHistogram,
}

impl Default for Stats {
    fn default() -> Self {
        Stats {
            calls: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            traps: AtomicU64::new(0),
            deadlines: AtomicU64::new(0),
            codes: Mutex::new(BTreeMap::new()),
            times: AtomicHistogram::new(GROUPING_POWER, MOST_POWER).expect("the powers are in the crate's range"),
        }
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
        let elapsed_us = u64::try_from(elapsed.as_micros())
            .unwrap_or(u64::MAX)
            .min((1 << MOST_POWER) - 1);
        // The value is in the histogram's range.
        let _ = self.times.increment(elapsed_us);
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

    /// The counts as they are now.
    pub fn summary(&self) -> Summary {
        let times = self.times.load();
        let quantile = |q: f64| times.quantile_bucket(q).ok().flatten().map(|bucket| bucket.end());
        Summary {
            calls: self.calls.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            traps: self.traps.load(Ordering::Relaxed),
            deadlines: self.deadlines.load(Ordering::Relaxed),
            codes: self.codes.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            p50_us: quantile(0.5),
            p99_us: quantile(0.99),
        }
    }
}
