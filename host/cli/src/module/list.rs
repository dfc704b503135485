//! `stowage module list`.

use std::process::ExitCode;

use clap::Args;

use super::admin::AdminClient;
use super::show;
use crate::locate::AdminArgs;

/// Show the live modules
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stowage module list")]
pub struct ListArgs {
    /// Which server
    #[command(flatten)]
    pub admin: AdminArgs,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

impl ListArgs {
    /// Prints the live modules.
    ///
    /// # Errors
    /// No server answered.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let list = AdminClient::new(self.admin.client()?).list().await?;
        show::print(&list, self.json, show::modules)?;
        Ok(ExitCode::SUCCESS)
    }
}
