//! Checking modules and putting them live.

use std::sync::Arc;
use std::time::{Duration, Instant};

use stowage_logic::{LoadError, Module, Version};

use super::api::{CheckReport, SwapReport};
use super::candidate::Candidate;
use super::change::{AppliedChange, LiveSetChange, PendingMigration};
use super::check::{self, CheckOutcome, Checker};
use super::clock::now_ms;
use super::deployer::Deployer;
use super::error::DeployError;
use super::history::Action;
use super::live_set::LiveModule;
use super::options::{Source, SwapOptions, validate, validate_thresholds};
use super::shared::{replace_or_append, run_detached};

/// Candidates that passed their checks, with the set that they make.
struct CheckedSet {
    modules: Vec<(LiveModule, Arc<Module>)>,
    migrations: Vec<PendingMigration>,
    reports: Vec<CheckReport>,
}

impl Deployer {
    /// Finds out whether a module may go live. Nothing of it becomes visible.
    pub async fn check(&self, source: Source, recording: Option<Vec<u8>>) -> CheckReport {
        let (name, version) = (source.name.clone(), Version::of(&source.bytes));
        let checked = async {
            source.validate()?;
            let candidate = self.compile(source).await?;
            let after = self.0.live_modules_with(&candidate);
            self.examine(&candidate, &after, recording).await
        };
        match checked.await {
            Ok(CheckOutcome { report, .. }) | Err(DeployError::Refused { report }) => report,
            Err(error) => check::not_begun(&name, version, &error),
        }
    }

    /// Puts modules live, all at once or none. A module takes the place of the live one of its
    /// name; a module with a new name is loaded last.
    ///
    /// While another swap is on probation, the rollback of this swap goes to that other swap.
    ///
    /// # Errors
    /// [`DeployError::Refused`] with what the check found; [`DeployError::Migration`]; when storage
    /// fails. The previous modules still serve.
    pub async fn swap(&self, sources: Vec<Source>, options: SwapOptions) -> Result<SwapReport, DeployError> {
        validate(&sources)?;
        validate_thresholds(&options.thresholds)?;
        let this = self.clone();
        run_detached(async move {
            let mut candidates = Vec::with_capacity(sources.len());
            for source in sources {
                candidates.push(this.compile(source).await?);
            }
            let _changing = this.0.changing.lock().await;
            this.swap_in(candidates, &options, Action::Swap).await
        })
        .await
        .inspect_err(|_| self.0.counts.count_failed())
    }

    /// Compiles a module, when a permit is free.
    pub(crate) async fn compile(&self, source: Source) -> Result<Candidate, DeployError> {
        let source = source.of_a_client();
        let version = Version::of(&source.bytes);
        let _permit = self.0.check_permit(&source.name).await?;
        let bytes = Arc::new(source.bytes);
        // The compiler sees only bytes that somebody answers for.
        let trusted = self.0.verify(&source.name, version, &bytes).await?;
        let copy = Vec::clone(&bytes);
        let loaded = self.0.logic.load(&source.name, copy).await;
        let module = loaded.map_err(|error: LoadError| DeployError::Refused {
            report: check::unloadable(&source.name, version, &trusted, &error),
        })?;
        Ok(Candidate {
            module: Arc::new(module),
            bytes,
            from: source.from,
            schema: None,
            signed_by: trusted.keys(),
            since_ms: now_ms(),
        })
    }

    /// Checks a candidate, when a permit is free. `after` are the modules that would be live with
    /// it.
    pub(crate) async fn examine(
        &self,
        candidate: &Candidate,
        after: &[Arc<Module>],
        recording: Option<Vec<u8>>,
    ) -> Result<CheckOutcome, DeployError> {
        let before = self.0.serving().modules.clone();
        let module = &candidate.module;
        let _permit = self.0.check_permit(&module.name).await?;
        // Again: a key may have been removed since a trial began.
        let trusted = self.0.verify(&module.name, module.version, &candidate.bytes).await?;
        Checker {
            logic: &self.0.logic,
            store: &self.0.store,
            before: &before,
            after,
        }
        .examine(module, candidate.bytes.len(), &trusted, recording)
        .await
    }

    /// Checks candidates and puts them live. The caller holds the lock of changes.
    pub(crate) async fn swap_in(
        &self,
        mut candidates: Vec<Candidate>,
        options: &SwapOptions,
        action: Action,
    ) -> Result<SwapReport, DeployError> {
        let before = self.0.live_modules();
        candidates.retain(|c| {
            let is_live = |m: &Module| m.name == c.module.name && m.version == c.module.version;
            !before.iter().any(|(_, module)| is_live(module))
        });
        if candidates.is_empty() {
            return Ok(self.unchanged());
        }
        let checked = self.check_all(&mut candidates, before, options).await?;
        let started = Instant::now();
        let bytes = candidates
            .iter()
            .map(|c| (c.module.version, Arc::clone(&c.bytes)))
            .collect();
        let has_new_bytes = self.0.keep(bytes).await?;
        let change = LiveSetChange {
            probation: options.lasts().map(|lasts| (lasts, options.thresholds)),
            migrations: checked.migrations,
            ..LiveSetChange::new(checked.modules, action, options.by)
        };
        let applied = self.0.apply(change).await;
        let switched = started.elapsed();
        // Also after a failure: then no row names the new bytes.
        if has_new_bytes {
            self.0.sweep().await;
        }
        Ok(describe(&applied?, checked.reports, switched))
    }

    /// Checks every candidate against the set of all of them.
    async fn check_all(
        &self,
        candidates: &mut [Candidate],
        before: Vec<(LiveModule, Arc<Module>)>,
        options: &SwapOptions,
    ) -> Result<CheckedSet, DeployError> {
        let mut set = CheckedSet {
            modules: before,
            migrations: Vec::new(),
            reports: Vec::with_capacity(candidates.len()),
        };
        for candidate in &*candidates {
            set.put(candidate, options.by);
        }
        let after: Vec<_> = set.modules.iter().map(|(_, module)| Arc::clone(module)).collect();
        for candidate in candidates {
            let outcome = self.examine(candidate, &after, None).await?;
            if !outcome.admits(options.force) {
                return Err(DeployError::Refused { report: outcome.report });
            }
            candidate.schema = outcome.schema;
            set.migrations.extend(outcome.migration(&candidate.module.name));
            set.put(candidate, options.by);
            set.reports.push(outcome.report);
        }
        Ok(set)
    }

    /// The report of a swap whose modules were live already.
    pub(crate) fn unchanged(&self) -> SwapReport {
        SwapReport {
            generation: self.generation(),
            checks: Vec::new(),
            migrated_rows: 0,
            switch_us: 0,
            unchanged: true,
        }
    }
}

impl CheckedSet {
    fn put(&mut self, candidate: &Candidate, by: &str) {
        let module = (candidate.row(by), Arc::clone(&candidate.module));
        replace_or_append(&mut self.modules, module, |(row, _)| &row.name);
    }
}

/// The report of a change that was made.
pub(crate) fn describe(applied: &AppliedChange, checks: Vec<CheckReport>, took: Duration) -> SwapReport {
    SwapReport {
        generation: applied.generation,
        checks,
        migrated_rows: applied.migrated_rows,
        switch_us: took.as_micros() as u64,
        unchanged: false,
    }
}
