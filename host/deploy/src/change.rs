//! A change of the live set, and the rows that it writes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stowage_logic::{Module, Thresholds, Version};
use stowage_storage::Transaction;

use super::clock::now_ms;
use super::error::DeployError;
use super::history::{self, Action, Entry};
use super::live_set::{self, LiveModule, LiveSet, ProbationRow};

/// A set that is to go live.
pub(crate) struct LiveSetChange {
    /// All modules, in load order.
    pub(crate) modules: Vec<(LiveModule, Arc<Module>)>,
    pub(crate) by: String,
    pub(crate) action: Action,
    pub(crate) reason: Option<String>,
    /// The generation in which the set was first live, if this is a rollback to it.
    pub(crate) origin: Option<u64>,
    pub(crate) probation: Option<(Duration, Thresholds)>,
    pub(crate) migrations: Vec<PendingMigration>,
    /// The modules that the program was started with, if this change is its start.
    pub(crate) startup: Option<BTreeMap<String, Version>>,
}

impl LiveSetChange {
    /// A change without reason, origin, probation or migrations.
    pub(crate) fn new(modules: Vec<(LiveModule, Arc<Module>)>, action: Action, by: &str) -> LiveSetChange {
        LiveSetChange {
            modules,
            by: by.to_owned(),
            action,
            reason: None,
            origin: None,
            probation: None,
            migrations: Vec::new(),
            startup: None,
        }
    }
}

/// A module whose rows are to be migrated to another data version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PendingMigration {
    pub(crate) name: String,
    pub(crate) old: u32,
    pub(crate) new: u32,
}

/// What a change did.
#[derive(Debug)]
pub(crate) struct AppliedChange {
    pub(crate) generation: u64,
    pub(crate) migrated_rows: u64,
}

/// The rows of a change. The transaction that writes them sets the generation and the times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChangeRecord {
    pub(crate) set: LiveSet,
    by: String,
    action: Action,
    reason: Option<String>,
}

impl ChangeRecord {
    pub(crate) fn new(change: &LiveSetChange, before: &LiveSet) -> ChangeRecord {
        let probation = change.probation.map(|(lasts, thresholds)| ProbationRow {
            lasts_ms: lasts.as_millis() as u64,
            until_ms: 0,
            thresholds,
            previous: before.generation,
            migrated: !change.migrations.is_empty(),
        });
        ChangeRecord {
            set: LiveSet {
                generation: 0,
                origin: change.origin,
                modules: change.modules.iter().map(|(row, _)| row.clone()).collect(),
                // There is no set before the first one to go back to.
                probation: probation.filter(|p| p.previous != 0),
                startup: change.startup.clone().unwrap_or_else(|| before.startup.clone()),
            },
            by: change.by.clone(),
            action: change.action,
            reason: change.reason.clone(),
        }
    }

    /// Writes the live set and its entry of the history.
    pub(crate) fn write(&mut self, tx: &mut Transaction) -> Result<(), DeployError> {
        let now_ms = now_ms();
        self.set.generation = history::last(tx)? + 1;
        self.set.begin(now_ms);
        live_set::write(tx, &self.set)?;
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
