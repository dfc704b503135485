//! A call: attempts on snapshots until one commits.

pub(crate) mod attempt;
pub(crate) mod dry_run;
pub(crate) mod inspect;
pub(crate) mod observer;
pub(crate) mod retry;
