//! What callers, modules and services say to each other: ids, errors, effects, facts.
//! Every other part of the crate depends on this one. It depends only on the codec and the
//! bindings.

pub(crate) mod call_id;
pub(crate) mod code;
pub(crate) mod effect;
pub(crate) mod error;
pub(crate) mod fact;
pub(crate) mod invocation;
pub(crate) mod moment;
pub(crate) mod row_hooks;
pub(crate) mod services;
