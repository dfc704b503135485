//! The wasmtime engine: one for serving, throw-away ones for compiling.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, Thread};

use wasmtime::{Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use crate::engine::limits::{Limits, TICK};

/// The engine could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the WebAssembly engine does not start: {0}")]
pub struct EngineError(String);

impl EngineError {
    pub(crate) fn thread(error: std::io::Error) -> EngineError {
        EngineError(format!("no thread for its clock: {error}"))
    }

    pub(crate) fn link(error: wasmtime::Error) -> EngineError {
        EngineError(format!("{error:#}"))
    }
}

/// How code is generated; the same for compiling and for serving, so that compiled code fits.
fn code_config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .epoch_interruption(true)
        .cranelift_opt_level(OptLevel::Speed)
        .memory_init_cow(true)
        .max_wasm_stack(512 << 10)
        .async_stack_size(1 << 20);
    config
}

/// The engine that runs modules, with a pool for `instances` instances at once.
///
/// # Errors
/// When neither pooled nor single allocation is possible on this machine.
pub(crate) fn serving(limits: &Limits, instances: u32) -> Result<Engine, EngineError> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances * 4)
        .total_memories(instances)
        .total_tables(instances * 4)
        .total_stacks(instances)
        .max_core_instances_per_component(20)
        .max_memories_per_component(2)
        .max_tables_per_component(8)
        .max_memory_size(limits.memory_bytes)
        .table_elements(limits.table_elements)
        .max_unused_warm_slots(16)
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(16 << 10)
        .async_stack_keep_resident(32 << 10);
    let mut config = code_config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    match Engine::new(&config) {
        Ok(engine) => Ok(engine),
        Err(error) => {
            tracing::warn!(
                %error,
                "no address space for pooled instances, each is allocated by itself (check `ulimit -v`)"
            );
            Engine::new(&code_config()).map_err(|e| EngineError(format!("{e:#}")))
        }
    }
}

/// An engine to compile one module with. Its memory goes with it: an engine keeps what its register allocator ever needed.
///
/// # Errors
/// When wasmtime refuses the configuration.
pub(crate) fn compiling() -> Result<Engine, EngineError> {
    Engine::new(&code_config()).map_err(|e| EngineError(format!("{e:#}")))
}

/// Whether anything runs that the epochs matter to.
#[derive(Debug, Default)]
pub(crate) struct Beat {
    used: AtomicBool,
    parked: AtomicBool,
    stop: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Beat {
    /// Something runs: the epochs go on for a while.
    pub(crate) fn busy(&self) {
        // Most calls find it said already, and leave the memory that all of them share alone.
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::SeqCst);
            if self.parked.load(Ordering::SeqCst) {
                self.wake();
            }
        }
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

/// Ticks after the last use in which the epochs still go on.
const IDLE_TICKS: u32 = 500;

/// Moves the engine's epoch on every [`TICK`] while something runs, from a thread of its own, so that a starved runtime does not stop it.
pub(crate) struct Ticker {
    beat: Arc<Beat>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// # Errors
    /// When the thread cannot be started.
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Ticker> {
        let beat = Arc::new(Beat::default());
        let engine = engine.weak();
        let told = Arc::clone(&beat);
        let thread = std::thread::Builder::new().name("epoch".into()).spawn(move || {
            let mut idle = 0;
            while !told.stop.load(Ordering::SeqCst) {
                std::thread::park_timeout(TICK);
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
                }
                idle = if told.used.swap(false, Ordering::SeqCst) {
                    0
                } else {
                    idle + 1
                };
                if idle >= IDLE_TICKS {
                    told.parked.store(true, Ordering::SeqCst);
                    // Whoever says so after this look wakes us.
                    if !told.used.load(Ordering::SeqCst) && !told.stop.load(Ordering::SeqCst) {
                        std::thread::park();
                    }
                    told.parked.store(false, Ordering::SeqCst);
                    idle = 0;
                }
            }
        })?;
        // Set once, here.
        let _ = beat.thread.set(thread.thread().clone());
        Ok(Ticker {
            beat,
            thread: Some(thread),
        })
    }

    pub(crate) fn beat(&self) -> &Arc<Beat> {
        &self.beat
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.beat.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread's loop does not panic; there is nothing to report if it did.
            let _ = thread.join();
        }
    }
}
