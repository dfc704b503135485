//! A loaded module: its version, its exports with their codecs, its idle instances.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};

use crate::codec::{Decoder, Shape, UnsupportedType, camel_case, fold_name};
use crate::engine::instance::{Pool, State};
use crate::engine::limits::{FAILURES_A_SECOND, Held, PRINTED_BYTES_A_SECOND};
use crate::engine::rate_limit::{Allowance, Verdict};
use crate::engine::stats::{Stats, Summary};
use crate::engine::version::Version;
use crate::engine::wasi;
use crate::scheduler::fair_turns::{Turns, Usual};

/// The package of the host's own interfaces, which modules import and whose hooks they export.
pub(crate) const HOST_PACKAGE: &str = "stowage:host";
/// The package of the cloud space's rows: an interface a collection.
pub(crate) const SPACE_PACKAGE: &str = "stowage:space";
/// The custom section that holds the WIT text of a module's exports.
const WIT_SECTION: &str = "stowage:wit";

/// Why a module is not taken.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The bytes are no component, or one that does not compile.
    #[error("{name}: not a component this host can compile: {reason}")]
    Compile {
        /// The module.
        name: String,
        /// What the compiler said.
        reason: String,
    },
    /// The module imports what no module may.
    #[error(
        "{name}: imports {import}; a module may import stowage:host/*, wasi:cli, wasi:clocks, wasi:io and wasi:random only"
    )]
    Import {
        /// The module.
        name: String,
        /// The import.
        import: String,
    },
    /// An import has another type than the host's.
    #[error("{name}: does not link: {reason}")]
    Link {
        /// The module.
        name: String,
        /// What does not fit.
        reason: String,
    },
    /// An exported function has a type without a JSON form.
    #[error("{name}: {function}: {source}")]
    Type {
        /// The module.
        name: String,
        /// The function.
        function: String,
        /// The type.
        source: UnsupportedType,
    },
    /// Two functions differ only in case or punctuation.
    #[error("{name}: {first} and {second} are one method name on the wire")]
    AmbiguousName {
        /// The module.
        name: String,
        /// One function.
        first: String,
        /// The other.
        second: String,
    },
    /// The module exports no function.
    #[error("{name}: exports no interface with functions")]
    NoExports {
        /// The module.
        name: String,
    },
}

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

    /// The package without its namespace: the module's name on the wire.
    pub fn wire_module(&self) -> &str {
        self.package.split_once(':').map_or(&self.package, |(_, p)| p)
    }
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
    /// What it gives back, if anything.
    pub result: Option<Shape>,
    pub(crate) ordinal: usize,
    /// What its runs take.
    pub(crate) usual: Usual,
    pub(crate) index: ComponentExportIndex,
}

impl Export {
    /// Interface and function, as `im-favorites#get-im-favorite-list`.
    pub fn path(&self) -> String {
        format!("{}#{}", self.interface.interface, self.function)
    }
}

/// A loaded module.
pub struct Module {
    /// What people call it.
    pub name: Arc<str>,
    /// Its bytes' identity.
    pub version: Version,
    /// Its exported functions.
    pub exports: Vec<Export>,
    /// The WIT text it carries, with the documentation of its exports; empty if it carries none.
    pub wit: String,
    pub(crate) pre: InstancePre<State>,
    pub(crate) pool: Pool,
    pub(crate) stats: Stats,
    /// Turns of its functions that need much of the processor.
    pub(crate) turns: Turns,
    /// What its instances print, in bytes.
    pub(crate) printed: Arc<Allowance>,
    /// Lines about its calls that fail.
    failures: Allowance,
    /// The memory of all its instances.
    pub(crate) held: Arc<Held>,
}

impl Module {
    /// Interfaces of `stowage:host` in which a module speaks about itself.
    pub(crate) const LIFECYCLE: [&str; 2] = ["self-test", "schema"];

    /// What the version has done since it was loaded.
    pub fn summary(&self) -> Summary {
        self.stats.summary()
    }

