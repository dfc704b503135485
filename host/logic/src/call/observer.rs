//! Observers of live calls: shadows and recordings.

use std::time::Duration;

use stowage_storage::{Footprint, Snapshot};
use wasmtime::component::Val;

use crate::api::effect::Request;
use crate::api::fact::Facts;
use crate::api::moment::Moment;
use crate::codec::Outcome;
use crate::engine::function::Function;

/// A call: all that it depended on, and all that it did. Calls that trap or run out of time are not
/// observed.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The function, of the version that answered.
    pub function: Function,
    /// Its arguments.
    pub params: Vec<Val>,
    /// The time and randomness of the call.
    pub moment: Moment,
    /// What the cloud had answered.
    pub facts: Facts,
    /// The snapshot it read from.
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

/// Observes calls. Both functions run while the call waits, so they must return at once.
pub trait Observer: Send + Sync + 'static {
    /// Whether to observe the next call of this function.
    fn wants(&self, function: &Function) -> bool;

    /// A call that was wanted has ended, and its transaction is durable. An attempt that lost a
    /// conflict is not observed.
    fn observed(&self, observation: Observation);
}
