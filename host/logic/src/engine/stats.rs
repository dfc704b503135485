//! What a module version has done since it was loaded: counts and times of its calls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use histogram::AtomicHistogram;
use parking_lot::Mutex;
use stowage_storage::{Distribution, DistributionCounts, TIME_BOUNDS_US};

use super::version::Version;
use crate::api::code;
use crate::api::error::{CallError, Fault};
use crate::api::moment::now_ms;
use crate::codec::Outcome;

/// Error codes that are counted one by one. Further codes of a function are counted together.
const MAX_CODES: usize = 64;
/// Times are exact to a 32nd part, up to about 19 hours in microseconds. These are the histogram's
/// parameters.
const GROUPING_POWER: u8 = 5;
const MAX_POWER: u8 = 36;

/// Counts and times of a module version. Many threads add to them. They outlive the module, so
/// that the last counts of a version that was replaced can be read.
#[derive(Debug)]
pub struct ModuleStats {
    /// The module's name.
    pub name: Arc<str>,
    /// The module's version.
    pub version: Version,
    functions: Vec<FunctionStats>,
    failed: AtomicU64,
    traps: AtomicU64,
    deadlines: AtomicU64,
    paced: AtomicU64,
    /// When a call last trapped or ran out of time, in milliseconds since 1970; 0 for never.
    last_fault_ms: AtomicU64,
    faults: [AtomicU64; Fault::ALL.len()],
    retries: [AtomicU64; Retry::ALL.len()],
    instances_made: AtomicU64,
    instances_dropped: [AtomicU64; InstanceEnd::ALL.len()],
    times: Times,
}

/// Counts of one function.
#[derive(Debug)]
struct FunctionStats {
    /// The function as clients call it.
    method: String,
    /// Calls that succeeded.
    succeeded: AtomicU64,
    /// Calls without an outcome.
    faulted: AtomicU64,
    /// Calls that returned an error, by code.
    codes: Mutex<BTreeMap<i32, u64>>,
    /// Calls with codes that are not counted one by one.
    more_codes: AtomicU64,
    /// Requests whose parameters were wrong, so that there was no call.
    malformed: AtomicU64,
    /// Responses that came from the response cache.
    cached: AtomicU64,
    times_us: Distribution,
}

/// The counts of one function at one moment.
#[derive(Debug, Clone)]
pub struct FunctionCounts<'a> {
    /// The function as clients call it.
    pub method: &'a str,
    /// Calls by code. Code 500 is that of calls without an outcome, 600 that of requests whose
    /// parameters are wrong.
    pub codes: BTreeMap<i32, u64>,
    /// Calls with codes that are not counted one by one.
    pub more_codes: u64,
    /// Responses that came from the response cache, without a call.
    pub cached: u64,
    /// How long the calls took, in microseconds.
    pub times_us: DistributionCounts,
}

/// Why a call runs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Another call changed what it read.
    Conflict,
    /// It asked a question, which is answered now.
    Question,
}

impl Retry {
    /// All of them.
    pub const ALL: [Retry; 2] = [Retry::Conflict, Retry::Question];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Retry::Conflict => "conflict",
            Retry::Question => "question",
        }
    }
}

/// Why an instance is not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceEnd {
    /// It served as many calls as an instance may.
    Served,
    /// Its memory has grown too large to be kept.
    Large,
    /// Enough others are idle.
    Surplus,
    /// It was idle for too long.
    Idle,
    /// Its run trapped, was interrupted or has to run again.
    Interrupted,
}

impl InstanceEnd {
    /// All of them.
    pub const ALL: [InstanceEnd; 5] = [
        InstanceEnd::Served,
        InstanceEnd::Large,
        InstanceEnd::Surplus,
        InstanceEnd::Idle,
        InstanceEnd::Interrupted,
    ];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            InstanceEnd::Served => "served",
            InstanceEnd::Large => "large",
            InstanceEnd::Surplus => "surplus",
            InstanceEnd::Idle => "idle",
            InstanceEnd::Interrupted => "interrupted",
        }
    }
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

