//! Modules in wasmtime: compiled, checked, instantiated, limited.

pub(crate) mod compiler;
pub(crate) mod config;
pub(crate) mod instance;
pub(crate) mod limits;
pub(crate) mod module;
pub(crate) mod rate_limit;
pub(crate) mod signature;
pub(crate) mod stats;
pub(crate) mod typed;
pub(crate) mod version;
pub(crate) mod wasi;
