//! Counts what a version on trial does worse than the version before it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::thresholds::Thresholds;
use crate::api::call_id::CallId;

/// Regressions that are kept. Older ones are dropped.
const MAX_KEPT: usize = 20;

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

/// Counts what a version on trial does worse, and trips when that is too much.
#[derive(Debug, Default)]
pub struct Watch {
    thresholds: Thresholds,
    calls: AtomicU64,
    faults: AtomicU64,
    errors: AtomicU64,
    latest: Mutex<VecDeque<Regression>>,
    /// Set when it trips.
    reason: OnceLock<String>,
    notify: Notify,
}

/// What a [`Watch`] has counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WatchReport {
    /// Calls that the version on trial was given.
    pub calls: u64,
    /// Calls that it failed where the version before did not.
    pub faults: u64,
    /// Calls that it answered with an error which the version before does not return.
    pub errors: u64,
    /// The latest of both, oldest first, at most 20.
    pub latest: Vec<Regression>,
    /// Why the version was found too bad; none if it was not.
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

    /// Whether the version was found too bad. From then on it gets no call.
    pub fn tripped(&self) -> bool {
        self.reason.get().is_some()
    }

    /// Returns the reason when the version is found too bad. For one caller.
    pub async fn until_tripped(&self) -> String {
        loop {
            if let Some(reason) = self.reason.get() {
                return reason.clone();
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
            latest: self.latest.lock().iter().cloned().collect(),
            reason: self.reason.get().cloned(),
        }
    }

    /// The version on trial is given a call.
    pub(crate) fn begin(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// The version on trial failed a call.
    pub(crate) fn add_fault(&self, id: CallId, function: &str, error: String, before: String) {
        let faults = self.faults.fetch_add(1, Ordering::Relaxed) + 1;
        self.keep(id, function, error.clone(), before);
        if faults >= self.thresholds.faults {
            self.trip(|calls| {
                format!("{faults} of {calls} calls failed where the version before does not; the last: {error}")
            });
        }
    }

    /// The version on trial returned an error that the version before does not return.
    pub(crate) fn add_error(&self, id: CallId, function: &str, trial: String, before: String) {
        let errors = self.errors.fetch_add(1, Ordering::Relaxed) + 1;
        let calls = self.calls.load(Ordering::Relaxed).max(1);
        self.keep(id, function, trial.clone(), before);
        let percent = errors as f64 * 100.0 / calls as f64;
        if errors >= self.thresholds.errors && percent >= self.thresholds.errors_percent {
            self.trip(|calls| {
                format!(
                    "{errors} of {calls} calls answered an error that the version before does not; the last: {trial}"
                )
            });
        }
    }

    fn keep(&self, id: CallId, function: &str, trial: String, before: String) {
        let mut latest = self.latest.lock();
        if latest.len() == MAX_KEPT {
            latest.pop_front();
        }
        latest.push_back(Regression {
            call_id: id.to_string(),
            method: function.to_owned(),
            trial,
            before,
        });
    }

    fn trip(&self, reason: impl FnOnce(u64) -> String) {
        let calls = self.calls.load(Ordering::Relaxed);
        self.reason.get_or_init(|| reason(calls));
        self.notify.notify_one();
    }
}
