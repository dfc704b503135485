//! The handle of the deployer, and the changes it makes.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use stowage_logic::codec::fold_name;
use stowage_logic::{Generation, LoadError, Logic, Module, Version, Watch};
use stowage_storage::Store;
use tokio::sync::{Notify, Semaphore};

use super::blobs::Blobs;
use super::check::{self, Checker, Examined, forbid_migration, lost_methods};
use super::error::DeployError;
use super::history::{self, Action, Entry};
use super::live::{self, LiveModule};
use super::migration::{MigrationStatus, Running};
use super::now::{Now, now_ms};
use super::options::{CanaryOptions, Source, SwapOptions, validate, validate_percent, validate_thresholds};
use super::report::{CanaryStatus, CheckReport, HistoryEntry, ModuleStatus, ShadowReport, SwapReport};
use super::switch::{Applied, Change, Pending};
use super::trials::{Canary, Candidate, Replay, Shadow, room_for_another};

/// Modules that are compiled and checked at once: each may take a process of its own and 4 GiB.
const CHECKS: usize = 2;
/// Further ones that wait for it; more are turned away.
const MOST_WAITING: usize = 8;
/// Versions of a module that are kept to go back to.
const VERSIONS_KEPT: usize = 10;

/// Which modules serve, and how they are replaced. A cheap handle.
#[derive(Clone)]
pub struct Deployer(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) logic: Logic,
    pub(super) store: Store,
    pub(super) blobs: Blobs,
    /// Held by the change that is under way.
    pub(super) changing: tokio::sync::Mutex<()>,
    now: Mutex<Now>,
    migration: Mutex<Option<Running>>,
    replay: Mutex<Option<Replay>>,
    checking: Semaphore,
    waiting: AtomicUsize,
    /// There are other watches to look after.
    pub(super) changed: Notify,
}

impl std::fmt::Debug for Deployer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deployer").finish_non_exhaustive()
    }
}

