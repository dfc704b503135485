//! Migrates stored rows to the data version of the module that goes live.
//!
//! If the first step of each module does everything, the steps, the data versions and the live set
//! are one transaction. It runs beside calls, and only its commit holds them (`single_commit`).
//! Otherwise calls are held from the first step to the last (`stepwise`). The old values that a
//! step overwrites are noted durably before the step commits (`undo`), and each step writes the
//! migration's row (`migration_record`).
//!
//! If a step fails, all noted values are restored. If the process dies, the next start continues
//! after the last step. It undoes the migration if a module no longer loads or a step fails. What
//! steps requested from the host (transfers, changes for the cloud) is released with each step and
//! not undone.

mod single_commit;
mod stepwise;
pub(crate) mod undo;

use std::sync::Arc;

use stowage_logic::Module;
use tokio_util::sync::CancellationToken;

use crate::api::MigrationStatus;
use crate::change::{ChangeRecord, PendingMigration};
use crate::clock::now_ms;
use crate::error::DeployError;
use crate::migration_record::RunningMigration;
use crate::shared::Shared;
use single_commit::Outcome;

/// Runs of a migration in one transaction beside calls, before calls are held for it.
const RUNS_BESIDE_CALLS: u32 = 4;
/// Most runs of a step whose commit conflicts with other transactions.
const MAX_RUNS: u32 = 64;

impl Shared {
    /// Migrates the data, writes the rows of the change, and publishes the set. Returns how many
    /// rows were changed.
    pub(crate) async fn migrate(
        &self,
        change: &mut ChangeRecord,
        modules: Vec<Arc<Module>>,
        pending: Vec<PendingMigration>,
    ) -> Result<u64, DeployError> {
        let stop = CancellationToken::new();
        if let Some(first) = pending.first() {
            tracing::info!(module = %first.name, old = first.old, new = first.new, "a migration begins");
            *self.migration() = Some(RunningMigration {
                status: MigrationStatus {
                    module: first.name.clone(),
                    rows: 0,
                    total: None,
                    since: now_ms(),
                },
                stop: stop.clone(),
            });
        }
        let migrated = self.migrate_all(change, modules, pending, &stop).await;
        *self.migration() = None;
        migrated
    }

    async fn migrate_all(
        &self,
        change: &mut ChangeRecord,
        modules: Vec<Arc<Module>>,
        pending: Vec<PendingMigration>,
        stop: &CancellationToken,
    ) -> Result<u64, DeployError> {
        let mut hold = None;
        for run in 0..MAX_RUNS {
            if stop.is_cancelled() {
                break;
            }
            // Calls that begin meanwhile may cause conflicts without end.
            if run >= RUNS_BESIDE_CALLS && hold.is_none() {
                hold = Some(self.logic.hold());
            }
            match self.migrate_in_one(change, &modules, &pending, &mut hold).await? {
                Outcome::Done(rows) => return Ok(rows),
                Outcome::Conflict => {}
                Outcome::NeedsSteps => return self.migrate_stepwise(change, modules, pending, hold, stop).await,
            }
        }
        match pending.first() {
            Some(first) if stop.is_cancelled() => Err(failed(first, "it was aborted")),
            Some(first) => Err(failed(first, "other calls kept changing what it read")),
            None => Ok(0),
        }
    }
}

fn failed(pending: &PendingMigration, reason: impl Into<String>) -> DeployError {
    DeployError::Migration {
        name: pending.name.clone(),
        old: pending.old,
        new: pending.new,
        reason: reason.into(),
    }
}

fn module_of<'a>(modules: &'a [Arc<Module>], pending: &PendingMigration) -> Result<&'a Arc<Module>, DeployError> {
    modules
        .iter()
        .find(|m| *m.name == *pending.name)
        .ok_or_else(|| failed(pending, "the module is not in the set"))
}
