//! What this process serves, and what runs beside it.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stowage_logic::codec::camel_case;
use stowage_logic::{Generation, Module, Observer, Route, Thresholds, Version, Watch};

use super::api::{ModuleStatus, ProbationStatus};
use super::live::LiveSet;
use super::trials::{Canary, Shadow};

/// The package of the host's interfaces, whose functions clients cannot call.
const HOST_PACKAGE: &str = "stowage:host";
/// The package of the space's rows, likewise.
const SPACE_PACKAGE: &str = "stowage:space";
/// Versions whose last calls are waited for; older ones are forgotten, not ended.
const MOST_RETIRED: usize = 64;

/// Milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_millis() as u64)
}

/// The generation that serves, as it was put together.
#[derive(Default)]
pub(super) struct Now {
    pub(super) set: LiveSet,
    /// The set's modules, in its order.
    pub(super) modules: Vec<Arc<Module>>,
    pub(super) probation: Option<Probation>,
    /// By the name of the live module they run beside.
    pub(super) shadows: BTreeMap<String, Shadow>,
    pub(super) canaries: BTreeMap<String, Canary>,
    /// Modules that serve no more and may still have calls in flight.
    retired: Vec<Weak<Module>>,
}

/// The new modules of the generation are watched.
#[derive(Clone)]
pub(super) struct Probation {
    /// The modules of the generation before.
    pub(super) previous: Vec<Arc<Module>>,
    pub(super) watch: Arc<Watch>,
    pub(super) thresholds: Thresholds,
    /// Milliseconds since 1970.
    pub(super) until_ms: u64,
    /// The generation before.
    pub(super) back_to: u64,
    /// The data is no longer the previous modules'.
    pub(super) migrated: bool,
}

impl Probation {
    /// The modules that may answer in place of `modules`.
    fn standing_by(&self, modules: &[Arc<Module>]) -> Vec<Arc<Module>> {
        let unchanged = |m: &&Arc<Module>| modules.iter().any(|n| n.name == m.name && n.version == m.version);
        self.previous
            .iter()
            .filter(|m| !self.migrated || unchanged(m))
            .cloned()
            .collect()
    }

    /// How long it still lasts.
    pub(super) fn left(&self) -> Duration {
        Duration::from_millis(self.until_ms.saturating_sub(now_ms()))
    }

    /// Whether the module is one of those that are watched.
    pub(super) fn is_of(&self, module: &Module) -> bool {
        let same = |m: &&Arc<Module>| m.name == module.name && m.version == module.version;
        !self.previous.iter().any(|m| same(&m))
    }
}

impl Now {
    pub(super) fn module(&self, name: &str) -> Option<&Arc<Module>> {
        self.modules.iter().find(|m| *m.name == *name)
    }

    /// The route table with everybody who stands by and looks on.
    pub(super) fn generation(&self) -> Generation {
        let mut generation = Generation::new(self.modules.clone());
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

    /// Puts another set in place, and ends what ran beside modules that are not in it.
    pub(super) fn replace(&mut self, set: LiveSet, modules: Vec<Arc<Module>>, probation: Option<Probation>) {
        let stays = |name: &str, old: &[Arc<Module>]| {
            let version = |modules: &[Arc<Module>]| modules.iter().find(|m| *m.name == *name).map(|m| m.version);
            version(old) == version(&modules)
        };
        let old = std::mem::take(&mut self.modules);
        let shadows = std::mem::take(&mut self.shadows);
        let canaries = std::mem::take(&mut self.canaries);
        for (name, shadow) in shadows {
            if stays(&name, &old) {
                self.shadows.insert(name, shadow);
            } else {
                tracing::info!(module = %name, "its shadow ends");
                self.retire(&shadow.candidate.module);
            }
        }
        for (name, canary) in canaries {
            if stays(&name, &old) {
                self.canaries.insert(name, canary);
            } else {
                tracing::info!(module = %name, "its canary ends");
                self.retire(&canary.candidate.module);
            }
        }
        let before = self.probation.take().map(|p| p.previous).unwrap_or_default();
        for module in old.iter().chain(&before) {
            self.retire(module);
        }
        self.set = set;
        self.modules = modules;
        self.probation = probation;
    }

    /// Remembers a module until its last call has ended.
    pub(super) fn retire(&mut self, module: &Arc<Module>) {
        self.retired.retain(|m| m.strong_count() > 0);
        if self.retired.len() == MOST_RETIRED {
            self.retired.remove(0);
        }
        if !self
            .retired
            .iter()
            .any(|m| std::ptr::eq(m.as_ptr(), Arc::as_ptr(module)))
        {
            self.retired.push(Arc::downgrade(module));
        }
    }

    /// Modules that serve no more, whose last calls have not ended.
    pub(super) fn draining(&self) -> Vec<(String, Version)> {
        let standing_by = self.probation.iter().flat_map(|p| &p.previous);
        let in_use: Vec<*const Module> = self.modules.iter().chain(standing_by).map(Arc::as_ptr).collect();
        self.retired
            .iter()
            .filter_map(Weak::upgrade)
            .filter(|m| !in_use.contains(&Arc::as_ptr(m)))
            .map(|m| (m.name.to_string(), m.version))
            .collect()
    }

    /// What is told of every live module.
    pub(super) fn statuses(&self) -> Vec<ModuleStatus> {
        let table = Generation::new(self.modules.clone());
        let with_rows = self.set.modules.iter().zip(&self.modules);
        with_rows
            .map(|(row, module)| ModuleStatus {
                name: row.name.clone(),
                version: format!("{:#}", row.version),
                size: row.size,
                source: row.source.clone(),
                since: row.since_ms,
                by: row.by.clone(),
                methods: methods(&table, &row.name),
                schema: row.schema,
                calls: module.summary(),
                probation: self
                    .probation
                    .as_ref()
                    .filter(|p| p.is_of(module))
                    .map(|p| ProbationStatus {
                        until: p.until_ms,
                        thresholds: p.thresholds,
                        watch: p.watch.report(),
                    }),
                shadow: self.shadows.get(&row.name).map(Shadow::report),
                canary: self.canaries.get(&row.name).map(Canary::status),
            })
            .collect()
    }
}

/// The methods that a module serves, as they are called on the wire, in order.
pub(super) fn methods(table: &Generation, name: &str) -> Vec<String> {
    let mut methods: Vec<String> = table
        .methods()
        .filter(|route| *route.module().name == *name)
        .map(wire_name)
        .collect();
    methods.sort();
    methods
}

/// A function as it is called on the wire.
pub(super) fn wire_name(route: &Route) -> String {
    camel_case(&route.export().function)
}

/// Whether clients can call it.
pub(super) fn is_method(route: &Route) -> bool {
    let package = &*route.export().interface.package;
    package != HOST_PACKAGE && package != SPACE_PACKAGE
}
