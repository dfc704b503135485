//! The functions that a module exports.

use std::collections::BTreeMap;

use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex};

use super::documentation::Documentation;
use super::documented_numbers::DocumentedNumber;
use super::error::LoadError;
use crate::codec::{Decoder, Shape, UnsupportedType, camel_case, fold_name};
use crate::scheduler::average_run_time::AverageRunTime;

/// The package of the host's own interfaces. Modules import them, and export hooks of them.
pub(crate) const HOST_PACKAGE: &str = "stowage:host";
/// The package of the cloud space's rows, with one interface for each collection.
pub(crate) const SPACE_PACKAGE: &str = "stowage:space";
/// Interfaces of the host's package that describe the module itself.
const LIFECYCLE_INTERFACES: [&str; 2] = ["self-test", "schema"];

/// The name of an interface, without its version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InterfaceName {
    /// `stowage:storage-api`.
    pub package: String,
    /// `im-favorites`.
    pub interface: String,
}

impl InterfaceName {
    /// Splits `stowage:storage-api/im-favorites@1.0.0`.
    pub(crate) fn parse(name: &str) -> Option<InterfaceName> {
        let (package, rest) = name.split_once('/')?;
        let interface = rest.split_once('@').map_or(rest, |(i, _)| i);
        Some(InterfaceName {
            package: package.to_owned(),
            interface: interface.to_owned(),
        })
    }

    /// The package without its namespace. This is the module's name on the wire.
    pub fn wire_module(&self) -> &str {
        self.package.split_once(':').map_or(&self.package, |(_, p)| p)
    }
}

/// What a function serves. Two functions that serve the same are versions of each other.
#[derive(PartialEq)]
pub(crate) enum Served {
    /// A method of the API, by folded wire module and folded name.
    Method { module: String, method: String },
    /// The rows of a collection.
    Collection(String),
    /// A function that the host itself calls.
    Hook { interface: String, function: String },
}

/// An exported function.
#[derive(Debug)]
pub struct Export {
    /// Its interface.
    pub interface: InterfaceName,
    /// Its name in WIT.
    pub function: String,
    /// Its parameters: wire name and decoder.
    pub params: Vec<(String, Decoder)>,
    /// The type of its result, if it has one.
    pub result: Option<Shape>,
    /// Its place among the module's exports.
    pub(crate) ordinal: usize,
    /// The processor time that its runs usually take.
    pub(crate) average: AverageRunTime,
    pub(crate) index: ComponentExportIndex,
}

impl Export {
    /// Interface and function, as `im-favorites#get-im-favorite-list`.
    pub fn path(&self) -> String {
        format!("{}#{}", self.interface.interface, self.function)
    }

    /// What the function serves. Functions that describe the module itself serve nothing: the host
    /// calls them in each module.
    pub(crate) fn served(&self) -> Option<Served> {
        let interface = &self.interface.interface;
        match self.interface.package.as_str() {
            HOST_PACKAGE => (!LIFECYCLE_INTERFACES.contains(&interface.as_str())).then(|| Served::Hook {
                interface: interface.clone(),
                function: self.function.clone(),
            }),
            SPACE_PACKAGE => (self.function == "apply").then(|| Served::Collection(interface.clone())),
            _ => Some(Served::Method {
                module: fold_name(self.interface.wire_module()),
                method: fold_name(&self.function),
            }),
        }
    }
}

/// The names of these functions in metrics and traces: methods as clients call them, others with
/// their interface. Each is different.
pub(crate) fn method_names(exports: &[Export]) -> Vec<String> {
    let mut taken = std::collections::HashSet::new();
    let name = |export: &Export| {
        let short = match export.interface.package.as_str() {
            HOST_PACKAGE | SPACE_PACKAGE => export.path(),
            _ => camel_case(&export.function),
        };
        match taken.insert(short.clone()) {
            true => short,
            // Two packages of one module may have a method of the same name.
            false => format!("{}/{short}", export.interface.wire_module()),
        }
    };
    exports.iter().map(name).collect()
}

/// The exported functions of a component, which carries this WIT text.
///
/// # Errors
/// When a function cannot be served, or two functions have one name on the wire.
pub(crate) fn exports(name: &str, engine: &Engine, component: &Component, wit: &str) -> Result<Vec<Export>, LoadError> {
    let documentation = Documentation::read(wit);
    let mut exports = Vec::new();
    let mut folded: BTreeMap<(String, String), String> = BTreeMap::new();
    let ty = component.component_type();
    for (instance, item) in ty.exports(engine) {
        let ComponentItem::ComponentInstance(instance_ty) = item.ty else {
            continue;
        };
        let Some(interface) = InterfaceName::parse(instance) else {
            continue;
        };
        let Some(parent) = component.get_export_index(None, instance) else {
            continue;
        };
        for (function, item) in instance_ty.exports(engine) {
            let ComponentItem::ComponentFunc(func) = item.ty else {
                continue;
            };
            let Some(index) = component.get_export_index(Some(&parent), function) else {
                continue;
            };
            let path = format!("{instance}#{function}");
            if interface.package != SPACE_PACKAGE {
                let key = (interface.package.clone(), fold_name(function));
                if let Some(first) = folded.insert(key, path.clone()) {
                    return Err(LoadError::AmbiguousName {
                        name: name.to_owned(),
                        first,
                        second: path,
                    });
                }
            }
            let documented = documentation.function(&interface, function);
            let expected = |parameter: &str| {
                let number = DocumentedNumber::find(documented?.comment(), parameter)?;
                Some(number.to_string())
            };
            let (params, result) = shapes(&func, expected).map_err(|source| LoadError::Type {
                name: name.to_owned(),
                function: path,
                source,
            })?;
            exports.push(Export {
                interface: interface.clone(),
                function: function.to_owned(),
                params,
                result,
                ordinal: exports.len(),
                average: AverageRunTime::default(),
                index,
            });
        }
    }
    Ok(exports)
}

type Params = Vec<(String, Decoder)>;

fn shapes(
    func: &ComponentFunc,
    expected: impl Fn(&str) -> Option<String>,
) -> Result<(Params, Option<Shape>), UnsupportedType> {
    if func.async_() {
        return Err(UnsupportedType("an async function"));
    }
    let params = func
        .params()
        .map(|(name, ty)| {
            let decoder = Decoder::documented(Shape::new(&ty)?, expected(name));
            Ok((camel_case(name), decoder))
        })
        .collect::<Result<_, _>>()?;
    let result = func.results().next().map(|ty| Shape::new(&ty)).transpose()?;
    Ok((params, result))
}
