//! The configuration of wasmtime's engines: one that serves, and short-lived ones that compile.

use wasmtime::{Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use super::error::EngineError;
use super::limits::Limits;

/// How code is generated. All engines use the same, because the serving engine loads the compiled
/// code.
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
    Engine::new(&config).or_else(|error| {
        tracing::warn!(
            %error,
            "no address space for pooled instances, each is allocated by itself (check `ulimit -v`)"
        );
        compiling()
    })
}

/// An engine that compiles one module and is then dropped. An engine that is kept would keep the
/// largest memory that its register allocator ever needed.
///
/// # Errors
/// When wasmtime refuses the configuration.
pub(crate) fn compiling() -> Result<Engine, EngineError> {
    Engine::new(&code_config()).map_err(EngineError::Engine)
}

/// [`compiling`] for every machine of this program's architecture, whatever this machine has.
///
/// # Errors
/// When wasmtime cannot compile for the architecture.
pub(crate) fn compiling_for_all_machines() -> Result<Engine, EngineError> {
    let mut config = code_config();
    // A named target has no features of this machine. wasmtime compares architecture and system,
    // not the C library.
    config
        .target(&format!("{}-unknown-linux-gnu", std::env::consts::ARCH))
        .map_err(EngineError::Engine)?;
    Engine::new(&config).map_err(EngineError::Engine)
}
