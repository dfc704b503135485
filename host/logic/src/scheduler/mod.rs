//! When runs get the processor: permits, fair turns for each module version, pauses for long runs.
//!
//! A short run holds a short permit. A run is long if it takes more than a tick or waits in the
//! host. It then needs one of a few long-run permits. Long runs share a part of the processors.
//! Functions that usually need much processor time take turns. So one module cannot fill the
//! processors with runs that are just short enough.

pub(crate) mod average_run_time;
pub(crate) mod fair_turns;
pub(crate) mod paced_run;
pub(crate) mod permits;
pub(crate) mod tick;
