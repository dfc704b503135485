//! Versions that are tried out: canaries, versions on probation, shadows.

pub(crate) mod behaviour;
pub(crate) mod difference;
pub(crate) mod shadow;
pub(crate) mod share;
pub(crate) mod thresholds;
pub(crate) mod trial;
pub(crate) mod watch;
