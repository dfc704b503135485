//! The state that all handles of a deployer share, and the small operations on it.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, MutexGuard};
use stowage_logic::{Logic, Module, Version, Watch};
use stowage_storage::Store;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use super::blobs::Blobs;
use super::candidate::Candidate;
use super::check;
use super::clock::now_ms;
use super::counts::ChangeCounts;
use super::error::DeployError;
use super::history::{self, Action, Entry};
use super::live_set::{self, LiveModule};
use super::migration_record::{self, RunningMigration};
use super::recordings::Recordings;
use super::serving::Serving;
use super::signature::SignatureError;
use super::trials::Canary;
use super::trust::{Trust, Trusted};

/// Modules that are compiled or checked at the same time. Each may use a process and 4 GiB.
const MAX_CHECKS: usize = 2;
/// Modules that wait to be compiled or checked; further ones are refused.
const MAX_WAITING: usize = 8;
/// Versions of a module whose bytes are kept for a rollback.
const VERSIONS_KEPT: usize = 10;

/// The state of one deployer.
pub(crate) struct Shared {
    pub(crate) logic: Logic,
    pub(crate) store: Store,
    pub(crate) blobs: Blobs,
    trust: Trust,
    pub(crate) recordings: Recordings,
    /// Held by the change that is being made: one at a time.
    pub(crate) changing: tokio::sync::Mutex<()>,
    serving: Mutex<Serving>,
    migration: Mutex<Option<RunningMigration>>,
    checks: Semaphore,
    waiting: AtomicUsize,
    pub(crate) counts: ChangeCounts,
    /// Notified when the supervisor has other versions to watch.
    pub(crate) watches_changed: Notify,
}

impl Shared {
    pub(crate) fn new(logic: Logic, store: Store, blobs: Blobs, trust: Trust) -> Shared {
        Shared {
            recordings: Recordings::new(logic.clone()),
            logic,
            store,
            blobs,
            trust,
            changing: tokio::sync::Mutex::default(),
            serving: Mutex::default(),
            migration: Mutex::default(),
            checks: Semaphore::new(MAX_CHECKS),
            waiting: AtomicUsize::new(0),
            counts: ChangeCounts::default(),
            watches_changed: Notify::new(),
        }
    }

