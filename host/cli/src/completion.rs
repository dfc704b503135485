//! What a shell completes that only a running server knows: its methods and its modules.
//!
//! The server is that of the command that is being typed: `--data DIR`, else STOWAGE_DATA, else the
//! platform's directory. Without a server nothing is completed: these words are of no use then.

use std::path::PathBuf;
use std::time::Duration;

use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter};
use stowage_deploy::api::ModuleList;

use crate::locate::AdminArgs;
use crate::module::AdminClient;

/// How long a person waits for a completion.
const PATIENCE: Duration = Duration::from_millis(500);

/// The methods that the server serves, as `stowage call` takes them.
pub(crate) fn methods() -> ArgValueCandidates {
    ArgValueCandidates::new(|| candidates(live().as_ref().map(method_names).unwrap_or_default()))
}

/// The modules that are live.
pub(crate) fn modules() -> ArgValueCandidates {
    ArgValueCandidates::new(|| candidates(live().map(module_names).unwrap_or_default()))
}

/// Files, for an argument that is a text because it may have more than a path.
pub(crate) fn files() -> ArgValueCompleter {
    ArgValueCompleter::new(PathCompleter::file())
}

fn candidates(names: Vec<String>) -> Vec<CompletionCandidate> {
    names.into_iter().map(CompletionCandidate::new).collect()
}

fn module_names(list: ModuleList) -> Vec<String> {
    list.modules.into_iter().map(|module| module.name).collect()
}

fn method_names(list: &ModuleList) -> Vec<String> {
    let methods = list.modules.iter().flat_map(|module| &module.methods);
    let mut names: Vec<_> = methods.cloned().collect();
    names.sort();
    names
}

/// The live modules. `None` if no server answers in time.
fn live() -> Option<ModuleList> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let data = data_dir_in(words).or_else(|| std::env::var_os("STOWAGE_DATA").map(PathBuf::from));
    let client = AdminArgs {
        data,
        ..AdminArgs::default()
    }
    .client()
    .ok()?;
    runtime.block_on(async {
        let list = tokio::time::timeout(PATIENCE, AdminClient::new(client).list()).await;
        list.ok()?.ok()
    })
}

/// The value of `--data` in a command line. The shell passes the words as they are typed.
fn data_dir_in(words: impl Iterator<Item = String>) -> Option<PathBuf> {
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        if word == "--data" {
            return words.next().map(PathBuf::from);
        }
        if let Some(value) = word.strip_prefix("--data=") {
            return Some(value.into());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_directory_is_that_of_the_typed_command() {
        let found = |line: &str| data_dir_in(line.split(' ').map(str::to_owned));
        assert_eq!(found("stowage -- stowage call --data /d getI"), Some("/d".into()));
        assert_eq!(found("stowage -- stowage call --data=/d getI"), Some("/d".into()));
        assert_eq!(found("stowage -- stowage call getI"), None);
    }
}
