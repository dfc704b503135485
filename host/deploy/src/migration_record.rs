//! The progress of a migration: in memory for the admin API, and as a row for the next start.
//!
//! `host.module-migration`: `now` → [`MigrationRow`], MessagePack with field names.

use serde::{Deserialize, Serialize};
use stowage_storage::{Store, Transaction};
use tokio_util::sync::CancellationToken;

use super::api::MigrationStatus;
use super::change::{ChangeRecord, PendingMigration};
use super::error::DeployError;
use super::rows::{decode, encode};

const TABLE: &str = "host.module-migration";
const KEY: &[u8] = b"now";

/// A running migration.
pub(crate) struct RunningMigration {
    pub(crate) status: MigrationStatus,
    /// Cancelled to stop it after the current step.
    pub(crate) stop: CancellationToken,
}

/// How far a migration in several steps has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MigrationRow {
    pub(crate) pending: Vec<PendingMigration>,
    /// The index in `pending` of the module that is being migrated.
    pub(crate) at: usize,
    /// Where its next step begins; none for its start.
    pub(crate) cursor: Option<Vec<u8>>,
    /// The number of the next step, counted over all modules.
    pub(crate) step: u64,
    /// Rows changed so far.
    pub(crate) rows: u64,
    /// The migration has failed and its changes are being undone.
    pub(crate) undoing: bool,
    /// What goes live after the last step.
    pub(crate) change: ChangeRecord,
}

impl MigrationRow {
    pub(crate) fn new(pending: Vec<PendingMigration>, change: ChangeRecord) -> MigrationRow {
        MigrationRow {
            pending,
            at: 0,
            cursor: None,
            step: 0,
            rows: 0,
            undoing: false,
            change,
        }
    }

    pub(crate) fn write(&self, tx: &mut Transaction) -> Result<(), DeployError> {
        Ok(tx.put(TABLE, KEY, encode(self))?)
    }
}

/// Removes the row: the migration is done, or undone.
pub(crate) fn remove(tx: &mut Transaction) -> Result<(), DeployError> {
    Ok(tx.delete(TABLE, KEY)?)
}

/// The migration that the previous process did not finish.
pub(crate) fn unfinished(store: &Store) -> Result<Option<MigrationRow>, DeployError> {
    match store.begin().get(TABLE, KEY)? {
        Some(bytes) => decode("the row of the running migration", &bytes).map(Some),
        None => Ok(None),
    }
}

/// Writes something without effect, to find out whether the store still commits.
pub(crate) fn touch(tx: &mut Transaction) -> Result<(), DeployError> {
    Ok(tx.delete(TABLE, b"-")?)
}
