//! Looks on at every call and notes what came of it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use stowage_logic::{Observation, Observer, Outcome, Request, Route};

/// Requests and observations of calls.
#[derive(Debug, Default)]
pub(crate) struct Witness(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    requests: Vec<Request>,
    /// Calls that are to be recorded; none while nothing is.
    observations: Option<Vec<Observation>>,
}

impl Witness {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.lock().requests.clone()
    }

    pub(crate) fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.lock().requests)
    }

    /// Keeps the calls from now on.
    pub(crate) fn record(&self) {
        self.lock().observations = Some(Vec::new());
    }

    /// The calls that were kept; none are kept any more.
    pub(crate) fn recorded(&self) -> Vec<Observation> {
        self.lock().observations.take().unwrap_or_default()
    }
}

impl Observer for Witness {
    fn wants(&self, _: &Route) -> bool {
        true
    }

    fn observed(&self, observation: Observation) {
        let mut seen = self.lock();
        // A refused download is no effect, and a call that failed has none.
        if let Outcome::Done(_) = observation.outcome {
            let kept = observation
                .requests
                .iter()
                .filter(|r| !matches!(r, Request::Refused(_)));
            seen.requests.extend(kept.cloned());
        }
        if let Some(observations) = &mut seen.observations {
            observations.push(observation);
        }
    }
}
