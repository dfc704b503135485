//! Running components: load, route, call.
//!
//! A call is one transaction (`call.rs`): an instance is armed with a snapshot, runs, and what it wrote is committed; a conflict runs it again.
//! What modules serve is a [`Generation`], replaced as a whole.

mod api;
mod background;
mod bindings;
mod call;
pub mod codec;
mod deadline;
mod engine;
mod imports;
mod response_cache;
mod rollout;
mod routing;
pub mod rpc;
mod scheduler;

pub use api::effect::{CloudChange, Effect, HIDDEN, Request};
pub use api::fact::{CloudAnswer, CloudFailure, Facts, Question, SyncCounts};
pub use api::invocation::Invocation;
pub use api::moment::{Conditions, Moment};
pub use api::outcome::{CallError, Outcome};
pub use api::services::{Refused, Services};
pub use bindings::stowage::host as wit;
pub use call::dry_run::DryRun;
pub use call::observer::{Observation, Observer};
pub use call::retry::CallId;
pub use deadline::{Elapsed, within};
pub use engine::compiler::{MAX_MODULE_BYTES, compile_stdin};
pub use engine::config::EngineError;
pub use engine::instance::Reuse;
pub use engine::limits::Limits;
pub use engine::module::{Export, InterfaceName, LoadError, Module};
pub use engine::signature::Signature;
pub use engine::stats::Summary;
pub use engine::version::{ParseVersionError, Version};
pub use rollout::behaviour::{Behaviour, Ending, is_module_table};
pub use rollout::difference::{decoded, differences, shown_key};
pub use rollout::shadow::{Difference, Shadow, ShadowTally};
pub use rollout::watch::{Regression, Share, Thresholds, Watch, WatchReport};
pub use routing::call_hold::CallHold;
pub use routing::generation::{Generation, Route};

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use stowage_storage::{Snapshot, Store, Transaction};
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::Linker;

use background::Background;
use engine::compiler::Compiler;
use engine::config::Ticker;
use engine::instance::State;
use routing::call_hold::Eras;
use scheduler::fair_turns::Begun;
use scheduler::paced_run::{Lane, MOST_LONG};

/// How modules are run.
#[derive(Clone, Debug)]
pub struct Config {
    /// What one call may use.
    pub limits: Limits,
    /// How instances are reused.
    pub reuse: Reuse,
    /// Calls that run at once; further ones wait.
    pub concurrency: usize,
    /// Bytes of answers that are given again while they stand (see `answers.rs`); 0 has every call run.
    pub response_cache_bytes: usize,
    /// Where compiled modules are kept; none keeps them in memory only.
    pub cache: Option<PathBuf>,
    /// This program, run as `PROGRAM compile` to compile a module; none compiles in this process.
    pub compiler: Option<PathBuf>,
    /// What decides about time, randomness and failures of each call; none leaves them to the clock and to chance.
    pub conditions: Option<Arc<dyn Conditions>>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            limits: Limits::default(),
            reuse: Reuse::default(),
            concurrency: 128,
            response_cache_bytes: 8 << 20,
            cache: None,
            compiler: None,
            conditions: None,
        }
    }
}

/// The modules and what runs them. A cheap handle.
#[derive(Clone)]
pub struct Logic {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    linker: Linker<State>,
    compiler: Arc<Compiler>,
    config: Config,
    store: Store,
    services: Arc<dyn Services>,
    generation: ArcSwap<Generation>,
    /// A permit an instance in use: the pool has slots for these and for the idle ones of two generations.
    running: Arc<Semaphore>,
    /// Where runs go that take long.
    lane: Arc<Lane>,
    /// A permit a dry_run, and one for those that a call waits for: nobody's shadow holds them up.
    dry_runs: Arc<Semaphore>,
    comparing: Arc<Semaphore>,
    /// What a call may use of a version on trial.
    trial_limits: Limits,
    eras: Eras,
    begun: Arc<Begun>,
    /// Tells the calls of this process from those of others in the log.
    run_id: u32,
    ticker: Arc<Ticker>,
    background: Arc<Background>,
}

impl Inner {
    fn publish(&self, generation: Generation, era: u64) {
        // Where time and chance are decided for each call, each has to be run.
        let response_cache_bytes = match self.config.conditions {
            None => self.config.response_cache_bytes,
            Some(_) => 0,
        };
        self.generation
            .store(Arc::new(generation.serving(era, response_cache_bytes)));
    }
}

/// A handle that keeps nothing alive.
#[derive(Clone)]
pub(crate) struct WeakLogic(Weak<Inner>);

impl WeakLogic {
    pub(crate) fn upgrade(&self) -> Option<Logic> {
        self.0.upgrade().map(|inner| Logic { inner })
    }
}

impl Logic {
    pub(crate) fn downgrade(&self) -> WeakLogic {
        WeakLogic(Arc::downgrade(&self.inner))
    }

