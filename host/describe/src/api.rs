//! The methods of a generation, with their types and comments.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use stowage_logic::{Documentation, Generation, Module};

use crate::comment::{prose_as_written, prose_of};
use crate::json::Json;
use crate::method::Method;
use crate::schema::{MAX_PARTS, Schemas};

/// What a generation serves.
pub(crate) struct Api {
    /// In the order of their paths; those of the storage API first.
    pub(crate) methods: Vec<Method>,
    /// Interfaces in their wire form, with their comments, in the order of the methods.
    pub(crate) tags: Vec<(String, String)>,
    /// The schemas of named types.
    pub(crate) schemas: BTreeMap<String, Json>,
    /// The comments of the packages, as sections of a text.
    pub(crate) introduction: String,
}

impl Api {
    /// Describes what a generation serves. `schemas` are there already.
    pub(crate) fn of(generation: &Generation, schemas: &[(String, Json)]) -> Api {
        let mut known = Schemas::default();
        for (name, schema) in schemas {
            known.add(name, &[], schema.clone());
        }
        let mut routes: Vec<_> = generation.methods().collect();
        // The table has no order. The description of the same modules is always the same.
        routes.sort_by_key(|route| {
            let export = route.export();
            let is_other = export.interface.package != STORAGE_API;
            (is_other, export.interface.clone(), export.function.clone())
        });
        let mut methods = Vec::new();
        let mut modules: HashMap<*const Module, (Documentation, usize)> = HashMap::new();
        let mut tags: Vec<(String, String)> = Vec::new();
        let mut packages: Vec<(String, String)> = Vec::new();
        for route in routes {
            let module = route.module();
            let (documentation, parts_left) = modules
                .entry(Arc::as_ptr(module))
                .or_insert_with(|| (Documentation::read(&module.wit), MAX_PARTS));
            known.parts_left = *parts_left;
            let method = Method::new(route, documentation, &mut known);
            *parts_left = known.parts_left;
            let Some(method) = method else {
                continue;
            };
            let about = match documentation.interface(&method.interface) {
                "" => format!(
                    "The interface `{}` of `{}`.",
                    method.interface.interface, method.interface.package
                ),
                comment => prose_of(comment),
            };
            add(&mut tags, &method.tag, &about);
            add(
                &mut packages,
                &method.interface.package,
                &prose_as_written(documentation.package(&method.interface.package)),
            );
            methods.push(method);
        }
        unique(&mut methods);
        let introduction = packages
            .iter()
            .filter(|(_, comment)| !comment.is_empty())
            .map(|(package, comment)| format!("\n\n## {package}\n\n{comment}"))
            .collect();
        Api {
            methods,
            tags,
            schemas: known.into_named(),
            introduction,
        }
    }
}

/// The package whose methods come first.
const STORAGE_API: &str = "stowage:storage-api";

/// Adds a name and its comment. Two interfaces with one name have the comments of both.
fn add(texts: &mut Vec<(String, String)>, name: &str, comment: &str) {
    match texts.iter_mut().find(|(found, _)| found == name) {
        None => texts.push((name.to_owned(), comment.to_owned())),
        Some((_, before)) if before.contains(comment) => {}
        Some((_, before)) => {
            if !before.is_empty() {
                before.push_str("\n\n");
            }
            before.push_str(comment);
        }
    }
}

/// Gives each method an operation of its own: names of other characters may become alike.
fn unique(methods: &mut [Method]) {
    let mut seen = BTreeSet::new();
    for method in methods {
        let plain = method.operation.clone();
        let mut number = 2;
        while !seen.insert(method.operation.clone()) {
            method.operation = format!("{plain}_{number}");
            number += 1;
        }
    }
}
