//! What the deployer tells: the JSON of the admin API and of the command line's `--json`. Times are milliseconds since 1970,
//! versions are the SHA-256 of a module's bytes in hex.

use serde::{Deserialize, Serialize};
use stowage_logic::{Summary, Thresholds, WatchReport};

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
