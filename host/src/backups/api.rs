//! The JSON of `/admin/backup`.

use serde::{Deserialize, Serialize};
use stowage_backup::{Listed, Pruned, Skipped, Snapshot};

/// The backups of a server since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupStatus {
    /// The one that is being made.
    pub(crate) running: Option<RunningBackup>,
    /// The one that ended last.
    pub(crate) last: Option<EndedBackup>,
}

/// A backup that is being made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunningBackup {
    /// Its number since the server started.
    pub(crate) number: u64,
    /// Where it goes, without credentials.
    pub(crate) to: String,
    /// When it began, in milliseconds since 1970.
    pub(crate) since: u64,
    /// How far it is.
    pub(crate) progress: Snapshot,
}

/// A backup that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EndedBackup {
    /// Its number since the server started.
    pub(crate) number: u64,
    /// Where it went, without credentials.
    pub(crate) to: String,
    /// When it began, in milliseconds since 1970.
    pub(crate) since: u64,
    /// When it ended, in milliseconds since 1970.
    pub(crate) until: u64,
    /// What it has; null if it failed.
    pub(crate) backup: Option<Listed>,
    /// Files that it lacks.
    pub(crate) skipped: Vec<Skipped>,
    /// What was removed of older backups; null if none was to be.
    pub(crate) pruned: Option<Pruned>,
    /// Why it failed, or why older backups were not removed.
    pub(crate) error: Option<String>,
}
