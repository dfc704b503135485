//! What the outside world is for one call.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

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
