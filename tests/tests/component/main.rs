//! The modules as components in wasmtime, in this process: their answers, their imports, and how
//! the host contains one that misbehaves.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

mod compiled;
mod deploy;
mod descriptions;
mod examples;
mod fuzz;
mod isolation;
mod kit;
mod kits;
mod log;
mod modules;
mod precompiled;
mod probe;
mod random_types;
mod recordings;
mod refused;
mod response_cache;
mod transfers;
mod world;
