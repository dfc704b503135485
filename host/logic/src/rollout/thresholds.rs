//! How much worse than the version before it a version may be.

use serde::{Deserialize, Serialize};

/// How much worse than the version before it a version may be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Thresholds {
    /// Calls that trap, go over a limit or run out of time where the version before does not.
    pub faults: u64,
    /// Percent of the calls that return an error which the version before does not return.
    pub errors_percent: f64,
    /// The least number of such calls.
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
