//! Bringing stored rows to the version of the module that goes live.
//!
//! Where the first step of each module does all, the steps, the versions of the rows and the live set are one transaction: it is run while
//! calls go on, and only its commit holds them back. Otherwise calls are held back from the first step to the last. What a step is about
//! to overwrite is noted durably before its commit (`undo`), and the row of the migration is written with each step:
//!
//! `host.module-migration`: `now` → what is to go live and how far it has come, MessagePack with field names.
//!
//! When a step fails, everything noted is put back. When the process dies, the next one goes on from the last step, or, where the
//! module no longer loads or a step fails, puts everything back. What steps have asked of the host (transfers, changes for the cloud) is set going
//! with them and not undone.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stowage_logic::{CallHold, DryRun, Module, Moment};
use stowage_storage::{CommitError, Store, Transaction};
use tokio_util::sync::CancellationToken;

use super::api::MigrationStatus;
use super::error::DeployError;
use super::inner::Inner;
use super::interview::{self, Stepped};
use super::live::{self, decode, encode};
use super::now::now_ms;
use super::switch::{Next, Pending};
use super::undo;

const MIGRATIONS: &str = "host.module-migration";
const NOW: &[u8] = b"now";
/// Runs of a migration of one step beside calls, before they are held back for it.
const RUNS_BESIDE_CALLS: u32 = 4;
/// Runs of a step that commits of calls in flight, or of the host itself, undo.
const RUNS: u32 = 64;
/// A migration of more steps never ends.
const MOST_STEPS: u64 = 10_000_000;
/// Between attempts to undo on a disk that fails.
const PAUSE: Duration = Duration::from_secs(1);

/// What is told of the migration that is under way, and what stops it.
pub(super) struct Running {
    pub(super) status: MigrationStatus,
    pub(super) stop: CancellationToken,
}

/// How far a migration in steps has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pending: Vec<Pending>,
    /// The one of `pending` that is at work.
    at: usize,
    cursor: Option<Vec<u8>>,
    /// The number of the next step, over all modules.
    step: u64,
    rows: u64,
    /// It failed and is being undone.
    undoing: bool,
    pub(super) next: Next,
}

impl Row {
    fn write(&self, tx: &mut Transaction) -> Result<(), DeployError> {
        Ok(tx.put(MIGRATIONS, NOW, encode(self))?)
    }
}

/// The migration that the process before this one did not end.
pub(super) fn unfinished(store: &Store) -> Result<Option<Row>, DeployError> {
    match store.begin().get(MIGRATIONS, NOW)? {
        Some(bytes) => decode("the migration that is under way", &bytes).map(Some),
        None => Ok(None),
    }
}

/// How an attempt to do all at once ended.
enum AtOnce {
    Done(u64),
    Conflict,
    /// There are further steps.
    NeedsSteps,
}

fn failed(pending: &Pending, reason: String) -> DeployError {
    DeployError::Migration {
        name: pending.name.clone(),
        old: pending.old,
        new: pending.new,
        reason,
    }
}

fn module_of<'a>(modules: &'a [Arc<Module>], pending: &Pending) -> Result<&'a Arc<Module>, DeployError> {
    modules
        .iter()
        .find(|m| *m.name == *pending.name)
        .ok_or_else(|| failed(pending, "the module is not in the set".into()))
}

impl Inner {
    /// Migrates, writes the rows of the change, and puts the set in place. Says how many rows were changed.
    pub(super) async fn migrate(
        &self,
        next: &mut Next,
        modules: Vec<Arc<Module>>,
        pending: Vec<Pending>,
    ) -> Result<u64, DeployError> {
        let stop = CancellationToken::new();
        if let Some(first) = pending.first() {
            tracing::info!(module = %first.name, old = first.old, new = first.new, "migrates");
            self.set_migration(Some(Running {
                status: MigrationStatus {
                    module: first.name.clone(),
                    rows: 0,
                    total: None,
                    since: now_ms(),
                },
                stop: stop.clone(),
            }));
        }
        let done = self.migrate_all(next, modules, pending, &stop).await;
        self.set_migration(None);
        done
    }

