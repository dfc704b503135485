//! Time, randomness and failures decided by a test.

use std::fmt;

use crate::api::error::CallError;
use crate::api::moment::Moment;
use crate::engine::function::Function;

/// Decides about each call in place of the clock and of chance. For tests.
pub trait Conditions: fmt::Debug + Send + Sync + 'static {
    /// The time and randomness of the next call.
    fn moment(&self) -> Moment;

    /// How many host calls an attempt of the next call may make, at most `max`. The one after them
    /// ends the attempt.
    fn host_calls(&self, max: u32) -> u32 {
        max
    }

    /// A call ended without an outcome.
    fn failed(&self, _function: &Function, _error: &CallError) {}
}
