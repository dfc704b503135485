//! What the deployer tells: the JSON of the admin API and of the command line's `--json`. Times are milliseconds since 1970,
//! versions are the SHA-256 of a module's bytes in hex.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use stowage_logic::{Summary, Thresholds, Version, WatchReport};

/// A module that serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModuleStatus {
    /// What people call it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its bytes.
    pub size: u64,
    /// Where its bytes came from: `built-in`, a file's path, or `upload`.
    pub source: String,
    /// Since when it is live.
    pub since: u64,
    /// Who asked for it: `start`, `command`, `watch`, `host`.
    pub by: String,
    /// The methods it serves, as they are called on the wire; methods that a later module overrides are not among them.
    pub methods: Vec<String>,
    /// The version of its data; none where it names none.
    pub schema: Option<u32>,
    /// What it has done since this process loaded it.
    pub calls: Summary,
    /// Its probation, while it lasts.
    pub probation: Option<ProbationStatus>,
    /// The version that is compared with it.
    pub shadow: Option<ShadowReport>,
    /// The version that answers some of its calls.
    pub canary: Option<CanaryStatus>,
}

/// A version that went live a short while ago.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbationStatus {
    /// When it ends.
    pub until: u64,
    /// When it is too bad.
    pub thresholds: Thresholds,
    /// How it does.
    pub watch: WatchReport,
}

/// A version that answers some calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CanaryStatus {
    /// The candidate's version.
    pub version: String,
    /// Since when.
    pub since: u64,
    /// Percent of the calls.
    pub percent: f64,
    /// The methods; empty means all it has.
    pub methods: Vec<String>,
    /// When it is too bad.
    pub thresholds: Thresholds,
    /// How it does.
    pub watch: WatchReport,
    /// All of its calls.
    pub calls: Summary,
}

/// A version that runs beside live calls and answers none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShadowReport {
    /// The shadow's version.
    pub version: String,
    /// Since when.
    pub since: u64,
    /// The share of live calls that are looked at, 0 to 100 percent.
    pub percent: f64,
    /// Live calls that were compared.
    pub compared: u64,
    /// Live calls that were to be compared, but too many waited already.
    pub skipped: u64,
    /// Compared calls in which the shadow did otherwise.
    pub different: u64,
    /// Time that the live version took for the compared calls, in microseconds: half, and 99 of 100, took no longer.
    pub live_us: [Option<u64>; 2],
    /// The same of the shadow.
    pub shadow_us: [Option<u64>; 2],
    /// The first calls that differ, at most 20.
    pub differences: Vec<Difference>,
}

/// A call in which a shadow did otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The method, as it is called on the wire.
    pub method: String,
    /// Its parameters as JSON.
    pub params: serde_json::Value,
    /// What differs, a line each: the path in the answer, the key that is written or the effect, and both sides.
    pub lines: Vec<String>,
}

/// What the check of a module found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    /// The module.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Whether it may go live without being forced.
    pub passed: bool,
    /// Every step, in order.
    pub steps: Vec<CheckStep>,
}

/// A step of a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckStep {
    /// `compile`, `imports`, `exports`, `instantiate`, `self-test`, `schema`, `replay`.
    pub name: String,
    /// Whether it passed.
    pub passed: bool,
    /// Whether `--force` gets past it.
    pub forceable: bool,
    /// What was found, a line each.
    pub lines: Vec<String>,
}

/// What a swap did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SwapReport {
    /// The number of the generation that serves now.
    pub generation: u64,
    /// The checks of the modules, in order.
    pub checks: Vec<CheckReport>,
    /// Rows that migrations changed.
    pub migrated_rows: u64,
    /// From the check's end to the moment in which calls began on the new generation, in microseconds.
    pub switch_us: u64,
    /// Whether the modules were live already and nothing changed.
    pub unchanged: bool,
}

/// A generation that was live, or that was to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// Its number; they count up.
    pub generation: u64,
    /// When it went live.
    pub at: u64,
    /// Who asked: `start`, `command`, `watch`, `host`.
    pub by: String,
    /// What was done: `start`, `swap`, `unload`, `promote`, `rollback`, `abort`.
    pub action: String,
    /// Why, where the host did it by itself.
    pub reason: Option<String>,
    /// Name and version of every module, in the order they are loaded.
    pub modules: Vec<(String, String)>,
}

/// What serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModuleList {
    /// The number of the generation.
    pub generation: u64,
    /// Its modules, in the order they are loaded.
    pub modules: Vec<ModuleStatus>,
    /// Versions that are no longer live and have calls that are not over yet.
    pub draining: Vec<Draining>,
}

/// A version that only ends what it had begun.
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

/// What was live.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// The newest first.
    pub history: Vec<HistoryEntry>,
}

/// The migration that is under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Migration {
    /// How far it is; null when there is none.
    pub migration: Option<MigrationStatus>,
}

/// The answer of what has nothing to tell: `{}`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {}

/// A migration that is under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MigrationStatus {
    /// The module whose rows are changed.
    pub module: String,
    /// Rows changed so far.
    pub rows: u64,
    /// Rows there are to change in all, if the module tells.
    pub total: Option<u64>,
    /// Since when, in milliseconds since 1970.
    pub since: u64,
}

/// The body of an answer that is no success: `{"error": {"message", "report"}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorText,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorText {
    /// One sentence; it names the parameter, module or setting and what was expected.
    pub message: String,
    /// What the check of a module found, where that is why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<CheckReport>,
}

/// What is to be recorded: the body of `POST /admin/record`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordRequest {
    /// An absolute path on the server's machine; the file must not exist.
    pub file: PathBuf,
    /// The methods, however they are written; all where none is named.
    #[serde(default)]
    pub methods: Vec<String>,
    /// The most calls.
    #[serde(default)]
    pub calls: Option<u64>,
    /// The most bytes of the file; 1 GiB unless given.
    #[serde(default)]
    pub bytes: Option<u64>,
}

/// The recording that goes on: the answer of `GET /admin/record`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordStatus {
    /// The file.
    pub file: PathBuf,
    /// Whether calls are still recorded: not once a bound was reached, or the disk was full.
    pub open: bool,
    /// Calls recorded so far.
    pub calls: u64,
}