    /// What is served. Lock it briefly, and never across an await.
    pub(crate) fn serving(&self) -> MutexGuard<'_, Serving> {
        self.serving.lock()
    }

    /// The migration that is running.
    pub(crate) fn migration(&self) -> MutexGuard<'_, Option<RunningMigration>> {
        self.migration.lock()
    }

    /// Publishes the current modules again, after the trials or the recording beside them changed.
    pub(crate) fn serve_again(&self) {
        let serving = self.serving();
        self.logic.serve(self.recordings.observe(serving.generation()));
        drop(serving);
        self.watches_changed.notify_one();
    }

    /// Whether modules have to be signed.
    pub(crate) fn asks_for_signatures(&self) -> bool {
        self.trust.asks()
    }

    /// Finds out whether the bytes of a module that is to be checked may go live.
    ///
    /// # Errors
    /// [`DeployError::Refused`] with the report of a check that ends with the signature.
    pub(crate) async fn verify(
        &self,
        name: &str,
        version: Version,
        bytes: &Arc<Vec<u8>>,
    ) -> Result<Trusted, DeployError> {
        let refused = |error: SignatureError| DeployError::Refused {
            report: check::unsigned(name, version, &error),
        };
        self.trusted(version, bytes).await?.map_err(refused)
    }

    /// Finds out whether the bytes of a module may go live.
    async fn trusted(
        &self,
        version: Version,
        bytes: &Arc<Vec<u8>>,
    ) -> Result<Result<Trusted, SignatureError>, DeployError> {
        if !self.trust.asks() {
            return Ok(Ok(Trusted::Unasked));
        }
        let (trust, bytes) = (self.trust.clone(), Arc::clone(bytes));
        run_blocking(move || Ok(trust.verify(version, &bytes))).await
    }

    /// Finds out whether the bytes of a row, which came from `from`, may go live. What the row says
    /// of its source is no proof: it may come from a backup that somebody else wrote.
    ///
    /// # Errors
    /// [`DeployError::Signature`].
    pub(crate) async fn verify_row(
        &self,
        row: &LiveModule,
        from: &str,
        bytes: &Arc<Vec<u8>>,
    ) -> Result<Trusted, DeployError> {
        let trusted = self.trusted(row.version, bytes).await?;
        trusted.map_err(|reason| DeployError::Signature {
            from: from.to_owned(),
            reason,
        })
    }

    /// Waits for a permit to compile or check a module.
    ///
    /// # Errors
    /// [`DeployError::Busy`] when too many wait already.
    pub(crate) async fn check_permit(&self, name: &str) -> Result<SemaphorePermit<'_>, DeployError> {
        struct Waiting<'a>(&'a AtomicUsize);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let busy = || DeployError::Busy {
            name: name.to_owned(),
            reason: "too many modules wait to be checked; try again later".into(),
        };
        let others = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if others >= MAX_WAITING {
            return Err(busy());
        }
        // The semaphore is never closed.
        self.checks.acquire().await.map_err(|_| busy())
    }

    /// Makes the bytes of versions durable. Returns whether some of them are new.
    pub(crate) async fn keep(&self, bytes: Vec<(Version, Arc<Vec<u8>>)>) -> Result<bool, DeployError> {
        let blobs = self.blobs.clone();
        run_blocking(move || {
            let bytes: Vec<_> = bytes.iter().map(|(version, bytes)| (*version, &bytes[..])).collect();
            blobs.keep(&bytes)
        })
        .await
    }

    /// Removes the bytes that no row names any more.
    pub(crate) async fn sweep(&self) {
        let (store, blobs) = (self.store.clone(), self.blobs.clone());
        let live: Vec<Version> = self.serving().set.modules.iter().map(|m| m.version).collect();
        let swept = run_blocking(move || {
            let mut kept: BTreeSet<Version> = history::kept_versions(&store, VERSIONS_KEPT)?;
            kept.extend(live);
            // A migration that was interrupted continues at the next start, with the modules of its
            // set.
            if let Some(row) = migration_record::unfinished(&store)? {
                kept.extend(row.change.set.modules.iter().map(|m| m.version));
            }
            blobs.sweep(&kept);
            Ok(())
        });
        if let Err(error) = swept.await {
            tracing::warn!(%error, "unused modules were not removed");
        }
    }

    /// The live modules with their rows, in load order.
    pub(crate) fn live_modules(&self) -> Vec<(LiveModule, Arc<Module>)> {
        let serving = self.serving();
        let rows = serving.set.modules.iter().cloned();
        rows.zip(serving.modules.iter().cloned()).collect()
    }

    /// The live modules with `candidate` in place of the one of its name.
    pub(crate) fn live_modules_with(&self, candidate: &Candidate) -> Vec<Arc<Module>> {
        let mut modules = self.serving().modules.clone();
        replace_or_append(&mut modules, Arc::clone(&candidate.module), |m| &*m.name);
        modules
    }

    /// The module that a row names: one that is in memory already, or loaded from disk.
    pub(crate) async fn fetch(&self, row: &LiveModule) -> Result<Arc<Module>, DeployError> {
        if let Some(module) = self.serving().loaded(row) {
            return Ok(module);
        }
        self.fetch_from_disk(row).await.map(|(module, _)| module)
    }

    /// The module that a row names, from disk, and why it is trusted.
    pub(crate) async fn fetch_from_disk(&self, row: &LiveModule) -> Result<(Arc<Module>, Trusted), DeployError> {
        let from = format!("{} {}", row.name, row.version);
        let bytes = Arc::new(self.bytes_of(row).await?);
        let trusted = self.verify_row(row, &from, &bytes).await?;
        let loaded = self.logic.load(&row.name, Vec::clone(&bytes)).await;
        let module = loaded.map_err(|source| DeployError::Load { from, source })?;
        Ok((Arc::new(module), trusted))
    }

    /// The bytes of the module that a row names.
    pub(crate) async fn bytes_of(&self, row: &LiveModule) -> Result<Vec<u8>, DeployError> {
        let (blobs, version) = (self.blobs.clone(), row.version);
        run_blocking(move || blobs.read(version)).await
    }

    /// # Errors
    /// [`DeployError::Older`] when a module's data version is older than that of the stored rows.
    pub(crate) fn check_data_versions(&self, rows: &[LiveModule]) -> Result<(), DeployError> {
        let mut tx = self.store.begin();
        for row in rows {
            let data = live_set::data_version(&mut tx, &row.name)?;
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
    pub(crate) async fn record_abort(
        &self,
        row: LiveModule,
        by: &str,
        reason: Option<String>,
    ) -> Result<(), DeployError> {
        let mut modules: Vec<LiveModule> = self.serving().set.modules.clone();
        replace_or_append(&mut modules, row, |m| &m.name);
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
        written.await?;
        self.counts.count(Action::Abort);
        Ok(())
    }

    /// Ends the canary of a module and returns it. With `watch`, only the canary of that watch
    /// ends.
    pub(crate) fn end_canary(&self, name: &str, watch: Option<&Arc<Watch>>) -> Option<Canary> {
        let mut serving = self.serving();
        let canary = serving.canaries.get(name)?;
        if watch.is_some_and(|w| !Arc::ptr_eq(w, &canary.watch)) {
            return None;
        }
        let canary = serving.canaries.remove(name)?;
        serving.retire(&canary.candidate.module);
        drop(serving);
        self.serve_again();
        Some(canary)
    }

    /// Ends the probation of the live generation; its modules stay live.
    pub(crate) async fn end_probation(&self) -> Result<(), DeployError> {
        let mut set = self.serving().set.clone();
        set.probation = None;
        self.store
            .update::<_, DeployError>(|tx| live_set::write(tx, &set))
            .await?;
        let mut serving = self.serving();
        if let Some(probation) = serving.probation.take() {
            for module in &probation.previous {
                serving.retire(module);
            }
        }
        serving.set = set;
        drop(serving);
        self.serve_again();
        Ok(())
    }
}

/// Replaces the item of the same name, or appends the item.
pub(crate) fn replace_or_append<T>(list: &mut Vec<T>, item: T, name: impl Fn(&T) -> &str) {
    match list.iter_mut().find(|other| name(other) == name(&item)) {
        Some(slot) => *slot = item,
        None => list.push(item),
    }
}

/// Runs blocking work on a thread that may block.
pub(crate) async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DeployError> + Send + 'static,
) -> Result<T, DeployError> {
    tokio::task::spawn_blocking(work).await.map_err(DeployError::Panicked)?
}

/// Runs a change in a task of its own: it ends even when the caller stops waiting for it.
pub(crate) async fn run_detached<T: Send + 'static>(
    change: impl Future<Output = Result<T, DeployError>> + Send + 'static,
) -> Result<T, DeployError> {
    tokio::spawn(change).await.map_err(DeployError::Panicked)?
}
