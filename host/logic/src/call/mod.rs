//! A call: attempts on snapshots until one commits.
//!
//! `retry::run` makes attempts. `attempt::run` waits for permits, takes a snapshot and runs the
//! module. `commit` commits what the run wrote and releases its effects.

pub(crate) mod attempt;
pub(crate) mod commit;
pub(crate) mod conditions;
pub(crate) mod config;
pub(crate) mod context;
pub(crate) mod dry_run;
pub(crate) mod fence;
pub(crate) mod observer;
pub(crate) mod refused_requests;
pub(crate) mod retry;
pub(crate) mod runtime;
pub(crate) mod target;
