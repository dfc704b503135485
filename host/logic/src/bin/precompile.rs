//! `stowage-precompile FROM TO`: compiles the modules of a directory, so that the build of the
//! program can put their code into it.
//!
//! The code of `FROM/NAME.wasm` is `TO/VERSION.cwasm`, where the version is the SHA-256 of the
//! module. As make does, it keeps code that is newer than this program. Other files in `TO` are
//! removed.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::Context as _;
use stowage_logic::{Version, precompile};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [from, to] = &arguments[..] else {
        eprintln!("usage: stowage-precompile FROM TO: compiles FROM/*.wasm to TO/VERSION.cwasm");
        return ExitCode::from(2);
    };
    match run(Path::new(from), Path::new(to)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stowage-precompile: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    let program = modified(&std::env::current_exe()?)?;
    let modules: Vec<PathBuf> = files(from)?
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
        .collect();
    anyhow::ensure!(!modules.is_empty(), "{}: expected files NAME.wasm", from.display());
    let mut kept = BTreeSet::new();
    for module in modules {
        let bytes = fs::read(&module).with_context(|| module.display().to_string())?;
        let code = to.join(format!("{:#}.cwasm", Version::of(&bytes)));
        if !modified(&code).is_ok_and(|made| made > program) {
            let compiled = precompile(&bytes).with_context(|| module.display().to_string())?;
            write(&code, &compiled)?;
        }
        kept.insert(code);
    }
    for outdated in files(to)?.into_iter().filter(|file| !kept.contains(file)) {
        fs::remove_file(&outdated).with_context(|| outdated.display().to_string())?;
    }
    Ok(())
}

/// Replaces a file in one step: a build that is stopped leaves no half of a file.
fn write(file: &Path, content: &[u8]) -> anyhow::Result<()> {
    let temporary = file.with_extension("tmp");
    fs::write(&temporary, content)
        .and_then(|()| fs::rename(&temporary, file))
        .with_context(|| file.display().to_string())
}

fn files(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| dir.display().to_string())?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.with_context(|| dir.display().to_string())?.path());
    }
    paths.sort();
    Ok(paths)
}

fn modified(file: &Path) -> anyhow::Result<SystemTime> {
    let modified = fs::metadata(file).and_then(|file| file.modified());
    modified.with_context(|| file.display().to_string())
}
