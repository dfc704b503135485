//! The JSON of `GET /admin/overview`.

use serde::{Deserialize, Serialize};

/// The server at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// The version of the program.
    pub version: String,
    /// When the server started.
    pub started: u64,
    /// The server's clock.
    pub now: u64,
    /// The number of the generation that serves.
    pub generation: u64,
    /// The data directory and its disk.
    pub data: DataStatus,
    /// The cloud space.
    pub space: SpaceStatus,
    /// Bytes of memory that the process has; null if the system does not tell.
    pub memory: Option<u64>,
    /// Open connections; a websocket is one.
    pub connections: usize,
    /// Websockets of the feed.
    pub subscribers: usize,
    /// The calls of each second, oldest first, at most 300.
    pub seconds: Vec<Second>,
    /// Backups; null if none was made and none is scheduled.
    pub backup: Option<BackupSummary>,
    /// What needs a person, the most severe first.
    pub warnings: Vec<Warning>,
}

/// The data directory and its disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataStatus {
    /// Its path.
    pub dir: String,
    /// Bytes of the disk that the server may use; null if the system does not tell.
    pub free: Option<u64>,
    /// Bytes of the disk.
    pub total: Option<u64>,
}

/// The cloud space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpaceStatus {
    /// Its URL without credentials.
    pub name: String,
    /// Whether the last request was answered.
    pub reachable: bool,
    /// Why it cannot be reached.
    pub reason: Option<String>,
    /// Since when it cannot be reached.
    pub since: Option<u64>,
    /// Changes that are not in the space yet, of which at most 10,000 are counted.
    pub outbox: u64,
}

/// The backups of the server. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupSummary {
    /// Where scheduled backups go, without credentials; null without a schedule.
    pub to: Option<String>,
    /// Seconds from one scheduled backup to the next.
    pub every_seconds: Option<u64>,
    /// When the next one is due.
    pub next: Option<u64>,
    /// Whether one is being made.
    pub running: bool,
    /// The newest complete one.
    pub last: Option<LastBackup>,
    /// The last attempt, if it failed.
    pub failure: Option<BackupFailure>,
}

/// The newest complete backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastBackup {
    /// Its identifier; null if it was made before the server started.
    pub id: Option<String>,
    /// The moment that it holds.
    pub at: u64,
}

/// An attempt of a backup that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFailure {
    /// When it failed.
    pub at: u64,
    /// Where it was to go, without credentials.
    pub to: String,
    /// Why.
    pub message: String,
    /// Attempts of the schedule that failed in a row.
    pub attempts: u32,
}

/// The calls of the API that ended in one second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Second {
    /// Its start, in seconds since 1970.
    pub at: u64,
    /// Calls, those from the response cache included.
    pub calls: u64,
    /// Calls with a code other than 200.
    pub failed: u64,
    /// Half of the calls took no longer, in microseconds; null without calls.
    pub p50_us: Option<u64>,
    /// 99 of 100 calls took no longer, in microseconds.
    pub p99_us: Option<u64>,
}

/// Something that needs a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Warning {
    /// Its kind, for translations. Several warnings may be of one kind.
    pub id: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub action: String,
    /// The numbers and names in the message, for translations.
    pub parameters: serde_json::Value,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Something does not work.
    Error,
    /// Something may soon not work, or has not worked a while ago.
    Warning,
}
