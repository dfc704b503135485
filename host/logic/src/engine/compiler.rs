//! Modules compiled off the request path, in a process of their own, and kept compiled on disk.
//!
//! Compiling takes a hundred MiB that no allocator gives back in full, and is the one thing a module's bytes can make endless or
//! huge: a child process takes it all with it, and is killed when it takes too long.
//!
//! A file of the cache is named by the module's version and the engine's compatibility hash. It begins with the SHA-256 of the rest, so that a
//! torn or rotten file is compiled anew instead of run. Compiled code is native code: the directory is the user's alone
//! (0700), and nothing from elsewhere is ever put there.

use std::fs;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::engine::config as engine;
use crate::engine::module::LoadError;
use crate::engine::version::Version;

/// A larger file is no module.
pub const MAX_MODULE_BYTES: usize = 64 << 20;
/// Compiled code of a module is no larger.
const MOST_CODE_BYTES: u64 = 1 << 30;
/// Memory of a process that compiles.
const COMPILE_BYTES: u64 = 4 << 30;
/// How long a module may take to compile.
const COMPILE_TIME: Duration = Duration::from_secs(60);

/// Components that are kept in memory, the latest: to go back and forth between versions costs no reading.
const RECENT: usize = 8;

/// Compiles modules for one engine.
pub(crate) struct Compiler {
    engine: Engine,
    cache: Option<PathBuf>,
    program: Option<PathBuf>,
    /// The components that were asked for last, the latest at the end.
    recent: Mutex<Vec<(Version, Component)>>,
}

impl Compiler {
    /// A compiler with a cache in `cache`, or none. `program` is this program, to be run as `program compile`; without it modules are
    /// compiled in this process.
    pub(crate) fn new(engine: Engine, cache: Option<PathBuf>, program: Option<PathBuf>) -> Compiler {
        let cache = cache.filter(|dir| match private_dir(dir) {
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
            recent: Mutex::default(),
        }
    }

    /// The component behind these bytes, from the cache or compiled. It blocks: call it on a thread for that.
    ///
    /// # Errors
    /// When the bytes are no valid component.
    pub(crate) fn compile(&self, name: &str, bytes: &[u8]) -> Result<Component, LoadError> {
        let failed = |reason: String| LoadError::Compile {
            name: name.to_owned(),
            reason,
        };
        if bytes.len() > MAX_MODULE_BYTES {
            return Err(failed(format!("it is larger than {} MiB", MAX_MODULE_BYTES >> 20)));
        }
        // Text, core modules and compiled code are told apart before the compiler sees them.
        if !wasmparser::Parser::is_component(bytes) {
            return Err(failed("it is no binary WebAssembly component".into()));
        }
        let version = Version::of(bytes);
        if let Some(component) = self.recent(version) {
            return Ok(component);
        }
        let component = self.find_or_compile(name, bytes, version).map_err(failed)?;
        self.remember(version, &component);
        Ok(component)
    }

    fn find_or_compile(&self, name: &str, bytes: &[u8], version: Version) -> Result<Component, String> {
        let file = self.cache.as_ref().map(|dir| dir.join(self.file_name(version)));
        if let Some(component) = file.as_deref().and_then(|f| self.cached(f)) {
            return Ok(component);
        }
        let started = Instant::now();
        let compiled = match &self.program {
            Some(program) => in_child(program, bytes),
            None => compile_here(bytes),
        }?;
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
        // SAFETY: the bytes come from `precompile_component` of an engine with the same configuration, here or in a
        // child that is this same program.
        unsafe { Component::deserialize(&self.engine, &compiled) }.map_err(|e| format!("{e:#}"))
    }

    fn recent(&self, version: Version) -> Option<Component> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let at = recent.iter().position(|(v, _)| *v == version)?;
        let found = recent.remove(at);
        let component = found.1.clone();
        recent.push(found);
        Some(component)
    }

    fn remember(&self, version: Version, component: &Component) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|(v, _)| *v != version);
        let forgotten = (recent.len() == RECENT).then(|| recent.remove(0));
        recent.push((version, component.clone()));
        drop(recent);
        // Unmapping code takes a while.
        drop(forgotten);
    }

    fn file_name(&self, version: Version) -> String {
        let compatible =
            BuildHasherDefault::<DefaultHasher>::default().hash_one(self.engine.precompile_compatibility_hash());
        format!("{version:#}-{compatible:016x}.cwasm")
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

/// Compiles in this process, with an engine that goes with what it needed.
fn compile_here(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let engine = engine::compiling().map_err(|e| e.to_string())?;
    engine.precompile_component(bytes).map_err(|e| format!("{e:#}"))
}

/// Compiles in a child: the module goes in at its stdin, the code comes out at its stdout.
fn in_child(program: &Path, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let gone = |error: std::io::Error| format!("the compiler's process: {error}");
    let mut child = Command::new(program)
        .arg("compile")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(gone)?;
    let (Some(mut stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err("the compiler's process has no pipes".into());
    };
    let (compiled, said, ended) = std::thread::scope(|scope| {
        scope.spawn(move || {
            // A child that takes no more has said why on stderr.
            let _ = stdin.write_all(bytes);
        });
        let compiled = scope.spawn(|| read(stdout, MOST_CODE_BYTES));
        let said = scope.spawn(|| read(stderr, 64 << 10));
        let ended = wait(&mut child);
        (compiled.join(), said.join(), ended)
    });
    let Some(status) = ended.map_err(gone)? else {
        return Err(format!("it did not compile within {} s", COMPILE_TIME.as_secs()));
    };
    match (status.success(), compiled) {
        (true, Ok(compiled)) => compiled.map_err(gone),
        _ => {
            let said = said.ok().and_then(Result::ok).unwrap_or_default();
            Err(match String::from_utf8_lossy(&said).trim() {
                "" => format!("the compiler ended with {status}"),
                said => said.to_owned(),
            })
        }
    }
}

/// How the child ended; none when it was killed because it took too long.
fn wait(child: &mut Child) -> std::io::Result<Option<ExitStatus>> {
    let started = Instant::now();
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(Some(status)),
            None if started.elapsed() > COMPILE_TIME => {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            None => std::thread::park_timeout(Duration::from_millis(2)),
        }
    }
}

fn read(from: impl Read, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(std::io::Error::other(format!("more than {} MiB", most >> 20)));
    }
    Ok(bytes)
}

/// What `stowage compile` does, for a server: stdin to stdout, with no more memory than a module's compiling may take.
///
/// # Errors
/// When stdin holds no component, or one that is too large.
pub fn compile_stdin() -> anyhow::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = Rlimit {
        current: Some(COMPILE_BYTES),
        maximum: Some(COMPILE_BYTES),
    };
    setrlimit(Resource::Data, limit)?;
    let bytes = read(std::io::stdin().lock(), MAX_MODULE_BYTES as u64)?;
    let compiled = compile_here(&bytes).map_err(anyhow::Error::msg)?;
    std::io::stdout().lock().write_all(&compiled)?;
    Ok(())
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
