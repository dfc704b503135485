//! The route table: every loaded module and which of its functions answers what.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use crate::call::observer::Observer;
use crate::codec::{Folded, fold_name};
use crate::engine::module::{Export, HOST_PACKAGE, Module, SPACE_PACKAGE};
use crate::response_cache::Answers;
use crate::rollout::watch::{Beside, Share, Watch};

/// A function of a module.
#[derive(Clone)]
pub struct Route {
    /// The module.
    pub module: Arc<Module>,
    ordinal: usize,
    /// The era (see `hold.rs`) in which the route may begin calls.
    pub(crate) era: u64,
    /// Who else may answer.
    pub(crate) beside: Option<Beside>,
    /// Who looks on.
    pub(crate) observers: Vec<Arc<dyn Observer>>,
}

impl Route {
    fn new(module: &Arc<Module>, export: &Export) -> Route {
        Route {
            module: Arc::clone(module),
            ordinal: export.ordinal,
            era: 0,
            beside: None,
            observers: Vec::new(),
        }
    }

    /// The function.
    pub fn export(&self) -> &Export {
        &self.module.exports[self.ordinal]
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}#{} of {} {}",
            self.export().interface.interface,
            self.export().function,
            self.module.name,
            self.module.version
        )
    }
}

/// The module that a method without one belongs to.
const DEFAULT_MODULE: &str = "storageapi";

/// A set of modules that serve together. Where two serve one function, the later one does.
#[derive(Clone, Default)]
pub struct Generation {
    modules: Vec<Arc<Module>>,
    /// By folded wire module and method.
    methods: HashMap<String, HashMap<String, Route>>,
    /// Functions called `apply` of the interfaces of the cloud space, by collection.
    collections: BTreeMap<String, Route>,
    /// Functions of `stowage:host`, by interface and function.
    hooks: BTreeMap<(String, String), Route>,
    /// What it has answered, once it serves.
    answers: Answers,
}

impl Generation {
    /// The table of these modules, later ones over earlier ones.
    pub fn new(modules: Vec<Arc<Module>>) -> Generation {
        let mut generation = Generation::default();
        for module in &modules {
            for export in &module.exports {
                let route = Route::new(module, export);
                match export.interface.package.as_str() {
                    HOST_PACKAGE => {
                        // What a module exports about itself is asked of each module, not of the table.
                        if !Module::LIFECYCLE.contains(&export.interface.interface.as_str()) {
                            let key = (export.interface.interface.clone(), export.function.clone());
                            generation.hooks.insert(key, route);
                        }
                    }
                    SPACE_PACKAGE => {
                        if export.function == "apply" {
                            generation.collections.insert(export.interface.interface.clone(), route);
                        }
                    }
                    _ => {
                        generation
                            .methods
                            .entry(fold_name(export.interface.wire_module()))
                            .or_default()
                            .insert(fold_name(&export.function), route);
                    }
                }
            }
        }
        generation.modules = modules;
        generation
    }

    /// Lets the functions of `previous` stand by for those that are served by another version now.
    #[must_use]
    pub fn on_probation(mut self, previous: &Generation, watch: &Arc<Watch>) -> Generation {
        for route in self.routes_mut() {
            let before = previous.same(route);
            if before.is_some_and(|before| before.module.version == route.module.version) {
                continue;
            }
            route.beside = Some(Beside::Probation {
                previous: before.map(|before| Box::new(before.alone())),
                watch: Arc::clone(watch),
            });
        }
        self
    }

    /// Gives a share of the calls of the functions that `candidate` has, and this table too, to the candidate.
    #[must_use]
    pub fn with_canary(mut self, candidate: &Arc<Module>, share: &Share, watch: &Arc<Watch>) -> Generation {
        let table = Generation::new(vec![Arc::clone(candidate)]);
        let share = Arc::new(share.clone());
        for route in self.routes_mut() {
            let Some(candidate) = table.same(route).filter(|_| share.includes(&route.export().function)) else {
                continue;
            };
            route.beside = Some(Beside::Canary {
                candidate: Box::new(candidate.clone()),
                share: Arc::clone(&share),
                watch: Arc::clone(watch),
            });
        }
        self
    }

