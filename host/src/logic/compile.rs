//! Modules compiled off the request path, in a throw-away engine, and kept compiled on disk.
//!
//! A file of the cache is named by the module's version and the engine's compatibility hash. It begins with the SHA-256 of the rest, so that a
//! torn or rotten file is compiled anew instead of run. Compiled code is native code: the directory is the user's alone
//! (0700), and nothing from elsewhere is ever put there.

use std::fs;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::engine;
use super::module::LoadError;
use super::version::Version;

/// A larger file is no module.
pub const MOST_BYTES: usize = 64 << 20;

/// Compiles modules for one engine.
#[derive(Clone)]
pub(super) struct Compiler {
    engine: Engine,
    cache: Option<PathBuf>,
}

impl Compiler {
    /// A compiler with a cache in `cache`, or none.
    pub(super) fn new(engine: Engine, cache: Option<PathBuf>) -> Compiler {
        let cache = cache.filter(|dir| match private_dir(dir) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, dir = %dir.display(), "compiled modules are not kept");
                false
            }
        });
        Compiler { engine, cache }
    }

    /// The component behind these bytes, from the cache or compiled. It blocks: call it on a thread for that.
    ///
    /// # Errors
    /// When the bytes are no valid component.
    pub(super) fn compile(&self, name: &str, bytes: &[u8]) -> Result<Component, LoadError> {
        let failed = |reason: String| LoadError::Compile {
            name: name.to_owned(),
            reason,
        };
        if bytes.len() > MOST_BYTES {
            return Err(failed(format!("it is larger than {} MiB", MOST_BYTES >> 20)));
        }
        // Text, core modules and compiled code are told apart before the compiler sees them.
        if !wasmparser::Parser::is_component(bytes) {
            return Err(failed("it is no binary WebAssembly component".into()));
        }
        let file = self.cache.as_ref().map(|dir| dir.join(self.file_name(bytes)));
        if let Some(component) = file.as_deref().and_then(|f| self.cached(f)) {
            return Ok(component);
        }
        let started = std::time::Instant::now();
        let compiled = engine::compiling()
            .map_err(|e| failed(e.to_string()))?
            .precompile_component(bytes)
            .map_err(|e| failed(format!("{e:#}")))?;
        tracing::info!(
            module = name,
            elapsed_ms = started.elapsed().as_millis() as u64,
            "compiled"
        );
        if let Some(file) = &file
            && let Err(error) = keep(file, &compiled)
        {
            tracing::warn!(%error, file = %file.display(), "a compiled module was not kept");
        }
        // SAFETY: the bytes come from `precompile_component` of an engine with the same configuration, a few lines up.
        unsafe { Component::deserialize(&self.engine, &compiled) }.map_err(|e| failed(format!("{e:#}")))
    }

    fn file_name(&self, bytes: &[u8]) -> String {
        let compatible =
            BuildHasherDefault::<DefaultHasher>::default().hash_one(self.engine.precompile_compatibility_hash());
        format!("{:#}-{compatible:016x}.cwasm", Version::of(bytes))
    }

    fn cached(&self, file: &Path) -> Option<Component> {
        let content = fs::read(file).ok()?;
        let (digest, compiled) = content.split_at_checked(32)?;
        if Sha256::digest(compiled).as_slice() != digest {
            tracing::warn!(file = %file.display(), "a compiled module is damaged and is compiled anew");
            return None;
        }
        // SAFETY: the file lies in a directory only this user can write to, was written by `keep` from the output of
        // `precompile_component` under a name that holds the module's hash and the engine's compatibility hash, and its digest
        // shows that it is still what was written.
        unsafe { Component::deserialize(&self.engine, compiled) }.ok()
    }
}

/// Writes a cache file under a temporary name and renames it, so that a reader sees all of it or nothing.
fn keep(file: &Path, compiled: &[u8]) -> std::io::Result<()> {
    let temporary = file.with_extension(format!("{}.tmp", std::process::id()));
    let mut out = fs::File::create(&temporary)?;
    out.write_all(&Sha256::digest(compiled))?;
    out.write_all(compiled)?;
    out.sync_data()?;
    fs::rename(&temporary, file)
}

/// Makes a directory that only this user may enter.
fn private_dir(dir: &Path) -> std::io::Result<()> {
    fs::create_dir_all(dir)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}
