//! Calls of modules with everything they were a function of and everything they did, in a file; and run again from it.
//!
//! A call of a module is a function of its arguments, the time, the randomness, what the cloud answered, and what it read. A [`Recorder`] looks on
//! at live calls and writes all of that down, and what came of it. [`replay`] runs the calls of a [`Recording`] on
//! another version of the module, each on a state that holds exactly what the recorded one read, and tells where the
//! version behaves otherwise. It needs no server, no database and no network.
//!
//! The format is one JSON object a line; `docs/recording.md` describes it, [`Line`] is it.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bytes;
mod capture;
mod format;
mod reader;
mod reads;
mod recorder;
mod replay;
mod replayed;
mod untouched;

pub use bytes::Bytes;
pub use capture::{Skip, capture};
pub use format::{
    Call, Change, Content, Entry, FORMAT, Header, Line, ModuleVersion, Place, Read, ReadRange, Reads, Skipped, Write,
};
pub use reader::{Recording, RecordingError};
pub use recorder::{Bounds, RecordError, Recorder, Summary};
pub use replay::{CallDifference, ReplayReport, replay};
pub use untouched::Untouched;
