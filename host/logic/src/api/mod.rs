//! What callers, modules and services say to each other: ids, outcomes, errors, effects, facts.
//! Every other part of the crate depends on this one; it depends on the codec and the bindings
//! only.

pub(crate) mod call_id;
pub(crate) mod effect;
pub(crate) mod error;
pub(crate) mod fact;
pub(crate) mod invocation;
pub(crate) mod moment;
pub(crate) mod outcome;
pub(crate) mod row_hooks;
pub(crate) mod services;
