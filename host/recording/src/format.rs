//! The lines of a recording.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stowage_logic::{Behaviour, CloudAnswer, Ending, Question, Request};
use stowage_storage as storage;

use crate::bytes::{Bytes, seed};

/// The version of the format that is written. A reader takes this one and no later one.
pub const FORMAT: u32 = 1;

/// One line: an object with one member, which tells what it is. Members that a reader does not know are left aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Line {
    /// The first line.
    Header(Header),
    /// A call.
    Call(Box<Call>),
    /// A call that was left out.
    Skipped(Skipped),
    /// The last line, unless the recording was cut short.
    End(crate::recorder::Summary),
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

/// One call: all it was a function of, and all it did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// The name of the module that answered.
    pub module: String,
    /// Its version: the SHA-256 of its bytes in hex.
    pub version: String,
    /// The interface without its version: `stowage:storage-api/im-favorites`.
    pub interface: String,
    /// The function's name in WIT.
    pub function: String,
    /// Its arguments by their names on the wire. A text whose name ends with `password`, at whatever depth and in
    /// whatever case, is `(hidden)`.
    pub params: Map<String, Value>,
    /// The time, in milliseconds since 1970.
    pub now_ms: u64,
    /// What the random numbers follow from: 32 bytes in hex.
    #[serde(with = "seed")]
    pub seed: [u8; 32],
    /// What the call asked of the cloud, and the answers. A password is `(hidden)`.
    pub facts: Vec<(Question, CloudAnswer)>,
    /// The size of the cloud space in bytes, as the call would have been told it.
    pub total_bytes: u64,
    /// What it read of the modules' tables.
    pub reads: Reads,
    /// What it wrote to the modules' tables, by table and key.
    pub writes: Vec<Write>,
    /// The effects it asked for, in order.
    pub requests: Vec<Request>,
    /// How it ended.
    pub outcome: Ending,
}

/// What a call read: single keys, and ranges with all they held.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reads {
    /// Keys that are in none of the ranges, by table and key.
    pub keys: Vec<Read>,
    /// Ranges that do not overlap, by table and start.
    pub ranges: Vec<ReadRange>,
}

/// A key that was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Read {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What it held; null where it did not exist.
    pub content: Option<Content>,
}

/// A table and a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The table.
    pub table: String,
    /// The key.
    pub key: Bytes,
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Content {
    /// Bytes.
    Value(Bytes),
    /// A counter.
    Counter(i64),
}

/// A range that was walked: keys from `start` up to, not including, `end`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadRange {
    /// The table.
    pub table: String,
    /// Where it begins; null is the first key of the table.
    pub start: Option<Bytes>,
    /// Where it ends; null is the end of the table.
    pub end: Option<Bytes>,
    /// All it held, by key.
    pub entries: Vec<Entry>,
}

/// A key of a range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The key.
    pub key: Bytes,
    /// What it held.
    pub content: Content,
}

/// A key that was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Write {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What happened to it.
    pub change: Change,
}

/// What a call did to a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// Set it to these bytes.
    Put(Bytes),
    /// Removed it.
    Delete,
    /// Added this much to its counter.
    Add(i64),
    /// Made it a counter of this value, whatever it held.
    Counter(i64),
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

impl From<storage::KeyWrite> for Change {
    fn from(change: storage::KeyWrite) -> Change {
        match change {
            storage::KeyWrite::Put(value) => Change::Put(Bytes(value)),
            storage::KeyWrite::Delete => Change::Delete,
            storage::KeyWrite::Add(delta) => Change::Add(delta),
            storage::KeyWrite::Counter(value) => Change::Counter(value),
        }
    }
}

impl From<&Change> for storage::KeyWrite {
    fn from(change: &Change) -> storage::KeyWrite {
        match change {
            Change::Put(value) => storage::KeyWrite::Put(value.0.clone()),
            Change::Delete => storage::KeyWrite::Delete,
            Change::Add(delta) => storage::KeyWrite::Add(*delta),
            Change::Counter(value) => storage::KeyWrite::Counter(*value),
        }
    }
}

impl Call {
    /// What the call did.
    pub fn behaviour(&self) -> Behaviour {
        Behaviour {
            ending: self.outcome.clone(),
            writes: self
                .writes
                .iter()
                .map(|write| {
                    let Place { table, key } = &write.place;
                    (table.clone(), key.0.clone(), storage::KeyWrite::from(&write.change))
                })
                .collect(),
            requests: self.requests.clone(),
        }
    }
}
