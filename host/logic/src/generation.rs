//! The route table: every loaded module and which of its functions answers what.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::codec::{Folded, fold_name};
use crate::module::{Export, HOST_PACKAGE, Module, SPACE_PACKAGE};

/// A function of a module.
#[derive(Clone)]
pub struct Route {
    /// The module.
    pub module: Arc<Module>,
    ordinal: usize,
}

impl Route {
    /// The function.
    pub fn export(&self) -> &Export {
        &self.module.exports[self.ordinal]
    }
}

/// The module that a method without one belongs to.
const DEFAULT_MODULE: &str = "storageapi";

/// A set of modules that serve together. Where two serve one function, the later one does.
#[derive(Default)]
pub struct Generation {
    modules: Vec<Arc<Module>>,
    /// By folded wire module and method.
    methods: HashMap<String, HashMap<String, Route>>,
    /// Functions called `apply` of the interfaces of the cloud space, by collection.
    collections: BTreeMap<String, Route>,
    /// Functions of `stowage:host`, by interface and function.
    hooks: BTreeMap<(String, String), Route>,
}

impl Generation {
    /// The table of these modules, later ones over earlier ones.
    pub fn new(modules: Vec<Arc<Module>>) -> Generation {
        let mut generation = Generation::default();
        for module in &modules {
            for export in &module.exports {
                let route = Route {
                    module: Arc::clone(module),
                    ordinal: export.ordinal,
                };
                match export.interface.package.as_str() {
                    HOST_PACKAGE => {
                        let key = (export.interface.interface.clone(), export.function.clone());
                        generation.hooks.insert(key, route);
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

    /// The modules in the order they were loaded.
    pub fn modules(&self) -> &[Arc<Module>] {
        &self.modules
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

    /// The function that takes over the rows of a collection.
    pub fn collection(&self, collection: &str) -> Option<&Route> {
        self.collections.get(collection)
    }

    /// A function that the host itself calls.
    pub fn hook(&self, interface: &str, function: &str) -> Option<&Route> {
        self.hooks.get(&(interface.to_owned(), function.to_owned()))
    }
}
