//! The protocol of the storage engine as a state machine, and the check of all its states.
//!
//! The machine is small: three keys, halves of two records, a few batches, one or two crashes. But
//! it has every step of the real code, and a crash may come between any two of them. The checker
//! visits every state that can be reached. `faults/conformance.rs` drives the real code through the
//! same steps and compares.
//!
//! - [`state`]: what is on the disk, in memory, and known to callers.
//! - [`action`]: the steps, each with the function that it stands for.
//! - [`step`]: what the steps do.
//! - [`fault`]: what the world does to them.
//! - [`disk`]: the log, what a power loss leaves of it, and replay.
//! - [`checks`]: the properties.
//! - [`mutants`]: errors in the protocol, each of which the checker must find.

mod action;
mod checks;
pub(crate) mod disk;
mod fault;
mod mutants;
pub(crate) mod state;
mod step;

pub(crate) use self::action::Action;
pub(crate) use self::checks::name as crash_property;
pub(crate) use self::state::{Bounds, Mutant, Protocol};
