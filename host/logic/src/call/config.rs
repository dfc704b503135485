//! How modules are run.

use std::path::PathBuf;
use std::sync::Arc;

use super::conditions::Conditions;
use crate::engine::limits::Limits;
use crate::engine::pool::Reuse;
use crate::engine::precompiled::Precompiled;

/// How modules are run.
#[derive(Clone, Debug)]
pub struct Config {
    /// What one call may use.
    pub limits: Limits,
    /// How instances are reused.
    pub reuse: Reuse,
    /// Calls that run at once. Further ones wait.
    pub concurrency: usize,
    /// Bytes of the response cache; 0 turns it off.
    pub response_cache_bytes: usize,
    /// The directory of compiled modules. Without one they are kept in memory only.
    pub cache: Option<PathBuf>,
    /// This program, run as `PROGRAM compile` to compile a module. Without it, modules are compiled
    /// in this process.
    pub compiler: Option<PathBuf>,
    /// Code of module versions that need not be compiled.
    pub precompiled: Vec<Precompiled>,
    /// Decides about time, randomness and failures of each call. The response cache is then off,
    /// because every call has to run.
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
            precompiled: Vec::new(),
            conditions: None,
        }
    }
}