    async fn migrate_all(
        &self,
        next: &mut Next,
        modules: Vec<Arc<Module>>,
        pending: Vec<Pending>,
        stop: &CancellationToken,
    ) -> Result<u64, DeployError> {
        let mut held = None;
        for run in 0..RUNS {
            if stop.is_cancelled() {
                break;
            }
            // Calls that begin may undo it again and again.
            if run >= RUNS_BESIDE_CALLS && held.is_none() {
                held = Some(self.logic.hold());
            }
            match self.migrate_at_once(next, &modules, &pending, &mut held).await? {
                AtOnce::Done(rows) => return Ok(rows),
                AtOnce::Conflict => {}
                AtOnce::NeedsSteps => return self.migrate_in_steps(next, modules, pending, held, stop).await,
            }
        }
        match pending.first() {
            Some(first) if stop.is_cancelled() => Err(failed(first, "it was aborted".into())),
            Some(first) => Err(failed(first, "other calls kept changing what it read".into())),
            None => Ok(0),
        }
    }

    async fn migrate_at_once(
        &self,
        next: &mut Next,
        modules: &[Arc<Module>],
        pending: &[Pending],
        held: &mut Option<CallHold>,
    ) -> Result<AtOnce, DeployError> {
        let mut tx = self.store.begin();
        let mut effects: Vec<DryRun> = Vec::new();
        let mut rows = 0;
        for pending in pending {
            let module = module_of(modules, pending)?;
            let stepped = interview::migrate(&self.logic, module, tx, pending.old, None, &Moment::now())
                .await
                .map_err(|reason| failed(pending, reason))?;
            if stepped.step.cursor.is_some() {
                return Ok(AtOnce::NeedsSteps);
            }
            rows += stepped.step.rows;
            tx = stepped.transaction;
            effects.push(stepped.effects);
            live::set_schema(&mut tx, &pending.name, pending.new)?;
        }
        next.write(&mut tx)?;
        let was_held = held.is_some();
        let holding = held.take().unwrap_or_else(|| self.logic.hold());
        match self.store.commit_fenced(tx).await {
            Ok(_) => {}
            Err(CommitError::Conflict) => {
                *held = was_held.then_some(holding);
                return Ok(AtOnce::Conflict);
            }
            Err(CommitError::Backend(error)) => {
                self.confirm(next, DeployError::Storage(error.to_string())).await?;
            }
            Err(error) => return Err(error.into()),
        }
        self.install(next.set.clone(), modules.to_vec(), Some(holding));
        for effects in effects {
            self.logic.release(effects);
        }
        Ok(AtOnce::Done(rows))
    }

    async fn migrate_in_steps(
        &self,
        next: &mut Next,
        modules: Vec<Arc<Module>>,
        pending: Vec<Pending>,
        held: Option<CallHold>,
        stop: &CancellationToken,
    ) -> Result<u64, DeployError> {
        let held = held.unwrap_or_else(|| self.logic.hold());
        let mut row = Row {
            pending,
            at: 0,
            cursor: None,
            step: 0,
            rows: 0,
            undoing: false,
            next: next.clone(),
        };
        // What a broken process left would be put back with this migration's own.
        undo::forget(&self.store).await?;
        let mut tx = self.store.begin();
        row.write(&mut tx)?;
        // From here on nobody but the migration writes what modules read.
        self.store.commit_fenced(tx).await?;
        match self.steps(&mut row, &modules, stop).await {
            Ok(()) => {
                let rows = row.rows;
                *next = row.next;
                self.install(next.set.clone(), modules, Some(held));
                if let Err(error) = undo::forget(&self.store).await {
                    tracing::warn!(%error, "notes of a migration that is done stay until the next start");
                }
                Ok(rows)
            }
            Err(error) => {
                tracing::error!(%error, "the data is put back");
                self.undo(row).await?;
                drop(held);
                Err(error)
            }
        }
    }

    /// Goes on from where the row says, to the commit that puts the set in place.
    async fn steps(&self, row: &mut Row, modules: &[Arc<Module>], stop: &CancellationToken) -> Result<(), DeployError> {
        while let Some(pending) = row.pending.get(row.at).cloned() {
            let module = module_of(modules, &pending)?;
            if stop.is_cancelled() {
                return Err(failed(&pending, "it was aborted".into()));
            }
            if row.step >= MOST_STEPS {
                return Err(failed(&pending, format!("it did not end within {MOST_STEPS} steps")));
            }
            let total = self.step(row, &pending, module).await?;
            tracing::info!(module = %pending.name, rows = row.rows, total, "migrates");
            if let Some(running) = &mut *self.migration() {
                running.status.module = pending.name;
                running.status.rows = row.rows;
                running.status.total = total;
            }
        }
        Ok(())
    }

