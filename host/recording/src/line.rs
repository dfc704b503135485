//! The lines of a recording.

use serde::{Deserialize, Serialize};
use stowage_logic::Logic;

use crate::recorded_call::RecordedCall;

/// The version of the format. A reader refuses a higher one.
pub const FORMAT: u32 = 1;

/// A reader refuses longer lines.
pub(crate) const MAX_LINE_BYTES: usize = 16 << 20;

/// One line: an object with one member, whose name says what the line is. A reader ignores members
/// that it does not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Line {
    /// The first line.
    Header(Header),
    /// A call.
    Call(Box<RecordedCall>),
    /// A call that was left out.
    Skipped(Skipped),
    /// The last line. It is missing if the recording was cut short.
    End(Summary),
}

/// What the recording is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// The version of the format: see [`FORMAT`].
    pub format: u32,
    /// When it began, in milliseconds since 1970.
    pub started_ms: u64,
    /// The modules that served then.
    pub modules: Vec<ModuleVersion>,
}

/// A module and its version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModuleVersion {
    /// Its name.
    pub name: String,
    /// The SHA-256 of its bytes in hex.
    pub version: String,
}

/// A call that was left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    /// The interface without its version.
    pub interface: String,
    /// The function's name in WIT.
    pub function: String,
    /// Why.
    pub reason: String,
}

/// What a recording holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Calls that were recorded.
    pub calls: u64,
    /// Calls that were left out because they are too large or have no JSON form.
    pub skipped: u64,
    /// Calls that were left out because too many waited to be written.
    pub dropped: u64,
    /// Bytes of the file without the end line.
    pub bytes: u64,
}

impl Header {
    /// The header of a recording of the modules that serve now.
    pub fn new(logic: &Logic, started_ms: u64) -> Header {
        let generation = logic.generation();
        let modules = generation.modules().iter().map(|module| ModuleVersion {
            name: module.name.to_string(),
            version: format!("{:#}", module.version),
        });
        Header {
            format: FORMAT,
            started_ms,
            modules: modules.collect(),
        }
    }
}
