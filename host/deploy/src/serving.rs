//! The modules that this process serves, and the trials beside them.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use stowage_logic::{Generation, Module, Observer, Version};

use super::api::{ModuleStatus, ProbationStatus};
use super::live_set::{LiveModule, LiveSet};
use super::probation::Probation;
use super::trials::{Canary, Shadow};
use super::wire::methods;

/// Retired modules that are remembered until their last call ends; older ones are forgotten, their
/// calls are not cut off.
const MAX_RETIRED: usize = 64;

/// The generation that serves, and its parts.
#[derive(Default)]
pub(crate) struct Serving {
    pub(crate) set: LiveSet,
    /// The set's modules, in its order.
    pub(crate) modules: Vec<Arc<Module>>,
    pub(crate) probation: Option<Probation>,
    /// By module name.
    pub(crate) shadows: BTreeMap<String, Shadow>,
    /// By module name.
    pub(crate) canaries: BTreeMap<String, Canary>,
    /// Modules that serve no more and may still have calls in flight.
    retired: Vec<Weak<Module>>,
}

impl Serving {
    pub(crate) fn module(&self, name: &str) -> Option<&Arc<Module>> {
        self.modules.iter().find(|m| *m.name == *name)
    }

    /// The module of a row, if it is live or ready to be rolled back to.
    pub(crate) fn loaded(&self, row: &LiveModule) -> Option<Arc<Module>> {
        let previous = self.probation.iter().flat_map(|p| &p.previous);
        let mut loaded = self.modules.iter().chain(previous);
        loaded
            .find(|m| *m.name == *row.name && m.version == row.version)
            .cloned()
    }

    /// The trials that run.
    pub(crate) fn trials(&self) -> usize {
        self.shadows.len() + self.canaries.len()
    }

    /// Whether the live module of this name is on probation.
    pub(crate) fn is_on_probation(&self, name: &str) -> bool {
        let watched = self.module(name).zip(self.probation.as_ref());
        watched.is_some_and(|(module, probation)| probation.watches(module))
    }

    /// The names of the live modules that are on probation.
    pub(crate) fn on_probation(&self) -> Vec<String> {
        let names = self.modules.iter().map(|module| module.name.to_string());
        names.filter(|name| self.is_on_probation(name)).collect()
    }

    /// The route table, with the previous modules, the canaries and the shadows.
    pub(crate) fn generation(&self) -> Generation {
        let mut generation = Generation::new(self.modules.clone()).numbered(self.set.generation);
        if let Some(probation) = &self.probation {
            let previous = Generation::new(probation.standing_by(&self.modules));
            generation = generation.on_probation(&previous, &probation.watch);
        }
        for (name, canary) in &self.canaries {
            if let Some(share) = canary.share(&generation, self.module(name).is_none()) {
                generation = generation.with_canary(&canary.candidate.module, &share, &canary.watch);
            }
        }
        for shadow in self.shadows.values() {
            let observer: Arc<dyn Observer> = shadow.run.clone();
            generation = generation.observed_by(&observer, |function| shadow.run.covers(function));
        }
        generation
    }

    /// Replaces the live set. Trials of modules whose live version changes end.
    pub(crate) fn replace(&mut self, set: LiveSet, modules: Vec<Arc<Module>>, probation: Option<Probation>) {
        let old = std::mem::replace(&mut self.modules, modules);
        self.end_outdated_trials(&old);
        let previous = self.probation.take().map(|p| p.previous).unwrap_or_default();
        for module in old.iter().chain(&previous) {
            self.retire(module);
        }
        self.set = set;
        self.probation = probation;
    }

    /// Ends the trials of names whose live version is no longer the one in `old`.
    fn end_outdated_trials(&mut self, old: &[Arc<Module>]) {
        let new = self.modules.clone();
        let has_changed = |name: &str| {
            let version = |modules: &[Arc<Module>]| modules.iter().find(|m| *m.name == *name).map(|m| m.version);
            version(old) != version(&new)
        };
        let shadows: Vec<_> = self.shadows.extract_if(.., |name, _| has_changed(name)).collect();
        for (name, shadow) in shadows {
            tracing::info!(module = %name, "the shadow ends: the live version has changed");
            self.retire(&shadow.candidate.module);
        }
        let canaries: Vec<_> = self.canaries.extract_if(.., |name, _| has_changed(name)).collect();
        for (name, canary) in canaries {
            tracing::info!(module = %name, "the canary ends: the live version has changed");
            self.retire(&canary.candidate.module);
        }
    }

    /// Remembers a module until its last call has ended.
    pub(crate) fn retire(&mut self, module: &Arc<Module>) {
        self.retired.retain(|m| m.strong_count() > 0);
        if self.retired.len() == MAX_RETIRED {
            self.retired.remove(0);
        }
        let is_known = |m: &Weak<Module>| std::ptr::eq(m.as_ptr(), Arc::as_ptr(module));
        if !self.retired.iter().any(is_known) {
            self.retired.push(Arc::downgrade(module));
        }
    }

    /// Modules that serve no more and have calls in flight.
    pub(crate) fn draining(&self) -> Vec<(String, Version)> {
        let standing_by = self.probation.iter().flat_map(|p| &p.previous);
        let in_use: Vec<*const Module> = self.modules.iter().chain(standing_by).map(Arc::as_ptr).collect();
        self.retired
            .iter()
            .filter_map(Weak::upgrade)
            .filter(|m| !in_use.contains(&Arc::as_ptr(m)))
            .map(|m| (m.name.to_string(), m.version))
            .collect()
    }

    /// The status of every live module.
    pub(crate) fn statuses(&self) -> Vec<ModuleStatus> {
        let table = Generation::new(self.modules.clone());
        let status = |(row, module): (&LiveModule, &Arc<Module>)| ModuleStatus {
            name: row.name.clone(),
            version: format!("{:#}", row.version),
            size: row.size,
            source: row.source.clone(),
            since: row.since_ms,
            by: row.by.clone(),
            methods: methods(&table, &row.name),
            schema: row.schema,
            signed_by: row.signed_by.clone(),
            calls: module.summary(),
            probation: self.probation_status(module),
            shadow: self.shadows.get(&row.name).map(Shadow::short_report),
            canary: self.canaries.get(&row.name).map(Canary::status),
        };
        self.set.modules.iter().zip(&self.modules).map(status).collect()
    }

    fn probation_status(&self, module: &Module) -> Option<ProbationStatus> {
        let probation = self.probation.as_ref().filter(|p| p.watches(module))?;
        Some(ProbationStatus {
            until: probation.until_ms,
            thresholds: probation.thresholds,
            watch: probation.watch.report(),
        })
    }
}
