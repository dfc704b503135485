//! The time and the randomness of a call.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The time and the randomness of a call. All its attempts, and every comparison with another
/// version, use the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Milliseconds since 1970.
    pub now_ms: u64,
    /// The seed of the call's random numbers.
    pub seed: [u8; 32],
}

impl Moment {
    /// The present time, with a seed that nobody knows.
    pub fn now() -> Moment {
        Moment {
            now_ms: now_ms(),
            seed: rand::random(),
        }
    }
}

/// The present time in milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_millis() as u64)
}
