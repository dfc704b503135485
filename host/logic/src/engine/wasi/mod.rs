//! WASI without authority: a clock that stands still during a call, random numbers from the call's
//! seed, and output that goes to the log. There are no files, sockets, environment or arguments.

pub(crate) mod linker;
pub(crate) mod module_log;
pub(crate) mod output;
pub(crate) mod world;
