//! Compiling, in this process or in a child.
//!
//! A module's bytes can make compiling endless or huge. Compiling also takes a hundred MiB, and no
//! allocator gives all of it back. A child process gives it back when it ends, and it is killed if
//! it takes too long.

use std::io::{Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::config;
use super::error::CompileError;
use super::limits::{MAX_COMPILE_TIME, MAX_MODULE_BYTES};

/// The largest compiled code of a module.
const MAX_CODE_BYTES: u64 = 1 << 30;
/// Bytes of the child's error output that are read.
const MAX_MESSAGE_BYTES: u64 = 64 << 10;
/// Memory of a process that compiles.
const COMPILE_BYTES: u64 = 4 << 30;

/// Compiles in this process, with an engine that is dropped with the memory it needed.
pub(crate) fn compile_here(bytes: &[u8]) -> Result<Vec<u8>, CompileError> {
    config::compiling()?
        .precompile_component(bytes)
        .map_err(CompileError::Invalid)
}

/// Compiles in a child. The module goes in at its stdin, and the code comes out at its stdout.
pub(crate) fn compile_in_child(program: &Path, bytes: &[u8]) -> Result<Vec<u8>, CompileError> {
    let mut child = Command::new(program)
        .arg("compile")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(CompileError::Process)?;
    let (Some(mut stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(CompileError::Process(std::io::Error::other("it has no pipes")));
    };
    let (compiled, message, ended) = std::thread::scope(|scope| {
        scope.spawn(move || {
            // A child that stops reading has said why on stderr.
            let _ = stdin.write_all(bytes);
        });
        let compiled = scope.spawn(|| read(stdout, MAX_CODE_BYTES));
        let message = scope.spawn(|| read(stderr, MAX_MESSAGE_BYTES));
        let ended = wait(&mut child);
        (compiled.join(), message.join(), ended)
    });
    let Some(status) = ended.map_err(CompileError::Process)? else {
        return Err(CompileError::TimedOut);
    };
    if let (true, Ok(compiled)) = (status.success(), compiled) {
        return compiled.map_err(CompileError::Process);
    }
    let message = message.ok().and_then(Result::ok).unwrap_or_default();
    Err(match String::from_utf8_lossy(&message).trim() {
        "" => CompileError::Ended(status),
        message => CompileError::Failed(message.to_owned()),
    })
}

/// How the child ended. Returns none if it took too long and was killed.
fn wait(child: &mut Child) -> std::io::Result<Option<ExitStatus>> {
    let started = Instant::now();
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(Some(status)),
            None if started.elapsed() > MAX_COMPILE_TIME => {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            None => std::thread::park_timeout(Duration::from_millis(2)),
        }
    }
}

fn read(from: impl Read, max_bytes: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(std::io::Error::other(format!("more than {} MiB", max_bytes >> 20)));
    }
    Ok(bytes)
}

/// What `stowage compile` does for a server: it compiles stdin to stdout, with bounded memory.
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
    // Only the message, because the server prints it unchanged.
    let compiled = compile_here(&bytes).map_err(|error| anyhow::Error::msg(error.to_string()))?;
    std::io::stdout().lock().write_all(&compiled)?;
    Ok(())
}
