//! The modules that are described: the built-in ones, and those of files over them.

use std::sync::Arc;

use futures_util::future::try_join_all;
use stowage_logic::{Config, Generation, Logic};
use stowage_recording::NoServices;
use stowage_storage::Store;

use crate::module::ModuleFile;

/// A module inside the program: name and bytes.
pub type BuiltinModule = (String, Vec<u8>);

/// Modules are compiled to learn their types, but no call runs.
const CONCURRENCY: usize = 1;

/// What the built-in modules serve, with the modules of these arguments over them: `NAME=FILE`, or
/// `FILE`, which gives the name. A module with the name of a built-in one replaces it. `only`
/// leaves the built-in ones out.
///
/// # Errors
/// A file cannot be read, or a module is refused.
pub(super) async fn load(builtin: Vec<BuiltinModule>, arguments: &[String], only: bool) -> anyhow::Result<Generation> {
    let mut modules = if only { Vec::new() } else { builtin };
    for argument in arguments {
        let file = ModuleFile::parse(argument)?;
        match modules.iter_mut().find(|(name, _)| *name == file.name) {
            Some((_, bytes)) => *bytes = file.bytes,
            None => modules.push((file.name, file.bytes)),
        }
    }
    let config = Config {
        concurrency: CONCURRENCY,
        ..Config::default()
    };
    let store = Store::in_memory(stowage_storage::Config::default());
    let logic = Logic::new(config, store, Arc::new(NoServices))?;
    let loading = modules
        .into_iter()
        .map(async |(name, bytes)| anyhow::Ok(Arc::new(logic.load(&name, bytes).await?)));
    Ok(Generation::new(try_join_all(loading).await?))
}
