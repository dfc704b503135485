//! The handle of the deployer, and the changes it makes.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use stowage_logic::{Generation, LoadError, Module, Version};
use stowage_recording::Summary;

use super::api::MigrationStatus;
use super::api::{CheckReport, HistoryEntry, ModuleStatus, RecordRequest, RecordStatus, SwapReport};
use super::check::{self, Checker, Examined, lost_methods};
use super::error::DeployError;
use super::history::{self, Action, Entry};
use super::inner::{Inner, put};
use super::live::{self, LiveModule};
use super::now::now_ms;
use super::options::{Source, SwapOptions, validate, validate_thresholds};
use super::recordings::RecordingsError;
use super::switch::{Applied, Change, Pending};
use super::trials::Candidate;

/// Modules that wait to be compiled or checked; more are turned away.
const MOST_WAITING: usize = 8;

/// Which modules serve, and how they are replaced. A cheap handle.
#[derive(Clone)]
pub struct Deployer(pub(super) Arc<Inner>);

impl std::fmt::Debug for Deployer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deployer").finish_non_exhaustive()
    }
}

impl Deployer {
    /// The recording that is being made, if any.
    pub fn recording(&self) -> Option<RecordStatus> {
        self.0.recordings.status()
    }

    /// Starts recording calls. Creating the file may block the calling thread for a moment.
    ///
    /// # Errors
    /// When a recording is being made already, or the file cannot be created.
    pub fn start_recording(&self, request: RecordRequest) -> Result<(), RecordingsError> {
        self.0.recordings.start(request)?;
        self.0.serve_again();
        Ok(())
    }

    /// Ends the recording and returns what its file holds.
    ///
    /// # Errors
    /// When no recording is being made, or the file could not be written to its end.
    pub async fn stop_recording(&self) -> Result<Summary, RecordingsError> {
        let summary = self.0.recordings.stop().await;
        self.0.serve_again();
        summary
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
    pub(super) async fn candidate(&self, source: Source) -> Result<Candidate, DeployError> {
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

    pub(super) async fn examine(
        &self,
        candidate: &Candidate,
        after: &[Arc<Module>],
        recording: Option<Vec<u8>>,
    ) -> Result<Examined, DeployError> {
        let before = self.0.now().modules.clone();
        let _permit = self.turn(&candidate.module.name).await?;
        Checker {
            logic: &self.0.logic,
            store: &self.0.store,
            before: &before,
            after,
        }
        .examine(&candidate.module, candidate.bytes.len(), recording)
        .await
    }

    /// Checks candidates and puts them in place. The caller holds the lock of changes.
    pub(super) async fn swap_in(
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

    pub(super) fn unchanged(&self) -> SwapReport {
        SwapReport {
            generation: self.generation(),
            checks: Vec::new(),
            migrated_rows: 0,
            switch_us: 0,
            unchanged: true,
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
