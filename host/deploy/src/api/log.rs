//! The JSON of `GET /admin/modules/NAME/log`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Lines of the log about one module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModuleLog {
    /// Oldest first.
    pub lines: Vec<LogLine>,
    /// The number to ask for the next lines after.
    pub next: u64,
    /// Lines after the number that was asked for which are no longer kept.
    pub dropped: u64,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// Its number. Numbers of a module count up from 1, and begin again when the server starts.
    pub n: u64,
    /// When it was logged.
    pub at: u64,
    /// `error`, `warn` or `info`.
    pub level: String,
    /// The version of the module, if the line is about one.
    pub version: Option<String>,
    /// The text.
    pub message: String,
    /// What else the line has, by name.
    pub fields: BTreeMap<String, String>,
}
