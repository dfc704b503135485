//! Which version of which function answers a request.

pub(crate) mod generation;
pub(crate) mod route;
pub(crate) mod serving;
