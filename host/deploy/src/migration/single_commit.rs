//! A migration whose data, rows and live set are one transaction.

use std::sync::Arc;

use stowage_logic::{CallHold, DryRun, Module, Moment};
use stowage_storage::CommitError;

use super::{failed, module_of};
use crate::change::{ChangeRecord, PendingMigration};
use crate::error::DeployError;
use crate::lifecycle;
use crate::live_set;
use crate::shared::Shared;

/// How one attempt ended.
pub(super) enum Outcome {
    /// Committed; so many rows were changed.
    Done(u64),
    /// Another transaction changed what it read.
    Conflict,
    /// A module has further steps. Nothing was changed.
    NeedsSteps,
}

impl Shared {
    /// Runs the first step of every module and commits all of them with the change. `hold` keeps
    /// calls waiting across attempts; without one, calls are held for the commit only.
    pub(super) async fn migrate_in_one(
        &self,
        change: &mut ChangeRecord,
        modules: &[Arc<Module>],
        pending: &[PendingMigration],
        hold: &mut Option<CallHold>,
    ) -> Result<Outcome, DeployError> {
        let mut tx = self.store.begin();
        let mut effects: Vec<DryRun> = Vec::new();
        let mut rows = 0;
        for pending in pending {
            let module = module_of(modules, pending)?;
            let run = lifecycle::migrate(&self.logic, module, tx, pending.old, None, &Moment::now())
                .await
                .map_err(|reason| failed(pending, reason))?;
            if run.step.cursor.is_some() {
                return Ok(Outcome::NeedsSteps);
            }
            rows += run.step.rows;
            tx = run.transaction;
            effects.push(run.effects);
            live_set::set_data_version(&mut tx, &pending.name, pending.new)?;
        }
        change.write(&mut tx)?;
        let was_held = hold.is_some();
        let holding = hold.take().unwrap_or_else(|| self.logic.hold());
        match self.store.commit_fenced(tx).await {
            Ok(_) => {}
            Err(CommitError::Conflict) => {
                *hold = was_held.then_some(holding);
                return Ok(Outcome::Conflict);
            }
            Err(CommitError::Backend(error)) => self.confirm(change, error).await?,
            Err(error) => return Err(error.into()),
        }
        self.publish(change.set.clone(), modules.to_vec(), Some(holding));
        for effects in effects {
            self.logic.release(effects);
        }
        Ok(Outcome::Done(rows))
    }
}
