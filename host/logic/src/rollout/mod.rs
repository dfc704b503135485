//! Versions that are tried out: canary, probation, shadow.

pub(crate) mod behaviour;
pub(crate) mod difference;
pub(crate) mod shadow;
pub(crate) mod watch;
