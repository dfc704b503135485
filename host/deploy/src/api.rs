//! The JSON of the admin API, and of the command line's `--json`. Times are milliseconds since
//! 1970. Versions are the SHA-256 of a module's bytes in hex.

mod log;
mod overview;

pub use log::{LogLine, ModuleLog};
pub use overview::{
    BackupFailure, BackupSummary, DataStatus, LastBackup, Overview, Second, Severity, SpaceStatus, Warning,
};

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use stowage_logic::{Summary, Thresholds, Version, WatchReport};

/// A live module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModuleStatus {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its length in bytes.
    pub size: u64,
    /// Where its bytes came from: `built-in`, a file's path, or `upload`.
    pub source: String,
    /// When it went live.
    pub since: u64,
    /// Who asked for it: `start`, `command`, `watch`, `host`.
    pub by: String,
    /// The methods it serves, as clients call them; without those that a later module overrides.
    pub methods: Vec<String>,
    /// Its data version; none if it declares none.
    pub schema: Option<u32>,
    /// The keys that signed it. Empty if modules did not have to be signed when it went live, and
    /// for built-in modules.
    #[serde(default)]
    pub signed_by: Vec<String>,
    /// Its calls since this process loaded it.
    pub calls: Summary,
    /// Its probation, while it lasts.
    pub probation: Option<ProbationStatus>,
    /// The version that is compared with it.
    pub shadow: Option<ShadowReport>,
    /// The version that answers some of its calls.
    pub canary: Option<CanaryStatus>,
}

/// The probation of a version that went live a short while ago.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbationStatus {
    /// When it ends.
    pub until: u64,
    /// Above these, it is rolled back or aborted.
    pub thresholds: Thresholds,
    /// What has been observed so far.
    pub watch: WatchReport,
}

/// A canary: a version that answers a share of the calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CanaryStatus {
    /// The candidate's version.
    pub version: String,
    /// When it began.
    pub since: u64,
    /// Percent of the calls.
    pub percent: f64,
    /// The methods it answers; empty means all it has.
    pub methods: Vec<String>,
    /// Above these, it is rolled back or aborted.
    pub thresholds: Thresholds,
    /// What has been observed so far.
    pub watch: WatchReport,
    /// All of its calls.
    pub calls: Summary,
}

/// A shadow: a version that repeats live calls for comparison and answers none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShadowReport {
    /// The shadow's version.
    pub version: String,
    /// When it began.
    pub since: u64,
    /// The share of live calls that it repeats, 0 to 100 percent.
    pub percent: f64,
    /// Live calls that were compared.
    pub compared: u64,
    /// Live calls that were skipped, because too many waited for comparison.
    pub skipped: u64,
    /// Compared calls in which the shadow differed.
    pub different: u64,
    /// Times of the live version for the compared calls, in microseconds: median and 99th
    /// percentile.
    pub live_us: [Option<u64>; 2],
    /// Times of the shadow for the same calls.
    pub shadow_us: [Option<u64>; 2],
    /// The first calls that differ, at most 20.
    pub differences: Vec<Difference>,
}

/// A call in which a shadow differed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The method, as clients call it.
    pub method: String,
    /// Its parameters as JSON.
    pub params: serde_json::Value,
    /// What differs, one line each: the path in the response, the key that is written, or the
    /// effect; and both sides.
    pub lines: Vec<String>,
    /// How the live call ended: `{"ok": data}`, `{"err": error}`, or `{"fault": reason}` if it did
    /// not return. Null if it is longer than 64 KiB, and in the list of modules.
    #[serde(default)]
    pub live: serde_json::Value,
    /// How the shadow's call ended, in the same way.
    #[serde(default)]
    pub shadow: serde_json::Value,
}

/// The result of the check of a module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    /// The module.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Whether it may go live without `--force`.
    pub passed: bool,
    /// Every step, in order.
    pub steps: Vec<CheckStep>,
}

/// A step of a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckStep {
    /// `signature`, `compile`, `imports`, `exports`, `instantiate`, `self-test`, `schema`,
    /// `replay`.
    pub name: String,
    /// Whether it passed.
    pub passed: bool,
    /// Whether `--force` overrides a failure.
    pub forceable: bool,
    /// The findings, one line each.
    pub lines: Vec<String>,
}

/// The result of a swap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SwapReport {
    /// The number of the generation that serves now.
    pub generation: u64,
    /// The checks of the modules, in order.
    pub checks: Vec<CheckReport>,
    /// Rows that migrations changed.
    pub migrated_rows: u64,
    /// From the end of the checks to the first calls on the new generation, in microseconds.
    pub switch_us: u64,
    /// Whether the modules were live already, so that nothing changed.
    pub unchanged: bool,
}

/// A generation that was live, or that was to go live.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// Its number. Numbers count up.
    pub generation: u64,
    /// When it went live.
    pub at: u64,
    /// Who asked: `start`, `command`, `watch`, `host`.
    pub by: String,
    /// What was done: `start`, `swap`, `unload`, `promote`, `rollback`, `abort`.
    pub action: String,
    /// Why, if the host did it by itself.
    pub reason: Option<String>,
    /// Name and version of every module, in load order.
    pub modules: Vec<(String, String)>,
    /// The keys that signed a module, by its name, for those whose signature was verified.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub signed_by: BTreeMap<String, Vec<String>>,
}

/// The live modules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModuleList {
    /// The number of the generation.
    pub generation: u64,
    /// Its modules, in load order.
    pub modules: Vec<ModuleStatus>,
    /// Versions that are no longer live and have calls in flight.
    pub draining: Vec<Draining>,
}

/// A version that only finishes its calls in flight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Draining {
    /// The module.
    pub name: String,
    /// The version.
    pub version: String,
}

impl From<(String, Version)> for Draining {
    fn from((name, version): (String, Version)) -> Draining {
        Draining {
            name,
            version: format!("{version:#}"),
        }
    }
}

/// The history of generations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// Newest first.
    pub history: Vec<HistoryEntry>,
}

/// The running migration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Migration {
    /// Its progress; null if there is none.
    pub migration: Option<MigrationStatus>,
}

/// A response without content: `{}`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {}

/// The progress of a migration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MigrationStatus {
    /// The module whose rows are migrated.
    pub module: String,
    /// Rows changed so far.
    pub rows: u64,
    /// Rows to change in total, if the module says so.
    pub total: Option<u64>,
    /// When it began.
    pub since: u64,
}

/// The body of an error response: `{"error": {"message", "report"}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorText,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorText {
    /// One sentence that names the parameter, module or setting, and what was expected.
    pub message: String,
    /// The check of the module, if that is why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<CheckReport>,
}

/// A recording to start: the body of `POST /admin/record`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordRequest {
    /// An absolute path on the server's machine. The file must not exist.
    pub file: PathBuf,
    /// The methods, in any spelling; all if none is named.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Most calls.
    #[serde(default)]
    pub calls: Option<u64>,
    /// Most bytes of the file; 1 GiB by default.
    #[serde(default)]
    pub bytes: Option<u64>,
}

/// The recording that is being made: the response to `GET /admin/record`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordStatus {
    /// The file.
    pub file: PathBuf,
    /// Whether calls are still recorded. It is false once a bound was reached, or the disk failed.
    pub open: bool,
    /// Calls recorded so far.
    pub calls: u64,
}

/// A link into the console: the response to `POST /admin/console/link`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsoleLink {
    /// What a browser opens. The secret is in its fragment, which browsers send to no server.
    pub url: String,
    /// When it ends if it is not used; null if it waits as long as the server runs.
    pub until: Option<u64>,
}