    /// Takes a compiled component for a module, if it imports and exports only what a module may.
    ///
    /// # Errors
    /// Says by name what the module may not import or what of its exports cannot be served.
    pub(crate) fn new(
        name: &str,
        bytes: &[u8],
        component: &Component,
        linker: &Linker<State>,
    ) -> Result<Module, LoadError> {
        let engine = component.engine();
        let ty = component.component_type();
        for (import, item) in ty.imports(engine) {
            let package = import.split('/').next().unwrap_or(import);
            let known = package == HOST_PACKAGE || wasi::ALLOWED_PACKAGES.contains(&package);
            if !known && !only_types(engine, &item.ty) {
                return Err(LoadError::Import {
                    name: name.to_owned(),
                    import: import.to_owned(),
                });
            }
        }
        let pre = linker.instantiate_pre(component).map_err(|e| LoadError::Link {
            name: name.to_owned(),
            reason: format!("{e:#}"),
        })?;
        let exports = exports(name, engine, component)?;
        if exports.is_empty() {
            return Err(LoadError::NoExports { name: name.to_owned() });
        }
        Ok(Module {
            name: Arc::from(name),
            version: Version::of(bytes),
            exports,
            wit: wit_text(bytes),
            pre,
            pool: Pool::default(),
            stats: Stats::default(),
            turns: Turns::default(),
            printed: Arc::new(Allowance::new(PRINTED_BYTES_A_SECOND)),
            failures: Allowance::new(FAILURES_A_SECOND),
            held: Arc::default(),
        })
    }

    /// Has a call that failed logged, unless too many do: those are counted, and told in one line.
    pub(crate) fn log_failure(&self, log: impl FnOnce()) {
        match self.failures.ask(1, Instant::now()) {
            Verdict::Granted { left_out } => {
                self.tell_left_out(left_out);
                log();
            }
            Verdict::FirstLeftOut => {
                log();
                tracing::warn!(module = %self.name, version = %self.version, "more of its calls fail than are logged each, the next are counted");
            }
            Verdict::LeftOut => {}
        }
    }

    fn tell_left_out(&self, left_out: u64) {
        if left_out > 0 {
            tracing::warn!(module = %self.name, version = %self.version, left_out, "failed calls were left out of the log");
        }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        self.tell_left_out(self.failures.left_out());
    }
}

/// Whether an import gives a module nothing but names of types, as the types that its exports use do.
fn only_types(engine: &Engine, item: &ComponentItem) -> bool {
    match item {
        ComponentItem::ComponentInstance(instance) => instance
            .exports(engine)
            .all(|(_, e)| matches!(e.ty, ComponentItem::Type(_))),
        _ => false,
    }
}

fn exports(name: &str, engine: &Engine, component: &Component) -> Result<Vec<Export>, LoadError> {
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
            let typed = Signature::new(&func).map_err(|source| LoadError::Type {
                name: name.to_owned(),
                function: path,
                source,
            })?;
            exports.push(Export {
                interface: interface.clone(),
                function: function.to_owned(),
                params: typed.params,
                result: typed.result,
                ordinal: exports.len(),
                usual: Usual::default(),
                index,
            });
        }
    }
    Ok(exports)
}

struct Signature {
    params: Vec<(String, Decoder)>,
    result: Option<Shape>,
}

impl Signature {
    fn new(func: &ComponentFunc) -> Result<Signature, UnsupportedType> {
        if func.async_() {
            return Err(UnsupportedType("async function"));
        }
        let params = func
            .params()
            .map(|(name, ty)| Ok((camel_case(name), Decoder::new(Shape::new(&ty)?))))
            .collect::<Result<_, _>>()?;
        let result = func.results().next().map(|ty| Shape::new(&ty)).transpose()?;
        Ok(Signature { params, result })
    }
}

/// The WIT text that the build put into the module, from whichever of its core modules carry it.
fn wit_text(bytes: &[u8]) -> String {
    let mut text = String::new();
    for payload in wasmparser::Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(wasmparser::Payload::CustomSection(section)) if section.name() == WIT_SECTION => {
                text.push_str(&String::from_utf8_lossy(section.data()));
            }
            Ok(_) => {}
            // The compiler took the bytes; what it skips over is not worth a refusal.
            Err(_) => break,
        }
    }
    text
}
