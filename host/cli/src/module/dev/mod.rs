//! `stowage module dev`: builds the crate of a module and swaps it into the running server, on
//! every save.

mod build;
mod source_watch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

pub use build::CrateError;

use super::admin::AdminClient;
use super::file::ModuleFile;
use super::show;
use crate::locate::AdminArgs;
use crate::output;
use build::ModuleCrate;
use source_watch::SourceWatch;

/// Build a module and swap it into the running server, on every save
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stowage module dev .\n  stowage module dev notes --name notes")]
pub struct DevArgs {
    /// Which server
    #[command(flatten)]
    pub admin: AdminArgs,
    /// The crate's directory
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// The module [default: the crate's name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Override findings of the check that are forceable: removed or changed functions
    #[arg(long)]
    pub force: bool,
}

impl DevArgs {
    /// Runs until ctrl-c. If the build fails, the server refuses the module or no server answers,
    /// it shows why, and the next save tries again.
    ///
    /// # Errors
    /// The directory is not the crate of a module, or cannot be watched.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        tokio::select! {
            result = self.work() => result.map(|()| ExitCode::SUCCESS),
            stopped = tokio::signal::ctrl_c() => {
                stopped.context("ctrl-c cannot be waited for")?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }

    async fn work(&self) -> anyhow::Result<()> {
        let module = ModuleCrate::find(&self.dir).await?;
        let name = self.name.as_deref().unwrap_or(&module.name);
        let watching = || format!("{} cannot be watched", self.dir.display());
        // Watch before the first build, so that no save during it is missed.
        let mut changes = SourceWatch::of(module.dir()).with_context(watching)?;
        loop {
            match self.cycle(&module, name).await {
                Ok(text) => {
                    output::line(&text)?;
                }
                Err(error) => report(&error),
            }
            output::line("waiting for a save (ctrl-c ends)")?;
            changes.next().await.with_context(watching)?;
        }
    }

    /// Builds and swaps once, and returns the report of the swap.
    async fn cycle(&self, module: &ModuleCrate, name: &str) -> anyhow::Result<String> {
        if !module.build().await? {
            anyhow::bail!("{name} does not build; what is live stays");
        }
        let path: &Path = &module.component;
        let file = ModuleFile::read(Some(name), path)?;
        // A restarted server may have another address.
        let client = AdminClient::new(self.admin.client()?);
        let report = client.swap(vec![file], vec![("force", self.force.to_string())]).await?;
        Ok(show::swap(&report))
    }
}

/// Shows why a build or a swap failed, with the report of the check if there is one.
fn report(error: &anyhow::Error) {
    if let Some(super::AdminError::Refused {
        report: Some(report), ..
    }) = error.downcast_ref()
    {
        eprintln!("{}", show::check(report));
    }
    for line in format!("{error:#}").lines() {
        eprintln!("stowage: {}", output::printable(line));
    }
}
