//! The result of a replay.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::recorded_call::RecordedCall;

/// Calls whose differences are kept; further ones are counted.
const MAX_DIFFERENCES: usize = 100;
/// Functions that are named as absent; calls of further ones are counted under the last name.
const MAX_ABSENT: usize = 256;

/// How modules did on recorded calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplayReport {
    /// Recorded calls that ran again.
    pub replayed: u64,
    /// Those in which the modules behaved differently.
    pub different: u64,
    /// The first of them, at most 100.
    pub differences: Vec<CallDifference>,
    /// Recorded calls of functions that the modules do not export, by function.
    pub absent: BTreeMap<String, u64>,
    /// Calls that the recording left out, for their size or because too many came at once.
    pub unrecorded: u64,
    /// Whether the recording has its end line. Without one it was cut short.
    pub complete: bool,
}

/// A recorded call in which the modules behaved differently.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallDifference {
    /// The line of the recording, counted from 1.
    pub line: u64,
    /// The function: `im-favorites/create-im-favorite-folder`.
    pub function: String,
    /// Its arguments.
    pub params: Map<String, Value>,
    /// What differs, one line each: the place and both sides.
    pub lines: Vec<String>,
}

impl ReplayReport {
    /// Whether calls ran again and all behaved as recorded.
    pub fn passed(&self) -> bool {
        self.different == 0 && self.replayed > 0
    }

    /// Counts a call that ran again. `differences` is empty if it behaved as recorded.
    pub(crate) fn add(&mut self, line: u64, call: RecordedCall, differences: Vec<String>) {
        self.replayed += 1;
        if differences.is_empty() {
            return;
        }
        self.different += 1;
        if self.differences.len() < MAX_DIFFERENCES {
            self.differences.push(CallDifference {
                line,
                function: call.function_path(),
                params: call.params,
                lines: differences,
            });
        }
    }

    /// Counts a call of a function that the modules do not export.
    pub(crate) fn add_absent(&mut self, call: &RecordedCall) {
        let function = call.function_path();
        if self.absent.len() < MAX_ABSENT || self.absent.contains_key(&function) {
            *self.absent.entry(function).or_default() += 1;
        } else if let Some(mut last) = self.absent.last_entry() {
            *last.get_mut() += 1;
        }
    }
}
