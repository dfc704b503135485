//! From one generation to the next: rows, data and code change as one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use stowage_logic::{CallHold, Module, Thresholds, Watch};
use stowage_storage::{CommitError, Transaction, UpdateError};

use super::error::DeployError;
use super::history::{self, Action, Entry};
use super::inner::Inner;
use super::live::{self, LiveModule, LiveSet, ProbationRow};
use super::now::{Probation, now_ms};

/// How often, and with which pauses, the outcome of a commit that the disk did not confirm is asked for.
const ASK_AGAIN: (u32, Duration) = (50, Duration::from_millis(100));

/// A set that is to go live.
pub(super) struct Change {
    /// All modules, in the order they are loaded.
    pub(super) modules: Vec<(LiveModule, Arc<Module>)>,
    pub(super) by: String,
    pub(super) action: Action,
    pub(super) reason: Option<String>,
    /// Where the set was first live, if it is gone back to.
    pub(super) origin: Option<u64>,
    pub(super) probation: Option<(Duration, Thresholds)>,
    pub(super) migrations: Vec<Pending>,
    /// What the start was given, where this is one.
    pub(super) given: Option<std::collections::BTreeMap<String, stowage_logic::Version>>,
}

/// Rows that are to be brought to another version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) name: String,
    pub(super) old: u32,
    pub(super) new: u32,
}

/// What a change did.
#[derive(Debug)]
pub(super) struct Applied {
    pub(super) generation: u64,
    pub(super) migrated_rows: u64,
    /// Until calls began on the new generation.
    pub(super) took: Duration,
}

/// The rows of a change; numbered and timed in the transaction that writes them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Next {
    pub(super) set: LiveSet,
    by: String,
    action: Action,
    reason: Option<String>,
}

impl Next {
    fn new(change: &Change, before: &LiveSet) -> Next {
        let probation = change.probation.map(|(lasts, thresholds)| ProbationRow {
            lasts_ms: lasts.as_millis() as u64,
            until_ms: 0,
            thresholds,
            previous: before.generation,
            migrated: !change.migrations.is_empty(),
        });
        Next {
            set: LiveSet {
                generation: 0,
                origin: change.origin,
                modules: change.modules.iter().map(|(row, _)| row.clone()).collect(),
                // The first set has none to go back to.
                probation: probation.filter(|p| p.previous != 0),
                given: change.given.clone().unwrap_or_else(|| before.given.clone()),
            },
            by: change.by.clone(),
            action: change.action,
            reason: change.reason.clone(),
        }
    }

    /// Writes the live set and its entry of the history.
    pub(super) fn write(&mut self, tx: &mut Transaction) -> Result<(), DeployError> {
        let now_ms = now_ms();
        self.set.generation = history::last(tx)? + 1;
        self.set.begin(now_ms);
        live::write(tx, &self.set)?;
        history::write(
            tx,
            &Entry {
                generation: self.set.generation,
                at_ms: now_ms,
                by: self.by.clone(),
                action: self.action,
                reason: self.reason.clone(),
                modules: self.set.modules.clone(),
                origin: self.set.origin,
            },
        )
    }
}

impl Inner {
    /// Makes a change. The caller holds the lock of changes, and the bytes of every module are durable.
    ///
    /// # Errors
    /// When storage or a migration failed; what served before still does, on the data as it was.
    pub(super) async fn apply(&self, change: Change) -> Result<Applied, DeployError> {
        let started = Instant::now();
        let before = self.now().set.clone();
        let mut next = Next::new(&change, &before);
        let (rows, modules): (Vec<_>, Vec<_>) = change.modules.into_iter().unzip();
        for row in &rows {
            if before.module(&row.name).is_none_or(|m| m.version != row.version) {
                tracing::info!(module = %row.name, version = %row.version, source = %row.source, by = %change.by, "goes live");
            }
        }
        let migrated_rows = if change.migrations.is_empty() {
            self.commit(&mut next).await?;
            self.install(next.set.clone(), modules, None);
            0
        } else {
            self.migrate(&mut next, modules, change.migrations).await?
        };
        let applied = Applied {
            generation: next.set.generation,
            migrated_rows,
            took: started.elapsed(),
        };
        tracing::info!(
            generation = applied.generation,
            elapsed_us = applied.took.as_micros() as u64,
            "a new generation serves"
        );
        Ok(applied)
    }

    /// Writes the rows of a change that leaves the data alone.
    async fn commit(&self, next: &mut Next) -> Result<(), DeployError> {
        let written = self.store.update::<_, DeployError>(|tx| next.write(tx)).await;
        match written {
            Err(UpdateError::Commit(CommitError::Backend(error))) => {
                self.confirm(next, DeployError::Storage(error.to_string())).await
            }
            other => Ok(other?),
        }
    }

    /// Finds out whether a commit that the disk did not confirm has come to be after all.
    pub(super) async fn confirm(&self, next: &Next, error: DeployError) -> Result<(), DeployError> {
        let (times, pause) = ASK_AGAIN;
        for _ in 0..times {
            if let Ok(found) = live::read(&mut self.store.begin()) {
                return match found {
                    Some(set) if set == next.set => Ok(()),
                    _ => Err(error),
                };
            }
            tokio::time::sleep(pause).await;
        }
        Err(error)
    }

    /// Puts a set whose rows are durable in place, and lets calls begin on it.
    pub(super) fn install(&self, set: LiveSet, modules: Vec<Arc<Module>>, held: Option<CallHold>) {
        let mut now = self.now();
        let probation = set.probation.as_ref().map(|row| Probation {
            previous: now.modules.clone(),
            watch: Watch::new(row.thresholds),
            thresholds: row.thresholds,
            until_ms: row.until_ms,
            back_to: row.previous,
            migrated: row.migrated,
        });
        now.replace(set, modules, probation);
        let generation = self.recordings.observe(now.generation());
        match held {
            Some(held) => held.release(generation),
            None => self.logic.serve(generation),
        }
        drop(now);
        self.changed.notify_one();
    }

    /// Serves the same modules with others beside them.
    pub(super) fn serve_again(&self) {
        let now = self.now();
        self.logic.serve(self.recordings.observe(now.generation()));
        drop(now);
        self.changed.notify_one();
    }
}