fn counters<const N: usize>() -> [AtomicU64; N] {
    std::array::from_fn(|_| AtomicU64::new(0))
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl ModuleStats {
    /// Nothing is counted yet. `methods` are the functions in the order of the module's exports.
    pub(crate) fn new(name: &Arc<str>, version: Version, methods: impl IntoIterator<Item = String>) -> ModuleStats {
        ModuleStats {
            name: Arc::clone(name),
            version,
            functions: methods.into_iter().map(FunctionStats::new).collect(),
            failed: AtomicU64::new(0),
            traps: AtomicU64::new(0),
            deadlines: AtomicU64::new(0),
            paced: AtomicU64::new(0),
            last_fault_ms: AtomicU64::new(0),
            faults: counters(),
            retries: counters(),
            instances_made: AtomicU64::new(0),
            instances_dropped: counters(),
            times: Times::default(),
        }
    }

    /// Counts a call of the function with this ordinal. Errors that are not the module's (storage,
    /// contention) count as calls only.
    pub(crate) fn count(&self, ordinal: usize, outcome: Result<&Outcome, &CallError>, elapsed: Duration) {
        self.times.add(elapsed);
        let Some(function) = self.functions.get(ordinal) else {
            return;
        };
        function.times_us.add_time(elapsed);
        match outcome {
            Ok(Outcome::Done(_)) => add(&function.succeeded),
            Ok(failed @ Outcome::Failed(_)) => {
                add(&self.failed);
                function.count_code(
                    failed
                        .code()
                        .filter(|code| *code != code::SUCCESS)
                        .unwrap_or(code::OTHER),
                );
            }
            Err(error) => {
                add(&function.faulted);
                self.count_fault(error);
            }
        }
    }

    fn count_fault(&self, error: &CallError) {
        if let Some(count) = self.faults.get(error.fault() as usize) {
            add(count);
        }
        match error {
            CallError::CpuDeadline | CallError::WallDeadline => add(&self.deadlines),
            error if error.is_of_the_module() => add(&self.traps),
            _ => return,
        }
        self.last_fault_ms.store(now_ms(), Ordering::Relaxed);
    }

    /// Counts a response of the function with this ordinal that came from the response cache.
    pub(crate) fn count_cached(&self, ordinal: usize) {
        if let Some(function) = self.functions.get(ordinal) {
            add(&function.cached);
        }
    }

    /// Counts a request for the function with this ordinal whose parameters are wrong. It is no
    /// call.
    pub(crate) fn count_malformed(&self, ordinal: usize) {
        if let Some(function) = self.functions.get(ordinal) {
            add(&function.malformed);
        }
    }

    /// Counts a run that waited for a turn.
    pub(crate) fn count_paced(&self) {
        add(&self.paced);
    }

    /// Counts an attempt that is made again.
    pub(crate) fn count_retry(&self, retry: Retry) {
        add(&self.retries[retry as usize]);
    }

    /// Counts an instance that was made.
    pub(crate) fn count_made(&self) {
        add(&self.instances_made);
    }

    /// Counts instances that are not used again.
    pub(crate) fn count_dropped(&self, end: InstanceEnd, instances: usize) {
        self.instances_dropped[end as usize].fetch_add(instances as u64, Ordering::Relaxed);
    }

    /// The function with this ordinal as clients call it. Unique in the module.
    pub(crate) fn method(&self, ordinal: usize) -> &str {
        self.functions.get(ordinal).map_or("", |function| &function.method)
    }

    /// The counts of each function that was called.
    pub fn functions(&self) -> impl Iterator<Item = FunctionCounts<'_>> {
        self.functions.iter().filter_map(FunctionStats::counts)
    }

    /// Calls without an outcome, by the reason.
    pub fn faults(&self) -> impl Iterator<Item = (Fault, u64)> {
        Fault::ALL.into_iter().zip(self.faults.iter().map(read))
    }

    /// Attempts that were made again, by the reason.
    pub fn retries(&self) -> impl Iterator<Item = (Retry, u64)> {
        Retry::ALL.into_iter().zip(self.retries.iter().map(read))
    }

    /// Runs that waited for a turn.
    pub fn paced(&self) -> u64 {
        read(&self.paced)
    }

    /// Instances that were made.
    pub fn instances_made(&self) -> u64 {
        read(&self.instances_made)
    }

    /// Instances that are not used again, by the reason.
    pub fn instances_dropped(&self) -> impl Iterator<Item = (InstanceEnd, u64)> {
        InstanceEnd::ALL
            .into_iter()
            .zip(self.instances_dropped.iter().map(read))
    }

    /// The counts as they are now.
    pub(crate) fn summary(&self) -> Summary {
        let [p50_us, p99_us] = self.times.median_and_p99();
        let mut summary = Summary {
            failed: read(&self.failed),
            traps: read(&self.traps),
            deadlines: read(&self.deadlines),
            paced: read(&self.paced),
            last_fault: Some(read(&self.last_fault_ms)).filter(|ms| *ms > 0),
            p50_us,
            p99_us,
            ..Summary::default()
        };
        for function in &self.functions {
            summary.calls += function.times_us.len();
            summary.remembered += read(&function.cached);
            for (code, count) in &*function.codes.lock() {
                *summary.codes.entry(*code).or_default() += count;
            }
        }
        summary
    }
}

