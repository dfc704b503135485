//! The modules inside the binary with their code, and those of a directory.

use std::path::Path;

use anyhow::Context as _;
use stowage_logic::{Precompiled, Version};

/// A module inside the binary.
struct BuiltinModule {
    name: &'static str,
    bytes: &'static [u8],
    version: Version,
    /// Its code, if `stowage-precompile` ran before the build.
    code: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// Name and bytes of the built-in modules, in load order.
pub fn builtin_modules() -> Vec<(String, Vec<u8>)> {
    BUILTIN
        .iter()
        .map(|module| (module.name.to_owned(), module.bytes.to_vec()))
        .collect()
}

/// The code of the built-in modules.
pub fn builtin_code() -> Vec<Precompiled> {
    let code = |module: &BuiltinModule| {
        // SAFETY: the build takes the code from the file that `stowage-precompile` named by the
        // module's version.
        module
            .code
            .map(|code| unsafe { Precompiled::new(module.version, code) })
    };
    BUILTIN.iter().filter_map(code).collect()
}

/// Name and bytes of the `NAME.wasm` files of a directory, sorted by name.
///
/// # Errors
/// When the directory or a file of it cannot be read, or a file is too large for a module.
pub fn read_modules(dir: &Path) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut modules = Vec::new();
    let entries = std::fs::read_dir(dir).with_context(|| format!("the module directory {}", dir.display()))?;
    for entry in entries {
        let path = entry
            .with_context(|| format!("the module directory {}", dir.display()))?
            .path();
        if path.extension().is_none_or(|e| e != "wasm") {
            continue;
        }
        let Some(name) = path.file_stem().and_then(|s| s.to_str()) else {
            anyhow::bail!("{}: the file name is not UTF-8", path.display());
        };
        let size = path.metadata().with_context(|| path.display().to_string())?.len();
        anyhow::ensure!(
            size <= stowage_logic::MAX_MODULE_BYTES as u64,
            "{}: expected a module of at most {} MiB",
            path.display(),
            stowage_logic::MAX_MODULE_BYTES >> 20
        );
        let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
        modules.push((name.to_owned(), bytes));
    }
    modules.sort();
    Ok(modules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_knows_the_names_of_the_built_in_modules() {
        let names: Vec<_> = BUILTIN.iter().map(|module| module.name).collect();
        assert_eq!(names, stowage_cli::module::BUILTIN_MODULES);
    }

    #[test]
    fn the_build_gave_each_built_in_module_its_version() {
        for module in BUILTIN {
            assert_eq!(module.version, Version::of(module.bytes), "{}", module.name);
        }
    }
}
