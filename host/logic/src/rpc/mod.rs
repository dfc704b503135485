//! The wire: a JSON request becomes a call, and its outcome an envelope.

mod answer;
mod body;
mod envelope;
mod method_name;

pub use answer::answer;
pub use envelope::{Code, Envelope};
