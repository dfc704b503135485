//! What a run did, kept for observers and comparisons.

use std::time::Duration;

use stowage_storage::{Footprint, Snapshot};
use wasmtime::component::Val;

use crate::api::effect::Request;

/// What a run started from and what it did.
pub(crate) struct CallTrace {
    pub(crate) params: Vec<Val>,
    pub(crate) snapshot: Snapshot,
    pub(crate) footprint: Footprint,
    pub(crate) requests: Vec<Request>,
    /// From the start of the attempt to the function's return.
    pub(crate) elapsed: Duration,
}