    /// One step and its commit; the last one writes the live set as well. Says how many rows there are in all.
    async fn step(&self, row: &mut Row, pending: &Pending, module: &Arc<Module>) -> Result<Option<u64>, DeployError> {
        let moment = Moment::now();
        let mut noted = Vec::new();
        for _ in 0..RUNS {
            let begun = self.store.begin();
            let cursor = row.cursor.as_deref();
            let Stepped {
                step,
                transaction: mut tx,
                effects,
            } = interview::migrate(&self.logic, module, begun, pending.old, cursor, &moment)
                .await
                .map_err(|reason| failed(pending, reason))?;
            if step.cursor.is_some() && step.cursor == row.cursor {
                return Err(failed(pending, "a step ended at the cursor it began with".into()));
            }
            let places = undo::places(&tx);
            if noted != places {
                undo::note(&self.store, row.step, tx.snapshot(), &places).await?;
                noted = places;
            }
            let mut after = row.clone();
            after.step += 1;
            after.rows = after.rows.saturating_add(step.rows);
            after.at += usize::from(step.cursor.is_none());
            after.cursor = step.cursor;
            let last = after.at == after.pending.len();
            if last {
                for pending in &after.pending {
                    live::set_schema(&mut tx, &pending.name, pending.new)?;
                }
                after.next.write(&mut tx)?;
                tx.delete(MIGRATIONS, NOW)?;
            } else {
                after.write(&mut tx)?;
            }
            match self.store.commit_fenced(tx).await {
                Ok(_) => {}
                Err(CommitError::Conflict) => continue,
                Err(CommitError::Backend(error)) if last => {
                    self.confirm(&after.next, DeployError::Storage(error.to_string()))
                        .await?;
                }
                Err(error) => return Err(error.into()),
            }
            *row = after;
            self.logic.release(effects);
            return Ok(step.total);
        }
        Err(failed(pending, "the host kept changing what a step read".into()))
    }

    /// Puts back what the steps have changed. A disk that fails is waited for: until the data is whole nobody may call on it.
    async fn undo(&self, mut row: Row) -> Result<(), DeployError> {
        row.undoing = true;
        loop {
            let undone = async {
                self.store.update::<_, DeployError>(|tx| row.write(tx)).await?;
                undo::restore(&self.store).await?;
                self.store
                    .update::<_, DeployError>(|tx| Ok(tx.delete(MIGRATIONS, NOW)?))
                    .await?;
                Ok::<_, DeployError>(())
            };
            match undone.await {
                Ok(()) => break,
                // The process is ending: the next one goes on.
                Err(error) if self.closed().await => return Err(error),
                Err(error) => {
                    tracing::error!(%error, "the data of a failed migration is not whole yet; calls wait");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        Ok(())
    }

    /// Whether the store takes no commits any more.
    async fn closed(&self) -> bool {
        let mut tx = self.store.begin();
        if tx.delete(MIGRATIONS, b"-").is_err() {
            return false;
        }
        matches!(self.store.commit(tx).await, Err(CommitError::Closed))
    }

    /// Ends the migration of the process before this one: forward, with the modules of its set, or back. Says why, where it was
    /// put back.
    pub(super) async fn resume(
        &self,
        mut row: Row,
        modules: Result<Vec<Arc<Module>>, DeployError>,
    ) -> Result<Option<String>, DeployError> {
        let stop = CancellationToken::new();
        let gone_on = match &modules {
            Ok(_) if row.undoing => Err("it had failed".to_owned()),
            Ok(modules) => self.steps(&mut row, modules, &stop).await.map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match gone_on {
            Ok(()) => {
                tracing::info!(rows = row.rows, "the migration that was cut short is done");
                Ok(None)
            }
            Err(reason) => {
                tracing::error!(reason, "the migration that was cut short is put back");
                self.undo(row).await?;
                Ok(Some(reason))
            }
        }
    }

    fn set_migration(&self, running: Option<Running>) {
        *self.migration() = running;
    }
}
