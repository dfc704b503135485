//! The identity of a call.

use std::fmt;

/// The identity of a call. A failed call's response names it, and so does every log line about the
/// call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallId {
    process: u32,
    number: u64,
}

impl CallId {
    /// The call of this number in the process that drew `process` at random when it started.
    pub(crate) fn new(process: u32, number: u64) -> CallId {
        CallId { process, number }
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{:x}", self.process, self.number)
    }
}
