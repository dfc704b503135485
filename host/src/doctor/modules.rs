//! The checks of modules: those that a start would load, those that are kept, and compiled ones.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use stowage_cli::ByteSize;
use stowage_deploy::Source;
use stowage_deploy::signature::{KeyDir, PublicKeys, signers};
use stowage_deploy::watched::Watched;
use stowage_logic::{CacheState, Config, Logic, Version, inspect_cache};
use stowage_recording::NoServices;
use stowage_storage::Store;

use super::subject::Subject;
use super::verdict::{Verdict, because};
use crate::builtin::{builtin_modules, read_modules};
use crate::serve::limits;

const STARTUP_ID: &str = "modules";
const WATCHED_ID: &str = "watched-modules";
const KEPT_ID: &str = "kept-modules";
const COMPILED_ID: &str = "compiled-modules";

/// Faults that are told; others are counted.
const MOST_TOLD: usize = 3;

/// Whether the server could start with the modules of `--modules`.
pub(super) async fn check_startup(subject: &Subject) -> Verdict {
    match &subject.settings.modules {
        None => Verdict::skipped(STARTUP_ID, "no --modules directory: the built-in modules serve"),
        Some(dir) => directory(STARTUP_ID, dir, subject).await,
    }
}

/// Whether the modules of `--watch-modules` could go live.
pub(super) async fn check_watched(subject: &Subject) -> Verdict {
    let Some(dir) = &subject.settings.watch_modules else {
        return Verdict::skipped(WATCHED_ID, "no --watch-modules directory");
    };
    if let Err(error) = Watched::open(dir, &subject.data) {
        return Verdict::error(WATCHED_ID, because(&error), "make the directory, or name another one");
    }
    directory(WATCHED_ID, dir, subject).await
}

async fn directory(id: &'static str, dir: &Path, subject: &Subject) -> Verdict {
    let modules = match read_modules(dir) {
        Ok(modules) => modules,
        Err(error) => {
            let action = "check the name and who owns it; the modules are files NAME.wasm";
            return Verdict::error(id, format!("{error:#}"), action);
        }
    };
    let shown = dir.display();
    if modules.is_empty() {
        return Verdict::ok(id, format!("{shown} has no NAME.wasm"));
    }
    let config = Config {
        limits: limits(&subject.settings),
        concurrency: 1,
        compiler: std::env::current_exe().ok(),
        ..Config::default()
    };
    let store = Store::in_memory(stowage_storage::Config::default());
    let logic = match Logic::new(config, store, Arc::new(NoServices)) {
        Ok(logic) => logic,
        Err(error) => {
            return Verdict::error(
                id,
                because(&error),
                "check `ulimit -v`, and that this processor runs wasmtime",
            );
        }
    };
    let keys = subject.settings.module_keys.as_deref().map(KeyDir::open).transpose();
    let keys = match keys.and_then(|keys| keys.map(|keys| keys.read()).transpose()) {
        Ok(keys) => keys,
        Err(error) => {
            return Verdict::error(
                id,
                format!("--module-keys: {}", because(&error)),
                "name a directory of public keys; `stowage module keygen` makes one",
            );
        }
    };
    let count = modules.len();
    let mut faults = Vec::new();
    for (name, bytes) in modules {
        if let Err(fault) = load(&logic, keys.as_ref(), dir, &name, bytes).await {
            faults.push(format!("{name}.wasm: {fault}"));
        }
    }
    match faults.is_empty() {
        true => Verdict::ok(id, format!("{count} in {shown}, all of them load")),
        false => Verdict::error(
            id,
            format!("{} of {count} in {shown} do not load: {}", faults.len(), told(&faults)),
            "build them anew, or take them away; `stowage module check FILE` has the details",
        ),
    }
}

