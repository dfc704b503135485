//! Modules in wasmtime: compiled, checked, instantiated, limited.

pub(crate) mod active_call;
mod cache_limit;
pub(crate) mod cache_state;
pub(crate) mod compile_process;
pub(crate) mod compiler;
pub(crate) mod config;
pub(crate) mod documentation;
pub(crate) mod documented_numbers;
pub(crate) mod error;
pub(crate) mod export;
pub(crate) mod function;
pub(crate) mod instance;
pub(crate) mod limiter;
pub(crate) mod limits;
pub(crate) mod module;
pub(crate) mod pool;
pub(crate) mod precompiled;
pub(crate) mod rate_limit;
pub(crate) mod signature;
pub(crate) mod state;
pub(crate) mod stats;
pub(crate) mod ticker;
pub(crate) mod trap;
pub(crate) mod typed;
pub(crate) mod version;
pub(crate) mod wasi;
