//! Modules compiled off the request path and cached on disk.
//!
//! The built-in modules are not compiled: their code is in the program.
//!
//! A cache file is named by the module's version and the engine's compatibility hash. It begins
//! with the SHA-256 of the rest. A damaged file is compiled again and never run.
//! The files that were used last are kept, 64 of them and 512 MiB at most.
//! Compiled code is native code: the directory and its files belong to the user of this process,
//! and nobody else may write to them. Otherwise they are not used.

use std::fs;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use parking_lot::Mutex;
use rustix::fs::OFlags;
use rustix::process::geteuid;
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::cache_limit;
use super::cache_state::intact;
use super::compile_process;
use super::error::CompileError;
use super::limits::MAX_MODULE_BYTES;
use super::precompiled::Precompiled;
use super::version::Version;

/// Components kept in memory. Going back and forth between versions then reads no file.
const RECENT: usize = 8;

/// The bits of a file's mode that let others than its owner write to it.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Compiles modules for one engine.
pub(crate) struct Compiler {
    engine: Engine,
    cache: Option<PathBuf>,
    program: Option<PathBuf>,
    precompiled: Vec<Precompiled>,
    /// The components that were asked for last, the latest at the end.
    recent: Mutex<Vec<(Version, Component)>>,
}

impl Compiler {
    /// A compiler with an optional cache directory. `program` is this program, to be run as
    /// `program compile`; without it, modules are compiled in this process. `precompiled` is the
    /// code that is used as it is.
    pub(crate) fn new(
        engine: Engine,
        cache: Option<PathBuf>,
        program: Option<PathBuf>,
        precompiled: Vec<Precompiled>,
    ) -> Compiler {
        let cache = cache.filter(|dir| match make_private_dir(dir) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, dir = %dir.display(), "compiled modules are not kept");
                false
            }
        });
        Compiler {
            engine,
            cache,
            program,
            precompiled,
            recent: Mutex::default(),
        }
    }

    /// The component of these bytes, from the program, from the cache or compiled. `version` is
    /// that of the bytes. It blocks: call it on a thread that may block.
    ///
    /// # Errors
    /// When the bytes are no valid component.
    pub(crate) fn compile(&self, name: &str, bytes: &[u8], version: Version) -> Result<Component, CompileError> {
        if bytes.len() > MAX_MODULE_BYTES {
            return Err(CompileError::TooLarge);
        }
        // The compiler never sees text, core modules or compiled code.
        if !wasmparser::Parser::is_component(bytes) {
            return Err(CompileError::NotAComponent);
        }
        if let Some(component) = self.find_recent(version) {
            return Ok(component);
        }
        let component = self.find_or_compile(name, bytes, version)?;
        self.keep_recent(version, &component);
        Ok(component)
    }

    fn find_or_compile(&self, name: &str, bytes: &[u8], version: Version) -> Result<Component, CompileError> {
        if let Some(component) = self.find_precompiled(name, version) {
            return Ok(component);
        }
        let file = self.cache.as_ref().map(|dir| dir.join(self.file_name(version)));
        if let Some(component) = file.as_deref().and_then(|f| self.read_cached(f)) {
            return Ok(component);
        }
        let started = Instant::now();
        let compiled = match &self.program {
            Some(program) => compile_process::compile_in_child(program, bytes),
            None => compile_process::compile_here(bytes),
        }?;
        tracing::info!(
            module = name,
            elapsed_ms = started.elapsed().as_millis() as u64,
            "compiled"
        );
        if let Some(file) = &file
            && let Err(error) = write_cached(file, &compiled)
        {
            tracing::warn!(%error, file = %file.display(), "a compiled module was not kept");
        }
        if let Some(dir) = &self.cache
            && let Err(error) = cache_limit::trim(dir)
        {
            tracing::warn!(%error, dir = %dir.display(), "compiled modules of old versions were not removed");
        }
        // SAFETY: the bytes come from `precompile_component` of an engine with the same
        // configuration, here or in a child that is this same program.
        unsafe { Component::deserialize(&self.engine, &compiled) }.map_err(CompileError::Invalid)
    }

    fn find_precompiled(&self, name: &str, version: Version) -> Option<Component> {
        let precompiled = self.precompiled.iter().find(|p| p.version() == version)?;
        match precompiled.component(&self.engine) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::info!(module = name, %error, "its built-in code does not fit here, it is compiled");
                None
            }
        }
    }

    fn find_recent(&self, version: Version) -> Option<Component> {
        let mut recent = self.recent.lock();
        let at = recent.iter().position(|(v, _)| *v == version)?;
        let found = recent.remove(at);
        let component = found.1.clone();
        recent.push(found);
        Some(component)
    }

    fn keep_recent(&self, version: Version, component: &Component) {
        let mut recent = self.recent.lock();
        recent.retain(|(v, _)| *v != version);
        let oldest = (recent.len() == RECENT).then(|| recent.remove(0));
        recent.push((version, component.clone()));
        drop(recent);
        // Dropped outside the lock, because unmapping code takes a while.
        drop(oldest);
    }

    fn file_name(&self, version: Version) -> String {
        let compatible =
            BuildHasherDefault::<DefaultHasher>::default().hash_one(self.engine.precompile_compatibility_hash());
        format!("{version:#}-{compatible:016x}.cwasm")
    }

    fn read_cached(&self, file: &Path) -> Option<Component> {
        let content = match read_private(file) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(%error, file = %file.display(), "a compiled module is not used and is compiled again");
                return None;
            }
        };
        let Some(compiled) = intact(&content) else {
            tracing::warn!(file = %file.display(), "a compiled module is damaged and is compiled again");
            return None;
        };
        // SAFETY: only this user can write to the file and to its directory. `write_cached` wrote
        // it from the output of `precompile_component`, under a name that holds the module's hash
        // and the engine's compatibility hash. Its digest shows that it is still what was written.
        unsafe { Component::deserialize(&self.engine, compiled) }.ok()
    }
}

/// Writes a cache file under a temporary name and renames it, so that a reader sees all or nothing.
fn write_cached(file: &Path, compiled: &[u8]) -> io::Result<()> {
    let temporary = file.with_extension(format!("{}.tmp", std::process::id()));
    let mut out = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    out.write_all(&Sha256::digest(compiled))?;
    out.write_all(compiled)?;
    out.sync_data()?;
    fs::rename(&temporary, file)
}

/// Reads a file that only this user can write to.
fn read_private(file: &Path) -> io::Result<Vec<u8>> {
    // Without these flags, a pipe would be waited for, and a link could lead to a file of others.
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let opened = fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(file)?;
    let metadata = opened.metadata()?;
    if !metadata.is_file() || !is_own(&metadata) || metadata.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(io::Error::other(
            "expected a file that only the user of this process can write to",
        ));
    }
    let mut content = Vec::new();
    (&opened).read_to_end(&mut content)?;
    cache_limit::touch(&opened);
    Ok(content)
}

/// Makes a directory that only this user may enter.
fn make_private_dir(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    // Who owns it can change its mode back.
    if !is_own(&fs::metadata(dir)?) {
        return Err(io::Error::other("expected a directory of the user of this process"));
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}

/// Whether the file belongs to the user of this process.
fn is_own(metadata: &fs::Metadata) -> bool {
    metadata.uid() == geteuid().as_raw()
}
