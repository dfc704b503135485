//! What runs modules: the engine, the scheduler, and the store and services that calls use.

use std::sync::Arc;

use stowage_storage::Store;
use wasmtime::Engine;
use wasmtime::component::Linker;

use super::config::Config;
use super::fence::Fence;
use super::refused_requests::RefusedRequests;
use crate::api::call_id::CallId;
use crate::api::error::CallError;
use crate::api::services::Services;
use crate::engine::compiler::Compiler;
use crate::engine::config;
use crate::engine::error::{CompileError, EngineError, LoadError};
use crate::engine::instance::Instance;
use crate::engine::limits::{LimitClass, Limits};
use crate::engine::module::Module;
use crate::engine::state::State;
use crate::engine::ticker::Ticker;
use crate::engine::version::Version;
use crate::engine::wasi;
use crate::imports;
use crate::scheduler::permits::{MAX_DRY_RUNS, MAX_LONG_RUNS, Scheduler};

/// The pool has room for the idle instances of this many modules. With more modules, each has fewer
/// idle instances.
const POOLED_MODULES: usize = 8;

/// What runs modules.
pub(crate) struct Runtime {
    pub(crate) engine: Engine,
    linker: Linker<State>,
    compiler: Arc<Compiler>,
    pub(crate) ticker: Arc<Ticker>,
    pub(crate) scheduler: Arc<Scheduler>,
    pub(crate) config: Config,
    trial_limits: Limits,
    pub(crate) store: Store,
    pub(crate) services: Arc<dyn Services>,
    pub(crate) fence: Fence,
    pub(crate) refused: RefusedRequests,
    /// Tells the calls of this process from those of others in the log.
    process: u32,
}

impl Runtime {
    /// # Errors
    /// When wasmtime does not start on this machine.
    pub(crate) fn new(config: Config, store: Store, services: Arc<dyn Services>) -> Result<Runtime, EngineError> {
        // The pool has slots for all runs, and for the idle instances of two generations.
        let idle = config.reuse.kept.saturating_mul(2 * POOLED_MODULES);
        let slots = config
            .concurrency
            .saturating_add(idle + 2 * MAX_DRY_RUNS + MAX_LONG_RUNS);
        let engine = config::serving(&config.limits, u32::try_from(slots).unwrap_or(u32::MAX))?;
        let ticker = Ticker::start(&engine).map_err(EngineError::Thread)?;
        let mut linker = Linker::new(&engine);
        wasi::linker::add_to_linker(&mut linker)
            .and_then(|()| imports::linker::add_to_linker(&mut linker))
            .map_err(EngineError::Link)?;
        let compiler = Compiler::new(
            engine.clone(),
            config.cache.clone(),
            config.compiler.clone(),
            config.precompiled.clone(),
        );
        Ok(Runtime {
            engine,
            linker,
            compiler: Arc::new(compiler),
            ticker: Arc::new(ticker),
            scheduler: Arc::new(Scheduler::new(config.concurrency)),
            trial_limits: config.limits.on_trial(),
            config,
            store,
            services,
            fence: Fence::default(),
            refused: RefusedRequests::default(),
            process: rand::random(),
        })
    }

    /// The same engine and scheduler over another store and other services. There, a version on
    /// trial has the limits of a call, because nobody waits for it.
    pub(crate) fn with_store(&self, store: Store, services: Arc<dyn Services>) -> Runtime {
        Runtime {
            engine: self.engine.clone(),
            linker: self.linker.clone(),
            compiler: Arc::clone(&self.compiler),
            ticker: Arc::clone(&self.ticker),
            scheduler: Arc::clone(&self.scheduler),
            trial_limits: self.config.limits.clone(),
            config: self.config.clone(),
            store,
            services,
            fence: Fence::default(),
            refused: RefusedRequests::default(),
            process: rand::random(),
        }
    }

    /// A new call's identity.
    pub(crate) fn call_id(&self) -> CallId {
        CallId::new(self.process, self.scheduler.counts.add_call())
    }

    pub(crate) fn limits(&self, class: LimitClass) -> &Limits {
        match class {
            LimitClass::Live => &self.config.limits,
            LimitClass::Trial => &self.trial_limits,
        }
    }

    /// Compiles and checks a module, on a thread that may block.
    ///
    /// # Errors
    /// Says why the host does not take the module.
    pub(crate) async fn load(self: &Arc<Self>, name: &str, bytes: Vec<u8>) -> Result<Module, LoadError> {
        let runtime = Arc::clone(self);
        let module = name.to_owned();
        let compiled = tokio::task::spawn_blocking(move || {
            let version = Version::of(&bytes);
            let component = runtime.compiler.compile(&module, &bytes, version)?;
            Ok(Module::new(&module, &bytes, version, &component, &runtime.linker))
        });
        compiled
            .await
            .unwrap_or_else(|panic| Err(CompileError::Panicked(panic)))
            .map_err(|source| LoadError::Compile {
                name: name.to_owned(),
                source,
            })?
    }

    /// Makes an instance and drops it. Its start-up code runs with the limits of a version on
    /// trial.
    ///
    /// # Errors
    /// When the start-up code traps, runs out of time or goes over a limit.
    pub(crate) async fn instantiate(&self, module: &Module) -> Result<(), CallError> {
        let limits = &self.trial_limits;
        // The semaphore is never closed.
        let _permit = self.scheduler.dry_runs.acquire().await.ok();
        let activity = self.ticker.activity();
        activity.busy();
        let making = Instance::new(&self.engine, module.blueprint(), limits, activity);
        let made = tokio::time::timeout(limits.wall, making).await;
        made.map_err(|_| CallError::WallDeadline)?
            .map(drop)
            .map_err(CallError::Instantiate)
    }
}
