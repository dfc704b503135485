//! Commits the rows of a change and publishes the new generation to calls.

use std::sync::Arc;
use std::time::Duration;

use stowage_logic::{CallHold, Module, Watch};
use stowage_storage::{BackendError, CommitError, UpdateError};

use super::change::ChangeRecord;
use super::error::DeployError;
use super::live_set::{self, LiveSet};
use super::probation::Probation;
use super::shared::Shared;

/// How often the outcome of an unconfirmed commit is read before it counts as failed.
const CONFIRM_ATTEMPTS: u32 = 50;
/// The pause between two of these attempts.
const CONFIRM_PAUSE: Duration = Duration::from_millis(100);

impl Shared {
    /// Commits a change that migrates no data.
    pub(crate) async fn commit(&self, change: &mut ChangeRecord) -> Result<(), DeployError> {
        let written = self.store.update::<_, DeployError>(|tx| change.write(tx)).await;
        match written {
            Err(UpdateError::Commit(CommitError::Backend(error))) => self.confirm(change, error).await,
            other => Ok(other?),
        }
    }

    /// Finds out whether a commit that failed with `error` has reached the disk after all.
    pub(crate) async fn confirm(&self, change: &ChangeRecord, error: BackendError) -> Result<(), DeployError> {
        for _ in 0..CONFIRM_ATTEMPTS {
            if let Ok(found) = live_set::read(&mut self.store.begin()) {
                return match found {
                    Some(set) if set == change.set => Ok(()),
                    _ => Err(CommitError::Backend(error).into()),
                };
            }
            tokio::time::sleep(CONFIRM_PAUSE).await;
        }
        Err(CommitError::Backend(error).into())
    }

    /// Publishes a set whose rows are durable. With `hold`, held calls continue on the new
    /// generation.
    pub(crate) fn publish(&self, set: LiveSet, modules: Vec<Arc<Module>>, hold: Option<CallHold>) {
        let mut serving = self.serving();
        let probation = set.probation.as_ref().map(|row| Probation {
            previous: serving.modules.clone(),
            watch: Watch::new(row.thresholds),
            thresholds: row.thresholds,
            until_ms: row.until_ms,
            back_to: row.previous,
            migrated: row.migrated,
        });
        serving.replace(set, modules, probation);
        let generation = self.recordings.observe(serving.generation());
        match hold {
            Some(hold) => hold.release(generation),
            None => self.logic.serve(generation),
        }
        drop(serving);
        self.watches_changed.notify_one();
    }
}