    /// Lets somebody look on at the calls of the routes that `which` is true for.
    #[must_use]
    pub fn observed_by(mut self, observer: &Arc<dyn Observer>, which: impl Fn(&Route) -> bool) -> Generation {
        for route in self.routes_mut() {
            if which(route) {
                route.observers.push(Arc::clone(observer));
            }
        }
        self
    }

    /// Lets somebody look on at all calls, whichever version answers them: those on trial and those that stand by included.
    #[must_use]
    pub fn observed_on_every_version(mut self, observer: &Arc<dyn Observer>) -> Generation {
        for route in self.routes_mut() {
            route.observers.push(Arc::clone(observer));
            match &mut route.beside {
                Some(
                    Beside::Canary { candidate: other, .. }
                    | Beside::Probation {
                        previous: Some(other), ..
                    },
                ) => other.observers.push(Arc::clone(observer)),
                Some(Beside::Probation { previous: None, .. }) | None => {}
            }
        }
        self
    }

    /// The modules in the order they were loaded.
    pub fn modules(&self) -> &[Arc<Module>] {
        &self.modules
    }

    /// The module of this name.
    pub fn module(&self, name: &str) -> Option<&Arc<Module>> {
        self.modules.iter().find(|module| &*module.name == name)
    }

    /// The function behind a wire module and method, however they are written. Without a module the storage API is meant, or
    /// else the only module that has the method.
    pub fn method(&self, module: Option<&str>, method: &str) -> Option<&Route> {
        let method = Folded::new(method);
        let method = method.as_str();
        match module {
            Some(module) => self.methods.get(Folded::new(module).as_str())?.get(method),
            None => self
                .methods
                .get(DEFAULT_MODULE)
                .and_then(|m| m.get(method))
                .or_else(|| {
                    let mut found = self.methods.values().filter_map(|m| m.get(method));
                    found.next().filter(|_| found.next().is_none())
                }),
        }
    }

    /// Every served method.
    pub fn methods(&self) -> impl Iterator<Item = &Route> {
        self.methods.values().flat_map(HashMap::values)
    }

    /// Every route: methods, collections and hooks.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.methods()
            .chain(self.collections.values())
            .chain(self.hooks.values())
    }

    /// The function that takes over the rows of a collection.
    pub fn collection(&self, collection: &str) -> Option<&Route> {
        self.collections.get(collection)
    }

    /// A function that the host itself calls.
    pub fn hook(&self, interface: &str, function: &str) -> Option<&Route> {
        self.hooks.get(&(interface.to_owned(), function.to_owned()))
    }

    /// The route of this table that answers what `route` answers.
    pub fn same(&self, route: &Route) -> Option<&Route> {
        let export = route.export();
        match export.interface.package.as_str() {
            HOST_PACKAGE => self.hook(&export.interface.interface, &export.function),
            SPACE_PACKAGE => self.collection(&export.interface.interface),
            _ => self.method(Some(export.interface.wire_module()), &export.function),
        }
    }

    /// Answers that still stand.
    pub(crate) fn answers(&self) -> &Answers {
        &self.answers
    }

    /// Lets the routes begin calls in this era, and keeps answers of them in this much memory.
    pub(crate) fn serving(mut self, era: u64, response_cache_bytes: usize) -> Generation {
        self.answers = Answers::new(response_cache_bytes);
        for route in self.routes_mut() {
            route.era = era;
            match &mut route.beside {
                Some(Beside::Canary { candidate, .. }) => candidate.era = era,
                Some(Beside::Probation {
                    previous: Some(previous),
                    ..
                }) => previous.era = era,
                _ => {}
            }
        }
        self
    }

    fn routes_mut(&mut self) -> impl Iterator<Item = &mut Route> {
        self.methods
            .values_mut()
            .flat_map(HashMap::values_mut)
            .chain(self.collections.values_mut())
            .chain(self.hooks.values_mut())
    }
}

impl Route {
    /// A function of a module that is in no table, to be run by itself.
    pub fn of(module: &Arc<Module>, interface: &str, function: &str) -> Option<Route> {
        module
            .exports
            .iter()
            .find(|e| e.interface.interface == interface && e.function == function)
            .map(|export| Route::new(module, export))
    }

    /// The function without those who look on or stand by.
    pub(crate) fn alone(&self) -> Route {
        Route {
            beside: None,
            observers: Vec::new(),
            ..self.clone()
        }
    }
}
