//! What the metrics of a server tell about its modules: changes of the live set, and trials.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stowage_logic::{Module, Version, WatchReport};

use super::deployer::Deployer;
use super::history::Action;

/// Changes since the server started, by what was done.
#[derive(Debug)]
pub(crate) struct ChangeCounts {
    made: [AtomicU64; Action::ALL.len()],
    /// Changes that were refused or failed.
    failed: AtomicU64,
}

impl Default for ChangeCounts {
    fn default() -> Self {
        ChangeCounts {
            made: std::array::from_fn(|_| AtomicU64::new(0)),
            failed: AtomicU64::new(0),
        }
    }
}

impl ChangeCounts {
    /// Counts a change that was made.
    pub(crate) fn count(&self, action: Action) {
        if let Some(count) = self.made.get(action as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a change that was refused or failed.
    pub(crate) fn count_failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }
}

/// The state of the deployer for metrics.
#[derive(Debug, Clone)]
pub struct Counts {
    /// The number of the generation that serves.
    pub generation: u64,
    /// Changes that were made, by what was done.
    pub changes: Vec<(&'static str, u64)>,
    /// Changes that were refused or failed.
    pub failed_changes: u64,
    /// Canaries and versions on probation.
    pub trials: Vec<TrialCounts>,
    /// Shadows.
    pub shadows: Vec<ShadowCounts>,
    /// Versions that serve no more and have calls in flight.
    pub draining: usize,
    /// Whether a migration runs.
    pub migrating: bool,
}

/// What a version on trial did since its trial began.
#[derive(Debug, Clone)]
pub struct TrialCounts {
    /// The module.
    pub module: String,
    /// The version on trial.
    pub version: Version,
    /// `canary` or `probation`.
    pub trial: &'static str,
    /// What was observed.
    pub watch: WatchReport,
}

/// What a shadow found since it began.
#[derive(Debug, Clone)]
pub struct ShadowCounts {
    /// The module.
    pub module: String,
    /// The shadow's version.
    pub version: Version,
    /// Calls that were compared.
    pub compared: u64,
    /// Calls that were not compared, because too many waited.
    pub skipped: u64,
    /// Compared calls that differ.
    pub different: u64,
}

impl Deployer {
    /// The state for metrics. It reads no storage.
    pub fn counts(&self) -> Counts {
        let counts = &self.0.counts;
        let made = counts.made.iter().map(|count| count.load(Ordering::Relaxed));
        let serving = self.0.serving();
        let mut trials: Vec<TrialCounts> = Vec::new();
        for (name, canary) in &serving.canaries {
            trials.push(TrialCounts {
                module: name.clone(),
                version: canary.candidate.module.version,
                trial: "canary",
                watch: canary.watch.report(),
            });
        }
        if let Some(probation) = &serving.probation {
            for module in serving.modules.iter().filter(|module| probation.watches(module)) {
                trials.push(TrialCounts {
                    module: module.name.to_string(),
                    version: module.version,
                    trial: "probation",
                    watch: probation.watch.report(),
                });
            }
        }
        let shadows = serving.shadows.iter().map(|(name, shadow)| {
            let [compared, skipped, different] = shadow.run.counts();
            ShadowCounts {
                module: name.clone(),
                version: shadow.candidate.module.version,
                compared,
                skipped,
                different,
            }
        });
        Counts {
            generation: serving.set.generation,
            changes: Action::ALL.into_iter().map(Action::name).zip(made).collect(),
            failed_changes: counts.failed.load(Ordering::Relaxed),
            trials,
            shadows: shadows.collect(),
            draining: serving.draining().len(),
            migrating: self.0.migration().is_some(),
        }
    }

    /// The modules that calls may reach: the live ones, then those on trial and those that stand
    /// by.
    pub fn modules_in_use(&self) -> Vec<Arc<Module>> {
        let serving = self.0.serving();
        let mut modules = serving.modules.clone();
        let on_trial = serving.canaries.values().map(|canary| &canary.candidate.module);
        let shadows = serving.shadows.values().map(|shadow| &shadow.candidate.module);
        let standing_by = serving.probation.iter().flat_map(|probation| &probation.previous);
        for module in on_trial.chain(shadows).chain(standing_by) {
            if !modules.iter().any(|known| Arc::ptr_eq(known, module)) {
                modules.push(Arc::clone(module));
            }
        }
        modules
    }
}
