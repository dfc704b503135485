//! Permits: which runs have the processor, and when.

pub(crate) mod fair_turns;
pub(crate) mod paced_run;
