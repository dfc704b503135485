//! The route table: every loaded module, and which function answers which request.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::route::Route;
use crate::call::observer::Observer;
use crate::call::target::Target;
use crate::codec::FoldedName;
use crate::engine::export::Served;
use crate::engine::function::Function;
use crate::engine::module::Module;
use crate::response_cache::ResponseCache;
use crate::rollout::share::Share;
use crate::rollout::trial::Rollout;
use crate::rollout::watch::Watch;

/// The module of a method that is named without one.
const DEFAULT_MODULE: &str = "storageapi";

/// A set of modules that serve together. If two serve the same, the later one answers.
#[derive(Clone, Default)]
pub struct Generation {
    number: u64,
    modules: Vec<Arc<Module>>,
    /// By folded wire module and method.
    methods: HashMap<String, HashMap<String, Route>>,
    /// Functions that keep the rows of the cloud space, by collection.
    collections: BTreeMap<String, Route>,
    /// Functions that the host calls, by interface and function.
    hooks: BTreeMap<(String, String), Route>,
    /// The cached responses of its calls. There are none until it serves.
    responses: ResponseCache,
}

impl Generation {
    /// The table of these modules, later ones over earlier ones.
    pub fn new(modules: Vec<Arc<Module>>) -> Generation {
        let mut generation = Generation::default();
        for module in &modules {
            for export in &module.exports {
                let route = Route::from(Function::new(module, export));
                match export.served() {
                    Some(Served::Method { module, method }) => {
                        generation.methods.entry(module).or_default().insert(method, route);
                    }
                    Some(Served::Collection(collection)) => {
                        generation.collections.insert(collection, route);
                    }
                    Some(Served::Hook { interface, function }) => {
                        generation.hooks.insert((interface, function), route);
                    }
                    None => {}
                }
            }
        }
        generation.modules = modules;
        generation
    }

    /// Gives the table its number.
    #[must_use]
    pub fn numbered(mut self, number: u64) -> Generation {
        self.number = number;
        self
    }

    /// The number of the table; 0 if it got none.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Lets the functions of `previous` stand by for those that another version serves now.
    #[must_use]
    pub fn on_probation(mut self, previous: &Generation, watch: &Arc<Watch>) -> Generation {
        for route in self.routes_mut() {
            let before = previous.version_of(route.function());
            if before.is_none_or(|before| before.module().version != route.module().version) {
                route.rollout = Some(Rollout::Probation {
                    previous: before.map(|before| Target::new(before.function().clone())),
                    watch: Arc::clone(watch),
                });
            }
        }
        self
    }

    /// Gives the candidate a share of the calls of the functions that both it and this table have.
    #[must_use]
    pub fn with_canary(mut self, candidate: &Arc<Module>, share: &Share, watch: &Arc<Watch>) -> Generation {
        let share = Arc::new(share.clone());
        for route in self.routes_mut() {
            if share.includes(&route.export().function)
                && let Some(function) = route.function().version_in(candidate)
            {
                route.rollout = Some(Rollout::Canary {
                    candidate: Target::new(function),
                    share: Arc::clone(&share),
                    watch: Arc::clone(watch),
                });
            }
        }
        self
    }

    /// Adds an observer of the calls of the functions that `which` is true for.
    #[must_use]
    pub fn observed_by(mut self, observer: &Arc<dyn Observer>, which: impl Fn(&Function) -> bool) -> Generation {
        for route in self.routes_mut() {
            if which(route.function()) {
                route.live.observers.push(Arc::clone(observer));
            }
        }
        self
    }

    /// Adds an observer of all calls, whichever version answers them: the live one, the one on
    /// trial or the one that stands by.
    #[must_use]
    pub fn observed_on_every_version(mut self, observer: &Arc<dyn Observer>) -> Generation {
        for target in self.routes_mut().flat_map(Route::targets_mut) {
            target.observers.push(Arc::clone(observer));
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

    /// The route of a wire module and method, however they are written. Without a module, it is the
    /// storage API's method, or else the method of the only module that has it.
    pub fn method(&self, module: Option<&str>, method: &str) -> Option<&Route> {
        let method = FoldedName::new(method);
        let method = method.as_str();
        match module {
            Some(module) => self.methods.get(FoldedName::new(module).as_str())?.get(method),
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

    /// The function that keeps the rows of a collection.
    pub fn collection(&self, collection: &str) -> Option<&Route> {
        self.collections.get(collection)
    }

    /// A function that the host itself calls.
    pub fn hook(&self, interface: &str, function: &str) -> Option<&Route> {
        self.hooks.get(&(interface.to_owned(), function.to_owned()))
    }

    /// The route of this table that serves what `function` serves.
    pub fn version_of(&self, function: &Function) -> Option<&Route> {
        match function.export().served()? {
            Served::Method { module, method } => self.methods.get(&module)?.get(&method),
            Served::Collection(collection) => self.collections.get(&collection),
            Served::Hook { interface, function } => self.hooks.get(&(interface, function)),
        }
    }

    /// The cached responses.
    pub(crate) fn responses(&self) -> &ResponseCache {
        &self.responses
    }

    /// Lets calls begin in this era, and caches their responses in this much memory.
    pub(crate) fn serving(mut self, era: u64, response_cache_bytes: usize) -> Generation {
        self.responses = ResponseCache::new(response_cache_bytes);
        for target in self.routes_mut().flat_map(Route::targets_mut) {
            target.era = era;
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