impl Inner {
    pub(super) fn new(logic: Logic, store: Store, blobs: Blobs) -> Inner {
        Inner {
            logic,
            store,
            blobs,
            changing: tokio::sync::Mutex::default(),
            now: Mutex::default(),
            migration: Mutex::default(),
            replay: Mutex::default(),
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

    fn replay(&self) -> Option<Replay> {
        self.replay.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
fn put<T>(list: &mut Vec<T>, item: T, name: impl Fn(&T) -> &String) {
    match list.iter_mut().find(|other| name(other) == name(&item)) {
        Some(slot) => *slot = item,
        None => list.push(item),
    }
}

impl Deployer {
    /// Connects what replays the recordings that checks are given.
    pub fn replay_with(&self, replay: Replay) {
        *self.0.replay.lock().unwrap_or_else(PoisonError::into_inner) = Some(replay);
    }

    /// Every live module, in the order they are loaded.
    pub fn list(&self) -> Vec<ModuleStatus> {
        self.0.now().statuses()
    }

    /// The number of the generation that serves.
    pub fn generation(&self) -> u64 {
        self.0.now().set.generation
    }

    /// The migration that is under way. Calls wait while it runs in several steps.
    pub fn migration(&self) -> Option<MigrationStatus> {
        self.0.migration().as_ref().map(|running| running.status.clone())
    }

    /// Modules that serve no more and still have calls in flight: name and version. A call ends within its limits, and they with it.
    pub fn draining(&self) -> Vec<(String, Version)> {
        self.0.now().draining()
    }

    /// What has served, newest first, at most `limit` entries.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn history(&self, limit: usize) -> Result<Vec<HistoryEntry>, DeployError> {
        let store = self.0.store.clone();
        Inner::blocking(move || {
            let mut entries = Vec::new();
            if limit > 0 {
                history::walk(&store, None, |entry| {
                    entries.push(HistoryEntry::from(entry));
                    entries.len() < limit
                })?;
            }
            Ok(entries)
        })
        .await
    }

    /// Finds out whether a module may go live. Nothing of it becomes visible.
    pub async fn check(&self, source: Source, recording: Option<Vec<u8>>) -> CheckReport {
        let (name, version) = (source.name.clone(), Version::of(&source.bytes));
        let examined = async {
            source.validate()?;
            let candidate = self.candidate(source).await?;
            let mut after = self.0.pairs();
            put(
                &mut after,
                (candidate.row("check"), Arc::clone(&candidate.module)),
                |(row, _)| &row.name,
            );
            let after: Vec<_> = after.into_iter().map(|(_, module)| module).collect();
            let examined = self.examine(&candidate, &after, recording).await?;
            Ok::<_, DeployError>(examined.report)
        };
        match examined.await {
            Ok(report) | Err(DeployError::Refused { report }) => report,
            Err(error) => check::not_begun(&name, version, &error),
        }
    }

    /// Puts modules in place of those of their names, and new ones over all others; all at once or none.
    ///
    /// Where another swap is on probation, the generation that is rolled back to is the one before this swap.
    ///
    /// # Errors
    /// [`DeployError::Refused`] with what the check found; [`DeployError::Migration`]; when storage fails. What served before still
    /// does.
    pub async fn swap(&self, sources: Vec<Source>, options: SwapOptions) -> Result<SwapReport, DeployError> {
        validate(&sources)?;
        validate_thresholds(&options.thresholds)?;
        let this = self.clone();
        alone(async move {
            let mut candidates = Vec::with_capacity(sources.len());
            for source in sources {
                candidates.push(this.candidate(source).await?);
            }
            let _changing = this.0.changing.lock().await;
            this.swap_in(candidates, &options, Action::Swap).await
        })
        .await
    }

    /// Runs a module beside the live calls and compares what it does. Nothing of it is visible to clients or to disk. It ends with
    /// [`Deployer::abort`], when the live version of its name changes, and with the process.
    ///
    /// # Errors
    /// [`DeployError::Refused`] where it does not load or start.
    pub async fn shadow(&self, source: Source, percent: f64) -> Result<ShadowReport, DeployError> {
        source.validate()?;
        validate_percent(percent)?;
        let this = self.clone();
        alone(async move {
            let mut candidate = this.candidate(source).await?;
            let _changing = this.0.changing.lock().await;
            let name = candidate.module.name.to_string();
            // It answers nobody: what clients would notice is what a shadow is to find out.
            this.admit_beside(&mut candidate, true).await?;
            let run = this.0.logic.shadow(Arc::clone(&candidate.module), percent);
            let shadow = Shadow {
                candidate,
                percent,
                run,
            };
            let report = shadow.report();
            let mut now = this.0.now();
            if let Some(old) = now.shadows.insert(name, shadow) {
                now.retire(&old.candidate.module);
            }
            drop(now);
            this.0.serve_again();
            Ok(report)
        })
        .await
    }

    /// What the shadow of a module has found so far.
    ///
    /// # Errors
    /// [`DeployError::NoTrial`].
    pub fn shadow_report(&self, name: &str) -> Result<ShadowReport, DeployError> {
        let now = self.0.now();
        let shadow = now.shadows.get(name);
        shadow
            .map(Shadow::report)
            .ok_or_else(|| DeployError::NoTrial { name: name.to_owned() })
    }

    /// Gives a share of the calls to a module. It ends with [`Deployer::promote`], with [`Deployer::abort`], by itself when it is too
    /// bad, when the live version of its name changes, and with the process.
    ///
    /// # Errors
    /// [`DeployError::Refused`] with what the check found; [`DeployError::Busy`] while the live version is on probation.
    pub async fn canary(&self, source: Source, options: CanaryOptions) -> Result<CanaryStatus, DeployError> {
        source.validate()?;
        validate_percent(options.percent)?;
        validate_thresholds(&options.thresholds)?;
        let this = self.clone();
        alone(async move {
            let mut candidate = this.candidate(source).await?;
            let _changing = this.0.changing.lock().await;
            let name = candidate.module.name.to_string();
            this.check_share(&candidate, &options.methods)?;
            this.admit_beside(&mut candidate, options.force).await?;
            let canary = Canary {
                candidate,
                percent: options.percent,
                methods: options.methods,
                watch: Watch::new(options.thresholds),
                thresholds: options.thresholds,
            };
            let status = canary.status();
            let mut now = this.0.now();
            if let Some(old) = now.canaries.insert(name, canary) {
                now.retire(&old.candidate.module);
            }
            drop(now);
            this.0.serve_again();
            Ok(status)
        })
        .await
    }

    /// Puts a canary, or else a shadow, in place of the live module; or ends the probation of the live one.
    ///
    /// # Errors
    /// As [`Deployer::swap`]; [`DeployError::NoTrial`].
    pub async fn promote(&self, name: &str, options: SwapOptions) -> Result<SwapReport, DeployError> {
        validate_thresholds(&options.thresholds)?;
        let (this, name) = (self.clone(), name.to_owned());
        alone(async move {
            let _changing = this.0.changing.lock().await;
            let (candidate, on_probation) = {
                let now = this.0.now();
                let canary = now.canaries.get(&name).map(|c| &c.candidate);
                let shadow = now.shadows.get(&name).map(|s| &s.candidate);
                let watched = now.module(&name).zip(now.probation.as_ref());
                (canary.or(shadow).cloned(), watched.is_some_and(|(m, p)| p.is_of(m)))
            };
            if let Some(candidate) = candidate {
                return this.swap_in(vec![candidate], &options, Action::Promote).await;
            }
            if !on_probation {
                return Err(this.nothing_of(&name));
            }
            this.0.end_probation().await?;
            tracing::info!(module = %name, by = options.by, "its probation ends");
            Ok(this.unchanged())
        })
        .await
    }

    /// Ends the shadow and the canary of a module, or the migration to it while one runs.
    ///
    /// # Errors
    /// [`DeployError::NoTrial`], [`DeployError::NoSuchModule`].
    pub async fn abort(&self, name: &str) -> Result<(), DeployError> {
        let (this, name) = (self.clone(), name.to_owned());
        if let Some(running) = &*this.0.migration()
            && running.status.module == name
        {
            running.stop.cancel();
            return Ok(());
        }
        alone(async move {
            let _changing = this.0.changing.lock().await;
            let shadow = {
                let mut now = this.0.now();
                let shadow = now.shadows.remove(&name);
                if let Some(shadow) = &shadow {
                    now.retire(&shadow.candidate.module);
                }
                shadow
            };
            if shadow.is_some() {
                this.0.serve_again();
            }
            match this.0.end_canary(&name, None) {
                Some(canary) => {
                    this.0
                        .record_abort(canary.candidate.row("command"), "command", None)
                        .await
                }
                None if shadow.is_some() => Ok(()),
                None => Err(this.nothing_of(&name)),
            }
        })
        .await
    }

    /// Goes back to the generation before, or to generation `to`: to its modules, as a new generation. The data stays as it is.
    ///
    /// # Errors
    /// [`DeployError::NothingToRollBack`]; [`DeployError::Older`] where the data has been migrated since.
    pub async fn rollback(&self, to: Option<u64>, by: &'static str) -> Result<SwapReport, DeployError> {
        let this = self.clone();
        alone(async move {
            let _changing = this.0.changing.lock().await;
            let started = Instant::now();
            let entry = this.rollback_target(to)?;
            let mut change = Change {
                modules: Vec::with_capacity(entry.modules.len()),
                by: by.to_owned(),
                action: Action::Rollback,
                reason: None,
                origin: Some(entry.origin.unwrap_or(entry.generation)),
                probation: None,
                migrations: Vec::new(),
                given: None,
            };
            this.0.check_age(&entry.modules)?;
            for row in entry.modules {
                let module = this
                    .0
                    .fetch(&row)
                    .await
                    .map_err(|error| DeployError::NothingToRollBack {
                        reason: format!("generation {} cannot be loaded any more: {error}", entry.generation),
                    })?;
                change.modules.push((this.begun_again(row, by), module));
            }
            let applied = this.0.apply(change).await?;
            Ok(told(&applied, Vec::new(), started.elapsed()))
        })
        .await
    }

    /// Takes a module out; what it overrode serves again.
    ///
    /// # Errors
    /// [`DeployError::NoSuchModule`]; [`DeployError::StillNeeded`] where nobody else serves a function of it.
    pub async fn unload(&self, name: &str, by: &'static str) -> Result<SwapReport, DeployError> {
        self.take_out(name, by, false).await
    }

    /// [`Deployer::unload`] that goes on where functions are then served by nobody.
    ///
    /// # Errors
    /// [`DeployError::NoSuchModule`].
    pub async fn unload_forced(&self, name: &str, by: &'static str) -> Result<SwapReport, DeployError> {
        self.take_out(name, by, true).await
    }

    async fn take_out(&self, name: &str, by: &'static str, force: bool) -> Result<SwapReport, DeployError> {
        let (this, name) = (self.clone(), name.to_owned());
        alone(async move {
            let _changing = this.0.changing.lock().await;
            let started = Instant::now();
            let before = this.0.pairs();
            let after: Vec<_> = before.iter().filter(|(row, _)| row.name != name).cloned().collect();
            if after.len() == before.len() {
                return Err(DeployError::NoSuchModule { name });
            }
            let table = |pairs: &[(LiveModule, Arc<Module>)]| {
                Generation::new(pairs.iter().map(|(_, module)| Arc::clone(module)).collect())
            };
            let methods = lost_methods(&table(&before), &table(&after));
            if !methods.is_empty() && !force {
                return Err(DeployError::StillNeeded { name, methods });
            }
            let applied = this
                .0
                .apply(Change {
                    modules: after,
                    by: by.to_owned(),
                    action: Action::Unload,
                    reason: None,
                    origin: None,
                    probation: None,
                    migrations: Vec::new(),
                    given: None,
                })
                .await?;
            Ok(told(&applied, Vec::new(), started.elapsed()))
        })
        .await
    }

    /// Compiles a module; few at once, and few wait for it.
    async fn candidate(&self, source: Source) -> Result<Candidate, DeployError> {
        let version = Version::of(&source.bytes);
        let _permit = self.turn(&source.name).await?;
        let bytes = Arc::new(source.bytes);
        let copy = Vec::clone(&bytes);
        let loaded = self.0.logic.load(&source.name, copy).await;
        let module = loaded.map_err(|error: LoadError| DeployError::Refused {
            report: check::unloadable(&source.name, version, &error),
        })?;
        Ok(Candidate {
            module: Arc::new(module),
            bytes,
            from: source.from,
            schema: None,
            since_ms: now_ms(),
        })
    }

    /// Waits for a turn to compile or check, unless too many do.
    async fn turn(&self, name: &str) -> Result<tokio::sync::SemaphorePermit<'_>, DeployError> {
        struct Waits<'a>(&'a AtomicUsize);
        impl Drop for Waits<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let busy = || DeployError::Busy {
            name: name.to_owned(),
            reason: "too many modules wait to be checked; try again later".into(),
        };
        let others = self.0.waiting.fetch_add(1, Ordering::Relaxed);
        let _waits = Waits(&self.0.waiting);
        if others >= MOST_WAITING {
            return Err(busy());
        }
        // The semaphore is never closed.
        self.0.checking.acquire().await.map_err(|_| busy())
    }

    async fn examine(
        &self,
        candidate: &Candidate,
        after: &[Arc<Module>],
        recording: Option<Vec<u8>>,
    ) -> Result<Examined, DeployError> {
        let before = self.0.now().modules.clone();
        let replay = self.0.replay();
        let _permit = self.turn(&candidate.module.name).await?;
        Checker {
            logic: &self.0.logic,
            store: &self.0.store,
            before: &before,
            after,
            replay: replay.as_ref(),
        }
        .examine(&candidate.module, candidate.bytes.len(), recording)
        .await
    }

    /// Checks candidates and puts them in place. The caller holds the lock of changes.
    async fn swap_in(
        &self,
        candidates: Vec<Candidate>,
        options: &SwapOptions,
        action: Action,
    ) -> Result<SwapReport, DeployError> {
        let before = self.0.pairs();
        let is_live = |c: &Candidate| {
            before
                .iter()
                .any(|(row, module)| *row.name == *c.module.name && module.version == c.module.version)
        };
        let mut candidates: Vec<_> = candidates.into_iter().filter(|c| !is_live(c)).collect();
        if candidates.is_empty() {
            return Ok(self.unchanged());
        }
        let mut after = before.clone();
        for candidate in &candidates {
            let pair = (candidate.row(options.by), Arc::clone(&candidate.module));
            put(&mut after, pair, |(row, _)| &row.name);
        }
        let modules: Vec<_> = after.iter().map(|(_, module)| Arc::clone(module)).collect();
        let mut checks = Vec::with_capacity(candidates.len());
        let mut migrations = Vec::new();
        for candidate in &mut candidates {
            let examined = self.examine(candidate, &modules, None).await?;
            if !examined.admits(options.force) {
                return Err(DeployError::Refused {
                    report: examined.report,
                });
            }
            candidate.schema = examined.schema;
            let row = candidate.row(options.by);
            if let Some(new) = examined.schema.filter(|v| *v > examined.data) {
                migrations.push(Pending {
                    name: row.name.clone(),
                    old: examined.data,
                    new,
                });
            }
            put(&mut after, (row, Arc::clone(&candidate.module)), |(row, _)| &row.name);
            checks.push(examined.report);
        }
        let checked = Instant::now();
        let bytes = candidates
            .iter()
            .map(|c| (c.module.version, Arc::clone(&c.bytes)))
            .collect();
        let new = self.0.keep(bytes).await?;
        let applied = self
            .0
            .apply(Change {
                modules: after,
                by: options.by.to_owned(),
                action,
                reason: None,
                origin: None,
                probation: options.lasts().map(|lasts| (lasts, options.thresholds)),
                migrations,
                given: None,
            })
            .await;
        let switched = checked.elapsed();
        // After a failure as well: then no row names the bytes.
        if new {
            self.0.sweep().await;
        }
        Ok(told(&applied?, checks, switched))
    }

    /// Checks a candidate that is to run beside the live modules, on their data.
    async fn admit_beside(&self, candidate: &mut Candidate, force: bool) -> Result<(), DeployError> {
        let name = candidate.module.name.to_string();
        let (running, probation) = {
            let now = self.0.now();
            let watched = now.module(&name).zip(now.probation.as_ref());
            (
                now.shadows.len() + now.canaries.len(),
                watched.is_some_and(|(m, p)| p.is_of(m)),
            )
        };
        room_for_another(running, &name)?;
        if probation {
            return Err(DeployError::Busy {
                name,
                reason: "its live version is on probation; wait until that ends, or promote it".into(),
            });
        }
        let mut after = self.0.pairs();
        put(
            &mut after,
            (candidate.row("check"), Arc::clone(&candidate.module)),
            |(row, _)| &row.name,
        );
        let after: Vec<_> = after.into_iter().map(|(_, module)| module).collect();
        let mut examined = self.examine(candidate, &after, None).await?;
        forbid_migration(&mut examined);
        if !examined.admits(force) {
            return Err(DeployError::Refused {
                report: examined.report,
            });
        }
        candidate.schema = examined.schema;
        Ok(())
    }

    /// # Errors
    /// When a canary would answer no call: a method that it or the live modules do not have.
    fn check_share(&self, candidate: &Candidate, methods: &[String]) -> Result<(), DeployError> {
        let table = Generation::new(self.0.now().modules.clone());
        let shared: BTreeSet<String> = Generation::new(vec![Arc::clone(&candidate.module)])
            .routes()
            .filter(|route| table.same(route).is_some())
            .map(|route| fold_name(&route.export().function))
            .collect();
        let unknown = methods.iter().find(|m| !shared.contains(&fold_name(m)));
        if shared.is_empty() || unknown.is_some() {
            return Err(DeployError::BadInput {
                field: "methods".into(),
                expected: match unknown {
                    Some(method) => format!("methods that are served and that the module has, found {method}"),
                    None => "a module with a method that is served".into(),
                },
            });
        }
        Ok(())
    }

    fn rollback_target(&self, to: Option<u64>) -> Result<Entry, DeployError> {
        let nothing = |reason: String| DeployError::NothingToRollBack { reason };
        let set = self.0.now().set.clone();
        let Some(to) = to else {
            return history::previous(&self.0.store, &set)?
                .ok_or_else(|| nothing("no other set of modules was live before this one".into()));
        };
        let entry = history::read(&mut self.0.store.begin(), to)?
            .filter(|entry| entry.action != Action::Abort)
            .ok_or_else(|| nothing(format!("the history has no generation {to} that was live")))?;
        if live::versions(&entry.modules) == set.versions() {
            return Err(nothing(format!("the modules of generation {to} are live")));
        }
        Ok(entry)
    }

    /// The row of a module that goes live again; as it is, where it does already.
    pub(super) fn begun_again(&self, row: LiveModule, by: &str) -> LiveModule {
        let now = self.0.now();
        match now.set.module(&row.name).filter(|live| live.version == row.version) {
            Some(live) => live.clone(),
            None => LiveModule {
                since_ms: 0,
                by: by.to_owned(),
                ..row
            },
        }
    }

    fn unchanged(&self) -> SwapReport {
        SwapReport {
            generation: self.generation(),
            checks: Vec::new(),
            migrated_rows: 0,
            switch_us: 0,
            unchanged: true,
        }
    }

    fn nothing_of(&self, name: &str) -> DeployError {
        let name = name.to_owned();
        match self.0.now().module(&name) {
            Some(_) => DeployError::NoTrial { name },
            None => DeployError::NoSuchModule { name },
        }
    }
}

fn told(applied: &Applied, checks: Vec<CheckReport>, took: Duration) -> SwapReport {
    SwapReport {
        generation: applied.generation,
        checks,
        migrated_rows: applied.migrated_rows,
        switch_us: took.as_micros() as u64,
        unchanged: false,
    }
}

/// Runs a change in a task of its own: whoever asked may hang up, and the change still ends.
pub(super) async fn alone<T: Send + 'static>(
    change: impl Future<Output = Result<T, DeployError>> + Send + 'static,
) -> Result<T, DeployError> {
    match tokio::spawn(change).await {
        Ok(done) => done,
        Err(error) => Err(DeployError::Storage(format!("the change ended badly: {error}"))),
    }
}
