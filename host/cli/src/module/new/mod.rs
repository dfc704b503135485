//! `stowage module new`: writes a crate for a module, outside of the repository.

mod folder;
mod method;
mod name;
mod overriding;
mod own;
mod sources;
mod vendor;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

pub use name::{BUILTIN_MODULES, ModuleName, NameError};

use crate::output;
use method::Method;
use sources::Sources;

/// Write the crate of a new module
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                        stowage module new notes\n  \
                        stowage module new my-favorites --override getImFavoriteList")]
pub struct NewArgs {
    /// The name in kebab-case; also that of the directory and of the module in the API
    #[arg(value_name = "NAME")]
    pub name: ModuleName,
    /// A method of the storage API that it overrides; repeatable [default: an interface of its own]
    #[arg(long = "override", value_name = "METHOD")]
    pub overrides: Vec<String>,
    /// The directory to create [default: ./NAME]
    #[arg(long, value_name = "PATH")]
    pub dir: Option<PathBuf>,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

impl NewArgs {
    /// Writes the crate and prints the next steps.
    ///
    /// # Errors
    /// There is no such method, the directory exists, or it cannot be written.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let dir = self.dir.unwrap_or_else(|| self.name.to_string().into());
        let shown = dir.display().to_string();
        let name = self.name.clone();
        let written = dir.clone();
        tokio::task::spawn_blocking(move || write(&self.name, &self.overrides, &written)).await??;
        if self.json {
            let dir = std::path::absolute(&dir).unwrap_or(dir);
            output::line(&serde_json::json!({"name": name.to_string(), "dir": dir.to_string_lossy()}).to_string())?;
            return Ok(ExitCode::SUCCESS);
        }
        output::line(&format!(
            "made the module {name} in {shown}\n\n  cd {shown}\n  make build    the component\n  make test     its tests\n  make swap     into the running server\n\nREADME.md there goes on."
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn write(name: &ModuleName, overrides: &[String], dir: &Path) -> anyhow::Result<()> {
    let sources = Sources::unpack();
    let files = if overrides.is_empty() {
        own::files(&sources, name)
    } else {
        let methods = overrides.iter().map(|method| Method::find(&sources, method));
        overriding::files(&sources, name, &methods.collect::<Result<Vec<_>, _>>()?)
    };
    files.write(dir)?;
    format(dir);
    Ok(())
}

/// Formats the files with rustfmt, if there is one: line breaks depend on the length of names.
fn format(dir: &Path) {
    let files = ["src", "tests", "wasmtime-tests"].into_iter().flat_map(|part| {
        let entries = std::fs::read_dir(dir.join(part)).into_iter().flatten();
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path()))
    });
    let files: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    // Without rustfmt the crate works too, and some line breaks differ.
    let _ = std::process::Command::new("rustfmt")
        .args(["--edition", "2024", "--config", "max_width=120"])
        .args(files)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
}
