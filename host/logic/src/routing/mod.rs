//! Which version of which function answers a request.

pub(crate) mod call_hold;
pub(crate) mod generation;
