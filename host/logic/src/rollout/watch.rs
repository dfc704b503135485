//! A version on trial: it answers some calls, or has just gone live, and the version before it stands by.
//!
//! A call that the version on trial does not survive is run again on the one before it, with the same time and randomness: nothing of it
//! had been committed, so the client sees the old answer and no failure. An error that the version on trial answers is
//! compared with what the one before it would have answered.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::api::outcome::CallError;
use crate::call::retry::CallId;
use crate::codec::fold_name;
use crate::routing::generation::Route;

/// Which calls a canary answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// Calls with a draw below this, of 2³².
    below: u64,
    /// Folded names of the methods; empty means all that the module has.
    methods: Vec<String>,
}

impl Share {
    /// `percent`, 0 to 100, of the calls of these methods; of all methods where none is named.
    pub fn new(percent: f64, methods: &[String]) -> Share {
        Share {
            below: (percent.clamp(0.0, 100.0) / 100.0 * (1u64 << 32) as f64) as u64,
            methods: methods.iter().map(|m| fold_name(m)).collect(),
        }
    }

    /// Whether any call of this function is meant.
    pub(crate) fn includes(&self, function: &str) -> bool {
        self.methods.is_empty() || self.methods.contains(&fold_name(function))
    }

    /// Whether the call with this seed is meant.
    pub(crate) fn picks(&self, seed: &[u8; 32]) -> bool {
        // The last bytes: what the module makes of its seed is not to depend on who answers.
        let draw = u32::from_le_bytes([seed[28], seed[29], seed[30], seed[31]]);
        u64::from(draw) < self.below
    }
}

/// How much worse than the version before it a version may be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Thresholds {
    /// Calls that trap, go over a limit or run out of time where the version before it does not.
    pub faults: u64,
    /// Percent of the calls that answer an error the version before it does not answer.
    pub errors_percent: f64,
    /// Such calls, at least.
    pub errors: u64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds {
            faults: 3,
            errors_percent: 5.0,
            errors: 5,
        }
    }
}

/// A call in which the version on trial did worse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Regression {
    /// The call.
    pub call_id: String,
    /// The function.
    pub method: String,
    /// What the version on trial did.
    pub trial: String,
    /// What the version before it did.
    pub before: String,
}

/// Regressions that are kept to be shown.
const KEPT: usize = 20;

/// Counts how a version on trial does, and tells when it is too bad.
#[derive(Debug, Default)]
pub struct Watch {
    thresholds: Thresholds,
    calls: AtomicU64,
    faults: AtomicU64,
    errors: AtomicU64,
    latest: Mutex<VecDeque<Regression>>,
    tripped: AtomicBool,
    reason: Mutex<Option<String>>,
    notify: Notify,
}

/// What a [`Watch`] has counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WatchReport {
    /// Calls that the version on trial was given.
    pub calls: u64,
    /// Those that it did not survive where the version before it did.
    pub faults: u64,
    /// Those that it answered with an error which the version before it does not answer.
    pub errors: u64,
    /// The latest of both, oldest first, at most 20.
    pub latest: Vec<Regression>,
    /// Why it was found too bad, once it was.
    pub reason: Option<String>,
}

impl Watch {
    /// A watch with these thresholds.
    pub fn new(thresholds: Thresholds) -> Arc<Watch> {
        Arc::new(Watch {
            thresholds,
            ..Watch::default()
        })
    }

    /// Whether the version was found too bad: from then on no call is given to it.
    pub fn tripped(&self) -> bool {
        self.tripped.load(Ordering::Relaxed)
    }

    /// Returns, with the reason, when the version is found too bad. For one caller.
    pub async fn until_tripped(&self) -> String {
        loop {
            if let Some(reason) = self.lock_reason().clone() {
                return reason;
            }
            self.notify.notified().await;
        }
    }

    /// What has been counted.
    pub fn report(&self) -> WatchReport {
        WatchReport {
            calls: self.calls.load(Ordering::Relaxed),
            faults: self.faults.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            latest: self
                .latest
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .iter()
                .cloned()
                .collect(),
            reason: self.lock_reason().clone(),
        }
    }

    /// A call is given to the version on trial.
    pub(crate) fn begin(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// The version on trial did not survive a call.
    pub(crate) fn fault(&self, id: &CallId, route: &Route, error: &CallError, before: String) {
        let faults = self.faults.fetch_add(1, Ordering::Relaxed) + 1;
        self.keep(id, route, error.to_string(), before);
        if faults >= self.thresholds.faults {
            self.trip(|calls| {
                format!("{faults} of {calls} calls failed where the version before does not; the last: {error}")
            });
        }
    }

    /// The version on trial answered an error that the version before it does not answer.
    pub(crate) fn error(&self, id: &CallId, route: &Route, trial: String, before: String) {
        let errors = self.errors.fetch_add(1, Ordering::Relaxed) + 1;
        let calls = self.calls.load(Ordering::Relaxed).max(1);
        let shown = trial.clone();
        self.keep(id, route, trial, before);
        let percent = errors as f64 * 100.0 / calls as f64;
        if errors >= self.thresholds.errors && percent >= self.thresholds.errors_percent {
            self.trip(|calls| {
                format!(
                    "{errors} of {calls} calls answered an error that the version before does not; the last: {shown}"
                )
            });
        }
    }

    fn keep(&self, id: &CallId, route: &Route, trial: String, before: String) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.len() == KEPT {
            latest.pop_front();
        }
        latest.push_back(Regression {
            call_id: id.to_string(),
            method: route.export().function.clone(),
            trial,
            before,
        });
    }

    fn trip(&self, reason: impl FnOnce(u64) -> String) {
        let calls = self.calls.load(Ordering::Relaxed);
        self.lock_reason().get_or_insert_with(|| reason(calls));
        self.tripped.store(true, Ordering::Relaxed);
        self.notify.notify_one();
    }

    fn lock_reason(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who else may answer the calls of a route.
#[derive(Clone, Debug)]
pub(crate) enum Beside {
    /// The candidate answers its share.
    Canary {
        candidate: Box<Route>,
        share: Arc<Share>,
        watch: Arc<Watch>,
    },
    /// The route's own version has just gone live; the one before it, if the function is not new, stands by.
    Probation {
        previous: Option<Box<Route>>,
        watch: Arc<Watch>,
    },
}
