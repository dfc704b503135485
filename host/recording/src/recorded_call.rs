//! One call, as a recording holds it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stowage_logic::{Answer, Behaviour, Ending, Question, Request};
use stowage_storage::KeyWrite;

use crate::base64_bytes::Base64Bytes;
use crate::seed;

/// One call: everything it depended on, and everything it did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedCall {
    /// The name of the module that answered.
    pub module: String,
    /// Its version: the SHA-256 of its bytes in hex.
    pub version: String,
    /// The interface without its version: `stowage:storage-api/im-favorites`.
    pub interface: String,
    /// The function's name in WIT.
    pub function: String,
    /// Its arguments by their names on the wire. A string whose name ends with `password`, at any
    /// depth and in any case, is `(hidden)`.
    pub params: Map<String, Value>,
    /// The time, in milliseconds since 1970.
    pub now_ms: u64,
    /// The seed of its random numbers: 32 bytes in hex.
    #[serde(with = "seed")]
    pub seed: [u8; 32],
    /// Its questions to the cloud, and the answers. A password is `(hidden)`.
    pub facts: Vec<(Question, Answer)>,
    /// The size of the cloud space in bytes, as the host would have told the call.
    pub total_bytes: u64,
    /// What it read of the modules' tables.
    pub reads: RecordedReads,
    /// What it wrote to the modules' tables, in the order of table and key.
    pub writes: Vec<WrittenKey>,
    /// The effects it asked for, in order.
    pub requests: Vec<Request>,
    /// How it ended.
    pub outcome: Ending,
}

/// What a call read: single keys, and ranges with all their entries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedReads {
    /// Keys outside of the ranges, in the order of table and key.
    pub keys: Vec<ReadKey>,
    /// Ranges that do not overlap, in the order of table and start.
    pub ranges: Vec<ReadRange>,
}

/// A key that was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadKey {
    /// The key.
    #[serde(flatten)]
    pub key: RecordedKey,
    /// What it held; null if it did not exist.
    pub content: Option<Content>,
}

/// A table and a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedKey {
    /// The table.
    pub table: String,
    /// The key.
    pub key: Base64Bytes,
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Content {
    /// Bytes.
    Value(Base64Bytes),
    /// A counter.
    Counter(i64),
}

/// A range that was scanned: keys from `start` up to, but not including, `end`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadRange {
    /// The table.
    pub table: String,
    /// The first key; null means the begin of the table.
    pub start: Option<Base64Bytes>,
    /// The key after the last one; null means the end of the table.
    pub end: Option<Base64Bytes>,
    /// All its entries, in the order of their keys.
    pub entries: Vec<Entry>,
}

/// A key in a range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The key.
    pub key: Base64Bytes,
    /// What it held.
    pub content: Content,
}

/// A key that was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WrittenKey {
    /// The key.
    #[serde(flatten)]
    pub key: RecordedKey,
    /// What the call did to it.
    pub change: RecordedWrite,
}

/// What a call did to a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RecordedWrite {
    /// Set it to these bytes.
    Put(Base64Bytes),
    /// Removed it.
    Delete,
    /// Added this much to its counter.
    Add(i64),
    /// Made it a counter of this value.
    Counter(i64),
}

impl From<KeyWrite> for RecordedWrite {
    fn from(change: KeyWrite) -> RecordedWrite {
        match change {
            KeyWrite::Put(value) => RecordedWrite::Put(Base64Bytes(value)),
            KeyWrite::Delete => RecordedWrite::Delete,
            KeyWrite::Add(delta) => RecordedWrite::Add(delta),
            KeyWrite::Counter(value) => RecordedWrite::Counter(value),
        }
    }
}

impl From<&RecordedWrite> for KeyWrite {
    fn from(write: &RecordedWrite) -> KeyWrite {
        match write {
            RecordedWrite::Put(value) => KeyWrite::Put(value.0.clone()),
            RecordedWrite::Delete => KeyWrite::Delete,
            RecordedWrite::Add(delta) => KeyWrite::Add(*delta),
            RecordedWrite::Counter(value) => KeyWrite::Counter(*value),
        }
    }
}

impl RecordedCall {
    /// What the call did.
    pub(crate) fn behaviour(&self) -> Behaviour {
        let write = |written: &WrittenKey| {
            let RecordedKey { table, key } = &written.key;
            (table.clone(), key.0.clone(), KeyWrite::from(&written.change))
        };
        Behaviour {
            ending: self.outcome.clone(),
            writes: self.writes.iter().map(write).collect(),
            requests: self.requests.clone(),
        }
    }

    /// The function: `im-favorites/create-im-favorite-folder`.
    pub(crate) fn function_path(&self) -> String {
        let interface = self.interface.split_once('/');
        let interface = interface.map_or(self.interface.as_str(), |(_, interface)| interface);
        format!("{interface}/{}", self.function)
    }
}
