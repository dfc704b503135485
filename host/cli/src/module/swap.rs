//! `stowage module swap`.

use std::process::ExitCode;

use clap::Args;

use super::admin::AdminClient;
use super::args::ProbationArgs;
use super::file::ModuleFile;
use super::show;
use crate::completion;
use crate::locate::AdminArgs;

/// Take modules live
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                        stowage module swap favorites.wasm\n  \
                        stowage module swap favorites.wasm common=build/common.wasm --probation 120")]
pub struct SwapArgs {
    /// Which server
    #[command(flatten)]
    pub admin: AdminArgs,
    /// The components, NAME=FILE, or FILE, which gives the name; several go live together or not at
    /// all
    #[arg(value_name = "NAME=FILE", required = true, add = completion::files())]
    pub files: Vec<String>,
    /// Override findings of the check that are forceable: removed or changed functions
    #[arg(long)]
    pub force: bool,
    /// How they go live
    #[command(flatten)]
    pub probation: ProbationArgs,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

impl SwapArgs {
    /// Swaps the modules and prints the report.
    ///
    /// # Errors
    /// A file cannot be read, no server answered, or it refused the swap.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let files = self
            .files
            .iter()
            .map(|file| ModuleFile::parse(file))
            .collect::<Result<Vec<_>, _>>()?;
        let mut options = self.probation.query();
        options.push(("force", self.force.to_string()));
        let report = AdminClient::new(self.admin.client()?).swap(files, options).await?;
        show::print(&report, self.json, show::swap)?;
        Ok(ExitCode::SUCCESS)
    }
}
