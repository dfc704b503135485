//! A loaded module: its version, its exports, its idle instances.

use std::sync::Arc;
use std::time::Instant;

use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre, Linker};

use super::error::LoadError;
use super::export::{Export, HOST_PACKAGE, exports, method_names};
use super::instance::Blueprint;
use super::limiter::ModuleMemory;
use super::pool::Pool;
use super::rate_limit::{RateLimit, Verdict};
use super::state::State;
use super::stats::{ModuleStats, Summary};
use super::version::Version;
use super::wasi::linker::ALLOWED_PACKAGES;
use super::wasi::world::World;
use crate::scheduler::fair_turns::FairTurns;

/// The custom section that holds the WIT text of a module's exports.
const WIT_SECTION: &str = "stowage:wit";
/// Failed calls of a module version that are logged in a second. Further ones are counted.
const LOGGED_FAILURES_A_SECOND: u64 = 20;
/// Bytes that all calls of a module version may print in a second. The rest is not logged.
const PRINTED_BYTES_A_SECOND: u64 = 256 << 10;

/// A loaded module.
pub struct Module {
    /// The name that people gave it.
    pub name: Arc<str>,
    /// The identity of its bytes.
    pub version: Version,
    /// Its exported functions.
    pub exports: Vec<Export>,
    /// The WIT text it carries, with the documentation of its exports; empty if it carries none.
    pub wit: String,
    pub(crate) pre: InstancePre<State>,
    pub(crate) pool: Pool,
    pub(crate) stats: Arc<ModuleStats>,
    /// Turns of its heavy functions.
    pub(crate) turns: FairTurns,
    /// What its instances print, in bytes.
    printed: Arc<RateLimit>,
    /// Log lines about its failed calls.
    failures: RateLimit,
    /// The memory of all its instances.
    memory: Arc<ModuleMemory>,
}

impl Module {
    /// What the version has done since it was loaded.
    pub fn summary(&self) -> Summary {
        self.stats.summary()
    }

    /// The counts of the version, which outlive the module.
    pub fn stats(&self) -> &Arc<ModuleStats> {
        &self.stats
    }

    /// Instances that wait for a call.
    pub fn idle_instances(&self) -> usize {
        self.pool.len()
    }

    /// Makes a module of a compiled component, if it imports and exports only what a module may.
    /// `version` is that of the bytes.
    ///
    /// # Errors
    /// When the module imports what it may not, or an export cannot be served. The error names it.
    pub(crate) fn new(
        name: &str,
        bytes: &[u8],
        version: Version,
        component: &Component,
        linker: &Linker<State>,
    ) -> Result<Module, LoadError> {
        let engine = component.engine();
        let ty = component.component_type();
        for (import, item) in ty.imports(engine) {
            let package = import.split('/').next().unwrap_or(import);
            let known = package == HOST_PACKAGE || ALLOWED_PACKAGES.contains(&package);
            if !known && !has_only_types(engine, &item.ty) {
                return Err(LoadError::Import {
                    name: name.to_owned(),
                    import: import.to_owned(),
                });
            }
        }
        let pre = linker.instantiate_pre(component).map_err(|source| LoadError::Link {
            name: name.to_owned(),
            source,
        })?;
        let wit = wit_text(bytes);
        let exports = exports(name, engine, component, &wit)?;
        if exports.is_empty() {
            return Err(LoadError::NoExports { name: name.to_owned() });
        }
        let name: Arc<str> = Arc::from(name);
        let stats = Arc::new(ModuleStats::new(&name, version, method_names(&exports)));
        Ok(Module {
            name,
            version,
            exports,
            wit,
            pre,
            pool: Pool::default(),
            stats,
            turns: FairTurns::default(),
            printed: Arc::new(RateLimit::new(PRINTED_BYTES_A_SECOND)),
            failures: RateLimit::new(LOGGED_FAILURES_A_SECOND),
            memory: Arc::default(),
        })
    }

    /// What an instance is made from.
    pub(crate) fn blueprint(&self) -> Blueprint<'_> {
        Blueprint {
            pre: &self.pre,
            functions: self.exports.len(),
            world: World::new(Arc::clone(&self.name), self.version, Arc::clone(&self.printed)),
            module_memory: &self.memory,
        }
    }

    /// Logs a failed call. If too many calls fail in a second, the rest are counted and reported in
    /// one line.
    pub(crate) fn log_failure(&self, log: impl FnOnce()) {
        match self.failures.ask(1, Instant::now()) {
            Verdict::Granted { left_out } => {
                self.log_left_out(left_out);
                log();
            }
            Verdict::FirstLeftOut => {
                log();
                tracing::warn!(
                    module = %self.name,
                    version = %self.version,
                    "too many of its calls fail to log each; the next are counted"
                );
            }
            Verdict::LeftOut => {}
        }
    }

    fn log_left_out(&self, left_out: u64) {
        if left_out > 0 {
            tracing::warn!(
                module = %self.name,
                version = %self.version,
                left_out,
                "failed calls were left out of the log"
            );
        }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        self.log_left_out(self.failures.left_out());
    }
}

/// Whether an import gives a module only names of types.
fn has_only_types(engine: &Engine, item: &ComponentItem) -> bool {
    match item {
        ComponentItem::ComponentInstance(instance) => instance
            .exports(engine)
            .all(|(_, e)| matches!(e.ty, ComponentItem::Type(_))),
        _ => false,
    }
}

/// The WIT text that the build put into the module, from any of its core modules.
pub(crate) fn wit_text(bytes: &[u8]) -> String {
    let mut text = String::new();
    for payload in wasmparser::Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(wasmparser::Payload::CustomSection(section)) if section.name() == WIT_SECTION => {
                text.push_str(&String::from_utf8_lossy(section.data()));
            }
            Ok(_) => {}
            // The compiler accepted the bytes, so the module is not refused for this.
            Err(_) => break,
        }
    }
    text
}
