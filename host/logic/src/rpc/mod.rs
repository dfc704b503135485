//! The wire: a JSON request becomes a call, and its outcome an envelope.

mod answer;
mod body;
mod envelope;
mod fuzz;
mod method_name;

pub use answer::answer;
pub use envelope::{Code, Envelope};
pub(crate) use fuzz::check_request;
