//! A log of the calls: the effects they asked for, and what a recording needs.

use parking_lot::Mutex;
use stowage_logic::{Function, Observation, Observer, Outcome, Request};

/// The effects and the observations of calls.
#[derive(Debug, Default)]
pub(crate) struct CallLog(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    requests: Vec<Request>,
    /// The calls to record; `None` while nothing is recorded.
    observations: Option<Vec<Observation>>,
}

impl CallLog {
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.0.lock().requests.clone()
    }

    pub(crate) fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.0.lock().requests)
    }

    /// Begins to keep calls.
    pub(crate) fn record(&self) {
        self.0.lock().observations = Some(Vec::new());
    }

    /// Takes the kept calls, and stops keeping them.
    pub(crate) fn recorded(&self) -> Vec<Observation> {
        self.0.lock().observations.take().unwrap_or_default()
    }
}

impl Observer for CallLog {
    fn wants(&self, _: &Function) -> bool {
        true
    }

    fn observed(&self, observation: Observation) {
        let mut entries = self.0.lock();
        // A call that failed has no effects, and a refused download is none.
        if let Outcome::Done(_) = observation.outcome {
            let kept = observation
                .requests
                .iter()
                .filter(|r| !matches!(r, Request::Refused(_)));
            entries.requests.extend(kept.cloned());
        }
        if let Some(observations) = &mut entries.observations {
            observations.push(observation);
        }
    }
}
