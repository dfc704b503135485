//! Calls of modules in a file, with everything they depended on and everything they did, and their
//! replay.
//!
//! A call of a module is a function of its arguments, the time, the random numbers, the answers of
//! the cloud and what it read. A [`Recorder`] observes live calls and writes all of that down, and
//! what the calls did. [`replay`] runs the calls of a [`Recording`] on another version of the
//! module. Each runs on a state that holds exactly what the recorded call read. The report says
//! where the version behaves differently. A replay needs no server, no database and no network.
//!
//! The format is one JSON object a line: see [`Line`] and `docs/recording.md`.

#![warn(unreachable_pub)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod base64_bytes;
mod capture;
#[doc(hidden)]
pub mod fuzz;
mod line;
mod no_services;
mod reads;
mod recorded_call;
mod recorded_services;
mod recorder;
mod recording;
mod replay;
mod report;
mod seed;
mod tap;
mod writer;

pub use base64_bytes::Base64Bytes;
pub use capture::capture;
pub use line::{FORMAT, Header, Line, ModuleVersion, Skipped, Summary};
pub use no_services::NoServices;
pub use recorded_call::{
    Content, Entry, ReadKey, ReadRange, RecordedCall, RecordedKey, RecordedReads, RecordedWrite, WrittenKey,
};
pub use recorder::{RecordError, Recorder};
pub use recording::{LineError, Recording, RecordingError};
pub use replay::replay;
pub use report::{CallDifference, ReplayReport};
pub use writer::Bounds;
