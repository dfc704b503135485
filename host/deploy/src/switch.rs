//! The switch from one generation to the next: rows, data and code change together.

use std::time::Instant;

use super::change::{AppliedChange, ChangeRecord, LiveSetChange};
use super::error::DeployError;
use super::shared::Shared;

impl Shared {
    /// Makes a change. The caller holds the lock of changes, and the bytes of every module are
    /// durable.
    ///
    /// # Errors
    /// When storage or a migration fails. The previous set still serves, and its data is unchanged.
    pub(crate) async fn apply(&self, change: LiveSetChange) -> Result<AppliedChange, DeployError> {
        let started = Instant::now();
        let before = self.serving().set.clone();
        let action = change.action;
        let mut record = ChangeRecord::new(&change, &before);
        let (rows, modules): (Vec<_>, Vec<_>) = change.modules.into_iter().unzip();
        for row in &rows {
            if before.module(&row.name).is_none_or(|m| m.version != row.version) {
                tracing::info!(
                    module = %row.name, version = %row.version, source = %row.source, by = %change.by,
                    "a module goes live"
                );
            }
        }
        let migrated_rows = if change.migrations.is_empty() {
            self.commit(&mut record).await?;
            self.publish(record.set.clone(), modules, None);
            0
        } else {
            self.migrate(&mut record, modules, change.migrations).await?
        };
        self.counts.count(action);
        let generation = record.set.generation;
        let elapsed_us = started.elapsed().as_micros() as u64;
        tracing::info!(generation, elapsed_us, "a new generation serves");
        Ok(AppliedChange {
            generation,
            migrated_rows,
        })
    }
}