/// What a load checks: the name, who signed it if that matters, the bytes as a component, its
/// imports, exports and start-up code.
async fn load(logic: &Logic, keys: Option<&PublicKeys>, dir: &Path, name: &str, bytes: Vec<u8>) -> Result<(), String> {
    let source = Source {
        name: name.to_owned(),
        bytes,
        from: dir.display().to_string(),
    };
    source.validate().map_err(|error| because(&error))?;
    let is_built_in = || builtin_modules().iter().any(|(_, bytes)| *bytes == source.bytes);
    if let Some(keys) = keys
        && !is_built_in()
    {
        signers(&source.bytes, keys).map_err(|error| because(&error))?;
    }
    let module = logic.load(name, source.bytes).await;
    let module = module.map_err(|error| because(&error))?;
    logic.instantiate(&module).await.map_err(|error| because(&error))
}

fn told(faults: &[String]) -> String {
    let mut text = faults.iter().take(MOST_TOLD).cloned().collect::<Vec<_>>().join("; ");
    if faults.len() > MOST_TOLD {
        text.push_str(&format!("; and {} more", faults.len() - MOST_TOLD));
    }
    text
}

/// Whether the bytes of swapped modules are what their names say.
pub(super) fn check_kept(subject: &Subject) -> Verdict {
    let dir = subject.data.join("modules");
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Verdict::ok(KEPT_ID, "none yet");
        }
        Err(error) => {
            let found = format!("{} cannot be read: {error}", dir.display());
            return Verdict::error(KEPT_ID, found, "check who owns it");
        }
    };
    let mut count = 0;
    let mut faults = Vec::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let version = path.file_stem().and_then(|stem| stem.to_str()?.parse::<Version>().ok());
        let (Some(version), true) = (version, path.extension().is_some_and(|end| end == "wasm")) else {
            continue;
        };
        count += 1;
        let read = || match fs::metadata(&path)?.is_file() {
            true => fs::read(&path),
            false => Err(std::io::Error::other("it is no regular file")),
        };
        match read() {
            Ok(bytes) if Version::of(&bytes) == version => {}
            Ok(_) => faults.push(format!("{} is damaged", path.display())),
            Err(error) => faults.push(format!("{}: {error}", path.display())),
        }
    }
    match faults.is_empty() {
        true => Verdict::ok(KEPT_ID, format!("{count}, all of them as they were written")),
        false => Verdict::error(
            KEPT_ID,
            told(&faults),
            "remove the file and swap the module in again; until then, a start uses another version of it",
        ),
    }
}

/// Whether the compiled modules are whole, and nobody else can write them: they are native code.
pub(super) fn check_compiled(subject: &Subject) -> Verdict {
    let dir = subject.data.join("cache");
    let metadata = match fs::metadata(&dir) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Verdict::ok(COMPILED_ID, "none yet");
        }
        Err(error) => return Verdict::error(COMPILED_ID, format!("{}: {error}", dir.display()), "check who owns it"),
    };
    let shown = dir.display();
    if metadata.mode() & 0o022 != 0 {
        return Verdict::error(
            COMPILED_ID,
            format!("others may write into {shown}, and what is there runs as native code"),
            format!("stop the server and remove {shown}; the next start makes it anew"),
        );
    }
    match inspect_cache(&dir) {
        Ok(CacheState { files, bytes, damaged }) if damaged.is_empty() => {
            Verdict::ok(COMPILED_ID, format!("{files}, {}", ByteSize(bytes)))
        }
        Ok(CacheState { damaged, .. }) => {
            let faults: Vec<_> = damaged
                .iter()
                .map(|file| format!("{} is damaged", file.display()))
                .collect();
            Verdict::warning(
                COMPILED_ID,
                told(&faults),
                "nothing: the next start compiles them again; if this comes back, check the disk",
            )
        }
        Err(error) => Verdict::error(
            COMPILED_ID,
            format!("{shown} cannot be read: {error}"),
            "check who owns it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_faults_are_counted() {
        let faults: Vec<_> = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
        assert_eq!(told(&faults[..2]), "a; b");
        assert_eq!(told(&faults), "a; b; c; and 2 more");
    }
}