    /// An engine without modules.
    ///
    /// # Errors
    /// When wasmtime does not start on this machine.
    pub fn new(config: Config, store: Store, services: Arc<dyn Services>) -> Result<Logic, EngineError> {
        // The pool also holds what lies idle: `kept` instances of each module of this generation and of the one before.
        let idle = config.reuse.kept.saturating_mul(2 * MOST_MODULES);
        let slots =
            u32::try_from(config.concurrency.saturating_add(idle + 2 * DRY_RUNS + MOST_LONG)).unwrap_or(u32::MAX);
        let engine = engine::config::serving(&config.limits, slots)?;
        let ticker = Ticker::start(&engine).map_err(EngineError::thread)?;
        let mut linker = Linker::new(&engine);
        engine::wasi::add_to_linker(&mut linker)
            .and_then(|()| imports::add_to_linker(&mut linker))
            .map_err(EngineError::link)?;
        let running = Arc::new(Semaphore::new(config.concurrency));
        Ok(Logic {
            inner: Arc::new(Inner {
                compiler: Arc::new(Compiler::new(
                    engine.clone(),
                    config.cache.clone(),
                    config.compiler.clone(),
                )),
                linker,
                lane: Arc::new(Lane::new(&running, config.concurrency)),
                running,
                dry_runs: Arc::new(Semaphore::new(DRY_RUNS)),
                comparing: Arc::new(Semaphore::new(DRY_RUNS)),
                trial_limits: config.limits.on_trial(),
                eras: Eras::default(),
                config,
                store,
                services,
                generation: ArcSwap::from_pointee(Generation::default()),
                begun: Arc::default(),
                run_id: rand::random(),
                ticker: Arc::new(ticker),
                background: Arc::new(Background::start().map_err(EngineError::thread)?),
                engine,
            }),
        })
    }

    /// The same engine over another store and other services, without modules: modules that were loaded here run there as well. Both
    /// share the places for instances. A dry_run there may use all that a call may.
    pub fn with_store(&self, store: Store, services: Arc<dyn Services>) -> Logic {
        let inner = &self.inner;
        Logic {
            inner: Arc::new(Inner {
                engine: inner.engine.clone(),
                linker: inner.linker.clone(),
                compiler: Arc::clone(&inner.compiler),
                config: inner.config.clone(),
                store,
                services,
                generation: ArcSwap::from_pointee(Generation::default()),
                running: Arc::clone(&inner.running),
                lane: Arc::clone(&inner.lane),
                dry_runs: Arc::clone(&inner.dry_runs),
                comparing: Arc::clone(&inner.comparing),
                // Nobody waits for what runs there.
                trial_limits: inner.config.limits.clone(),
                eras: Eras::default(),
                begun: Arc::clone(&inner.begun),
                run_id: rand::random(),
                ticker: Arc::clone(&inner.ticker),
                background: Arc::clone(&inner.background),
            }),
        }
    }

    /// A transaction on a snapshot, to look at what a call read.
    pub fn begin_at(&self, snapshot: &Snapshot) -> Transaction {
        self.inner.store.begin_at(snapshot)
    }

    /// What the services say the size of the space is, in bytes, to a call in this transaction.
    ///
    /// # Errors
    /// When storage fails.
    pub fn total_bytes(&self, transaction: &mut Transaction) -> Result<u64, Refused> {
        self.inner.services.total_bytes(transaction)
    }

    /// Compiles and checks a module; nothing of it is served yet.
    ///
    /// # Errors
    /// Says why the host does not take it.
    pub async fn load(&self, name: &str, bytes: Vec<u8>) -> Result<Module, LoadError> {
        let inner = Arc::clone(&self.inner);
        let name = name.to_owned();
        let called = name.clone();
        tokio::task::spawn_blocking(move || {
            let component = inner.compiler.compile(&name, &bytes)?;
            Module::new(&name, &bytes, &component, &inner.linker)
        })
        .await
        .map_err(|panic| LoadError::Compile {
            name: called,
            reason: format!("the compiler gave up: {panic}"),
        })?
    }

    /// Serves these modules from now on. Calls in flight end on what they began with.
    pub fn serve(&self, generation: Generation) {
        // While calls are held back it is the era before: it holds again if the hold is given up.
        let era = self.inner.eras.now() & !1;
        self.inner.publish(generation, era);
    }

    /// What is served now.
    pub fn generation(&self) -> Arc<Generation> {
        self.inner.generation.load_full()
    }
}

/// Modules of one generation that the pool has room for at full reuse; with more, fewer lie idle.
const MOST_MODULES: usize = 8;

/// Runs for comparison that go on at once, of each kind.
const DRY_RUNS: usize = 4;

impl fmt::Debug for Logic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logic").finish_non_exhaustive()
    }
}
