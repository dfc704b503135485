//! A migration in several transactions, while calls are held.

use std::sync::Arc;
use std::time::Duration;

use stowage_logic::{CallHold, Module, Moment};
use stowage_storage::{CommitError, Transaction};
use tokio_util::sync::CancellationToken;

use super::{MAX_RUNS, failed, module_of, undo};
use crate::change::{ChangeRecord, PendingMigration};
use crate::error::DeployError;
use crate::lifecycle::{self, MigrationStep, UncommittedStep};
use crate::live_set;
use crate::migration_record::{self as record, MigrationRow};
use crate::shared::Shared;

/// A migration of more steps fails.
const MAX_STEPS: u64 = 10_000_000;
/// The pause between two attempts to undo while the disk fails.
const UNDO_PAUSE: Duration = Duration::from_secs(1);

impl Shared {
    /// Runs all steps while calls are held, and publishes the set. If a step fails, undoes all of
    /// them.
    pub(super) async fn migrate_stepwise(
        &self,
        change: &mut ChangeRecord,
        modules: Vec<Arc<Module>>,
        pending: Vec<PendingMigration>,
        hold: Option<CallHold>,
        stop: &CancellationToken,
    ) -> Result<u64, DeployError> {
        let hold = hold.unwrap_or_else(|| self.logic.hold());
        let mut row = MigrationRow::new(pending, change.clone());
        // Notes that an earlier process left would be restored together with those of this
        // migration.
        undo::forget(&self.store).await?;
        let mut tx = self.store.begin();
        row.write(&mut tx)?;
        // After this commit only the migration writes what modules read.
        self.store.commit_fenced(tx).await?;
        match self.run_steps(&mut row, &modules, stop).await {
            Ok(()) => {
                let rows = row.rows;
                *change = row.change;
                self.publish(change.set.clone(), modules, Some(hold));
                if let Err(error) = undo::forget(&self.store).await {
                    tracing::warn!(%error, "the undo notes of a finished migration stay until the next start");
                }
                Ok(rows)
            }
            Err(error) => {
                tracing::error!(%error, "the migration failed; its changes are undone");
                self.undo(row).await?;
                drop(hold);
                Err(error)
            }
        }
    }

    /// Finishes the migration of the previous process with the modules of its set, or undoes it.
    /// Returns the reason if it was undone.
    pub(crate) async fn resume_migration(
        &self,
        mut row: MigrationRow,
        modules: Result<Vec<Arc<Module>>, DeployError>,
    ) -> Result<Option<String>, DeployError> {
        let stop = CancellationToken::new();
        let finished = match &modules {
            Ok(_) if row.undoing => Err("it had failed".to_owned()),
            Ok(modules) => self
                .run_steps(&mut row, modules, &stop)
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match finished {
            Ok(()) => {
                tracing::info!(rows = row.rows, "the interrupted migration is finished");
                Ok(None)
            }
            Err(reason) => {
                tracing::error!(reason, "the interrupted migration is undone");
                self.undo(row).await?;
                Ok(Some(reason))
            }
        }
    }

    /// Continues from where the row says, up to the commit that makes the set live.
    async fn run_steps(
        &self,
        row: &mut MigrationRow,
        modules: &[Arc<Module>],
        stop: &CancellationToken,
    ) -> Result<(), DeployError> {
        while let Some(pending) = row.pending.get(row.at).cloned() {
            let module = module_of(modules, &pending)?;
            if stop.is_cancelled() {
                return Err(failed(&pending, "it was aborted"));
            }
            if row.step >= MAX_STEPS {
                return Err(failed(&pending, format!("it did not end within {MAX_STEPS} steps")));
            }
            let total = self.run_step(row, &pending, module).await?;
            tracing::info!(module = %pending.name, rows = row.rows, total, "a step of the migration is done");
            if let Some(running) = &mut *self.migration() {
                running.status.module = pending.name;
                running.status.rows = row.rows;
                running.status.total = total;
            }
        }
        Ok(())
    }

    /// Runs and commits one step; the last one writes the live set too. Returns how many rows the
    /// module has to change in total, if it said so.
    async fn run_step(
        &self,
        row: &mut MigrationRow,
        pending: &PendingMigration,
        module: &Arc<Module>,
    ) -> Result<Option<u64>, DeployError> {
        let moment = Moment::now();
        let mut noted = Vec::new();
        for _ in 0..MAX_RUNS {
            let begun = self.store.begin();
            let cursor = row.cursor.as_deref();
            let UncommittedStep {
                step,
                transaction: mut tx,
                effects,
            } = lifecycle::migrate(&self.logic, module, begun, pending.old, cursor, &moment)
                .await
                .map_err(|reason| failed(pending, reason))?;
            if step.cursor.is_some() && step.cursor == row.cursor {
                return Err(failed(pending, "a step ended at the cursor it began with"));
            }
            let keys = undo::written_keys(&tx);
            if noted != keys {
                undo::note(&self.store, row.step, tx.snapshot(), &keys).await?;
                noted = keys;
            }
            let total = step.total;
            let after = row.after(step, &mut tx)?;
            match self.store.commit_fenced(tx).await {
                Ok(_) => {}
                Err(CommitError::Conflict) => continue,
                Err(CommitError::Backend(error)) if after.is_finished() => {
                    self.confirm(&after.change, error).await?;
                }
                Err(error) => return Err(error.into()),
            }
            *row = after;
            self.logic.release(effects);
            return Ok(total);
        }
        Err(failed(pending, "the host kept changing what a step read"))
    }

    /// Undoes all steps. It waits for a disk that fails: nobody may call until the data is whole
    /// again.
    async fn undo(&self, mut row: MigrationRow) -> Result<(), DeployError> {
        row.undoing = true;
        loop {
            let undone = async {
                self.store.update::<_, DeployError>(|tx| row.write(tx)).await?;
                undo::restore(&self.store).await?;
                self.store.update::<_, DeployError>(record::remove).await?;
                Ok::<_, DeployError>(())
            };
            match undone.await {
                Ok(()) => return Ok(()),
                // The process is ending: the next one continues.
                Err(error) if self.is_closed().await => return Err(error),
                Err(error) => {
                    tracing::error!(%error, "a failed migration is not undone yet; calls wait");
                    tokio::time::sleep(UNDO_PAUSE).await;
                }
            }
        }
    }

    /// Whether the store accepts no commits any more.
    async fn is_closed(&self) -> bool {
        let mut tx = self.store.begin();
        if record::touch(&mut tx).is_err() {
            return false;
        }
        matches!(self.store.commit(tx).await, Err(CommitError::Closed))
    }
}

impl MigrationRow {
    /// The row after `step`, written to `tx`. After the last step, the live set and the data
    /// versions are written instead.
    fn after(&self, step: MigrationStep, tx: &mut Transaction) -> Result<MigrationRow, DeployError> {
        let mut after = self.clone();
        after.step += 1;
        after.rows = after.rows.saturating_add(step.rows);
        after.at += usize::from(step.cursor.is_none());
        after.cursor = step.cursor;
        if after.is_finished() {
            for pending in &after.pending {
                live_set::set_data_version(tx, &pending.name, pending.new)?;
            }
            after.change.write(tx)?;
            record::remove(tx)?;
        } else {
            after.write(tx)?;
        }
        Ok(after)
    }

    fn is_finished(&self) -> bool {
        self.at == self.pending.len()
    }
}
