//! Looking on at live calls: what shadows and recordings are made from.

use std::time::Duration;

use stowage_storage::{Footprint, Snapshot};
use wasmtime::component::Val;

use crate::api::effect::Request;
use crate::api::fact::Facts;
use crate::api::moment::Moment;
use crate::api::outcome::Outcome;
use crate::routing::generation::Route;

/// A call as it was: all it was a function of, and all it did. Calls that trap or run out of time are not observed.
#[derive(Debug)]
pub struct Observation {
    /// The function that was called, of the version that answered.
    pub route: Route,
    /// Its arguments.
    pub params: Vec<Val>,
    /// Its time and randomness.
    pub moment: Moment,
    /// What the cloud had answered.
    pub facts: Facts,
    /// What it read from.
    pub snapshot: Snapshot,
    /// What it read and wrote, the host's own tables included.
    pub footprint: Footprint,
    /// The effects it asked for, in order.
    pub requests: Vec<Request>,
    /// How it ended.
    pub outcome: Outcome,
    /// From the start of the attempt to the function's return.
    pub elapsed: Duration,
}

/// Somebody who looks on at calls. Both functions run on the call's way and must take next to no time.
pub trait Observer: Send + Sync + 'static {
    /// Whether to look on at the next call of this function.
    fn wants(&self, route: &Route) -> bool;

    /// A call that was wanted has ended, and its transaction is durable. Calls that lost a conflict are not told.
    fn observed(&self, observation: Observation);
}