impl FunctionStats {
    fn new(method: String) -> FunctionStats {
        FunctionStats {
            method,
            succeeded: AtomicU64::new(0),
            faulted: AtomicU64::new(0),
            codes: Mutex::default(),
            more_codes: AtomicU64::new(0),
            malformed: AtomicU64::new(0),
            cached: AtomicU64::new(0),
            times_us: Distribution::new(TIME_BOUNDS_US),
        }
    }

    fn count_code(&self, code: i32) {
        let mut codes = self.codes.lock();
        if codes.len() < MAX_CODES || codes.contains_key(&code) {
            *codes.entry(code).or_default() += 1;
        } else {
            add(&self.more_codes);
        }
    }

    fn counts(&self) -> Option<FunctionCounts<'_>> {
        let cached = read(&self.cached);
        let mut codes = self.codes.lock().clone();
        let counted = [
            (code::SUCCESS, &self.succeeded),
            (code::FAILURE, &self.faulted),
            (code::PARAMETER, &self.malformed),
        ];
        for (code, calls) in counted {
            let calls = read(calls);
            if calls > 0 {
                *codes.entry(code).or_default() += calls;
            }
        }
        (cached > 0 || !codes.is_empty()).then(|| FunctionCounts {
            method: &self.method,
            codes,
            more_codes: read(&self.more_codes),
            cached,
            times_us: self.times_us.read(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Failure;

    fn stats() -> ModuleStats {
        let methods = ["getOne".to_owned(), "getTwo".to_owned()];
        ModuleStats::new(&Arc::from("m"), Version::of(b"m"), methods)
    }

    fn failure(code: i32) -> Outcome {
        Outcome::Failed(Failure {
            coded: Some((code, String::new())),
            json: Vec::new(),
        })
    }

    #[test]
    fn calls_are_counted_by_function_and_code() {
        let stats = stats();
        let time = Duration::from_millis(3);
        stats.count(1, Ok(&Outcome::Done(Vec::new())), time);
        stats.count(1, Ok(&failure(60000)), time);
        stats.count(1, Err(&CallError::CpuDeadline), time);
        stats.count(1, Err(&CallError::Contention), time);
        stats.count_cached(1);
        let functions: Vec<_> = stats.functions().collect();
        assert_eq!(functions.len(), 1, "the other was never called");
        let two = &functions[0];
        assert_eq!((two.method, two.cached, two.more_codes), ("getTwo", 1, 0));
        assert_eq!(two.codes, BTreeMap::from([(200, 1), (500, 2), (60000, 1)]));
        assert_eq!((two.times_us.counts.iter().sum::<u64>(), two.times_us.sum), (4, 12_000));
        let faults: Vec<_> = stats.faults().filter(|(_, count)| *count > 0).collect();
        assert_eq!(faults, [(Fault::CpuDeadline, 1), (Fault::Contention, 1)]);
        let summary = stats.summary();
        assert_eq!(
            (summary.calls, summary.failed, summary.deadlines, summary.traps),
            (4, 1, 1, 0)
        );
        assert_eq!(
            summary.codes,
            BTreeMap::from([(60000, 1)]),
            "faults have no code of their own"
        );
        assert_eq!((summary.remembered, summary.last_fault.is_some()), (1, true));
    }

    #[test]
    fn a_function_that_invents_codes_does_not_grow() {
        let stats = stats();
        for code in 0..200 {
            stats.count(0, Ok(&failure(1000 + code)), Duration::ZERO);
        }
        let function = stats.functions().next().expect("it was called");
        assert_eq!(
            (function.codes.len(), function.more_codes),
            (MAX_CODES, 200 - MAX_CODES as u64)
        );
    }
}
