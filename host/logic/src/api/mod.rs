//! What callers, modules and services of the host say to each other: ids, outcomes, errors, effects.

pub(crate) mod effect;
pub(crate) mod fact;
pub(crate) mod invocation;
pub(crate) mod moment;
pub(crate) mod outcome;
pub(crate) mod services;
