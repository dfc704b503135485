//! What the handles of a deployer share.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stowage_logic::{Logic, Module, Version, Watch};
use stowage_storage::Store;
use tokio::sync::{Notify, Semaphore};

use super::blobs::Blobs;
use super::error::DeployError;
use super::history::{self, Action, Entry};
use super::live::{self, LiveModule};
use super::migration::{self, Running};
use super::now::{Now, now_ms};
use super::recordings::Recordings;
use super::trials::Canary;

/// Modules that are compiled and checked at once: each may take a process of its own and 4 GiB.
const CHECKS: usize = 2;
/// Versions of a module that are kept to go back to.
const VERSIONS_KEPT: usize = 10;

/// One deployer.
pub(super) struct Inner {
    pub(super) logic: Logic,
    pub(super) store: Store,
    pub(super) blobs: Blobs,
    /// Held by the change that is under way.
    pub(super) changing: tokio::sync::Mutex<()>,
    now: Mutex<Now>,
    migration: Mutex<Option<Running>>,
    pub(super) recordings: Recordings,
    pub(super) checking: Semaphore,
    pub(super) waiting: AtomicUsize,
    /// There are other watches to look after.
    pub(super) changed: Notify,
}

impl Inner {
    pub(super) fn new(logic: Logic, store: Store, blobs: Blobs) -> Inner {
        let recordings = Recordings::new(logic.clone());
        Inner {
            logic,
            store,
            blobs,
            changing: tokio::sync::Mutex::default(),
            now: Mutex::default(),
            migration: Mutex::default(),
            recordings,
            checking: Semaphore::new(CHECKS),
            waiting: AtomicUsize::new(0),
            changed: Notify::new(),
        }
    }

    /// For short: never across an await.
    pub(super) fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn migration(&self) -> MutexGuard<'_, Option<Running>> {
        self.migration.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs something that blocks, on a thread for that.
    pub(super) async fn blocking<T: Send + 'static>(
        work: impl FnOnce() -> Result<T, DeployError> + Send + 'static,
    ) -> Result<T, DeployError> {
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|panic| DeployError::Storage(format!("work on disk gave up: {panic}")))?
    }

    /// Makes the bytes of versions durable. Says whether some are new.
    pub(super) async fn keep(&self, bytes: Vec<(Version, Arc<Vec<u8>>)>) -> Result<bool, DeployError> {
        let blobs = self.blobs.clone();
        Self::blocking(move || {
            let mut new = false;
            for (version, bytes) in &bytes {
                new |= blobs.keep(*version, bytes)?;
            }
            Ok(new)
        })
        .await
    }

    /// Removes the bytes that nothing names any more.
    pub(super) async fn sweep(&self) {
        let (store, blobs) = (self.store.clone(), self.blobs.clone());
        let live: Vec<Version> = self.now().set.modules.iter().map(|m| m.version).collect();
        let swept = Self::blocking(move || {
            let mut kept: BTreeSet<Version> = history::kept_versions(&store, VERSIONS_KEPT)?;
            kept.extend(live);
            // A migration that the store's end has cut short goes on at the next start, with what it was to put in place.
            if let Some(row) = migration::unfinished(&store)? {
                kept.extend(row.next.set.modules.iter().map(|m| m.version));
            }
            blobs.sweep(&kept);
            Ok(())
        });
        if let Err(error) = swept.await {
            tracing::warn!(%error, "unused modules were not removed");
        }
    }

    /// The live modules with their rows, in the order they are loaded.
    pub(super) fn pairs(&self) -> Vec<(LiveModule, Arc<Module>)> {
        let now = self.now();
        now.set
            .modules
            .iter()
            .cloned()
            .zip(now.modules.iter().cloned())
            .collect()
    }

    /// The bytes that a row names, loaded: taken from what is loaded already, or from disk.
    pub(super) async fn fetch(&self, row: &LiveModule) -> Result<Arc<Module>, DeployError> {
        let loaded = {
            let now = self.now();
            let previous = now.probation.iter().flat_map(|p| &p.previous);
            now.modules
                .iter()
                .chain(previous)
                .find(|m| *m.name == *row.name && m.version == row.version)
                .cloned()
        };
        if let Some(module) = loaded {
            return Ok(module);
        }
        let (blobs, version) = (self.blobs.clone(), row.version);
        let bytes = Self::blocking(move || blobs.read(version)).await?;
        let loaded = self.logic.load(&row.name, bytes).await;
        loaded.map(Arc::new).map_err(|source| DeployError::Load {
            from: format!("{} {}", row.name, row.version),
            source,
        })
    }

    /// # Errors
    /// When a module of the rows is older than what is stored.
    pub(super) fn check_age(&self, rows: &[LiveModule]) -> Result<(), DeployError> {
        let mut tx = self.store.begin();
        for row in rows {
            let data = live::schema(&mut tx, &row.name)?;
            let schema = row.schema.unwrap_or(0);
            if schema < data {
                return Err(DeployError::Older {
                    name: row.name.clone(),
                    version: row.version,
                    schema,
                    data,
                });
            }
        }
        Ok(())
    }

    /// Writes into the history that a version on trial was given up.
    pub(super) async fn record_abort(
        &self,
        row: LiveModule,
        by: &str,
        reason: Option<String>,
    ) -> Result<(), DeployError> {
        let mut modules: Vec<LiveModule> = self.now().set.modules.clone();
        put(&mut modules, row, |m| &m.name);
        let mut entry = Entry {
            generation: 0,
            at_ms: now_ms(),
            by: by.to_owned(),
            action: Action::Abort,
            reason,
            modules,
            origin: None,
        };
        let written = self.store.update::<_, DeployError>(|tx| {
            entry.generation = history::last(tx)? + 1;
            history::write(tx, &entry)
        });
        Ok(written.await?)
    }

    /// Ends a canary; none when there is none, or, where `watch` is given, another one.
    pub(super) fn end_canary(&self, name: &str, watch: Option<&Arc<Watch>>) -> Option<Canary> {
        let mut now = self.now();
        let canary = now.canaries.get(name)?;
        if watch.is_some_and(|w| !Arc::ptr_eq(w, &canary.watch)) {
            return None;
        }
        let canary = now.canaries.remove(name)?;
        now.retire(&canary.candidate.module);
        drop(now);
        self.serve_again();
        Some(canary)
    }

    /// Ends the probation of the live generation; its modules stay.
    pub(super) async fn end_probation(&self) -> Result<(), DeployError> {
        let mut set = self.now().set.clone();
        set.probation = None;
        self.store.update::<_, DeployError>(|tx| live::write(tx, &set)).await?;
        let mut now = self.now();
        if let Some(probation) = now.probation.take() {
            for module in &probation.previous {
                now.retire(module);
            }
        }
        now.set = set;
        drop(now);
        self.serve_again();
        Ok(())
    }
}

/// Takes the place of what has the same name, or goes to the end.
pub(super) fn put<T>(list: &mut Vec<T>, item: T, name: impl Fn(&T) -> &String) {
    match list.iter_mut().find(|other| name(other) == name(&item)) {
        Some(slot) => *slot = item,
        None => list.push(item),
    }
}
