//! When runs get the processor: permits, fair turns a module version, and pauses for long runs.
//!
//! A short run holds a short permit. A run that takes longer than a tick, or waits in the host,
//! moves to one of a few long-run permits, and long runs share a part of the processors. Functions
//! that usually need much of the processor take turns, so that one module cannot fill it with runs
//! that each stay just short enough.

pub(crate) mod average_run_time;
pub(crate) mod fair_turns;
pub(crate) mod paced_run;
pub(crate) mod permits;
pub(crate) mod tick;
