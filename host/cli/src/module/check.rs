//! `stowage module check`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use stowage_logic::MAX_MODULE_BYTES;

use super::admin::AdminClient;
use super::file::{ModuleFile, read_at_most};
use super::show;
use crate::API_ERROR;
use crate::locate::AdminArgs;

/// Check a module
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                        stowage module check favorites.wasm\n  \
                        stowage module check build/new.wasm --name favorites --recording calls.ndjson")]
pub struct CheckArgs {
    /// Which server
    #[command(flatten)]
    pub admin: AdminArgs,
    /// The component
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The name of the module [default: the name of the file]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// A recording whose calls it must answer as recorded
    #[arg(long, value_name = "FILE")]
    pub recording: Option<PathBuf>,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

impl CheckArgs {
    /// Checks the module and prints the report.
    ///
    /// # Errors
    /// A file cannot be read, or no server answered.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let file = ModuleFile::read(self.name.as_deref(), &self.file)?;
        let recording = self
            .recording
            .map(|path| read_at_most(&path, MAX_MODULE_BYTES))
            .transpose()?;
        let report = AdminClient::new(self.admin.client()?).check(file, recording).await?;
        show::print(&report, self.json, show::check)?;
        Ok(if report.passed {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(API_ERROR)
        })
    }
}
