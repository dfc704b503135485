//! What the outside world is for one call.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::api::outcome::CallError;
use crate::routing::generation::Route;

/// The time and the randomness of a call, the same in all its attempts and in every comparison with another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Milliseconds since 1970.
    pub now_ms: u64,
    /// What the call's random numbers follow from.
    pub seed: [u8; 32],
}

impl Moment {
    /// Now, with a seed nobody knows.
    pub fn now() -> Moment {
        Moment {
            now_ms: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |d| d.as_millis() as u64),
            seed: rand::random(),
        }
    }
}

/// Decides for each call what is otherwise left to the clock and to chance. For tests.
pub trait Conditions: fmt::Debug + Send + Sync + 'static {
    /// The time and randomness of the next call.
    fn moment(&self) -> Moment;

    /// How many calls of host functions an attempt of the next call may make, `most` at most; the one after them ends it.
    fn host_calls(&self, most: u32) -> u32 {
        most
    }

    /// A call has ended without an outcome.
    fn failed(&self, _route: &Route, _error: &CallError) {}
}
