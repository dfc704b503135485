//! Code of modules that was compiled when the program was built, and is a part of it.
//!
//! `stowage-precompile` makes the code. It is for every machine of the architecture: no feature of
//! the machine that builds the program is used. wasmtime checks at the load that the code fits its
//! own version, its settings and the processor.

use std::fmt;

use wasmtime::Engine;
use wasmtime::component::Component;

use super::config;
use super::error::CompileError;
use super::version::Version;

/// The code of one module version.
#[derive(Clone, Copy)]
pub struct Precompiled {
    version: Version,
    code: &'static [u8],
}

impl Precompiled {
    /// The code of the module whose bytes have this version.
    ///
    /// # Safety
    /// If `code` is an output of wasmtime at all, it is the unchanged output of [`precompile`] for
    /// the bytes of this version. It runs as native code, and only its settings are checked.
    pub const unsafe fn new(version: Version, code: &'static [u8]) -> Precompiled {
        Precompiled { version, code }
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// The component.
    ///
    /// # Errors
    /// When the code was made for another version of wasmtime, other settings or another processor.
    pub(crate) fn component(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: `new` requires that the code is the output of `precompile_component`.
        unsafe { Component::deserialize(engine, self.code) }
    }
}

impl fmt::Debug for Precompiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Precompiled")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Compiles a component for every machine of this program's architecture.
///
/// # Errors
/// When the bytes are no valid component.
pub fn precompile(bytes: &[u8]) -> Result<Vec<u8>, CompileError> {
    config::compiling_for_all_machines()?
        .precompile_component(bytes)
        .map_err(CompileError::Invalid)
}
