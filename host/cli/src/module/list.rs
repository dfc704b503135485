//! `stowage module list`.

use std::process::ExitCode;

use clap::Args;

use super::admin::AdminClient;
use super::show;
use crate::locate::AdminArgs;

/// Show what is live
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Which server
    #[command(flatten)]
    pub admin: AdminArgs,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

impl ListArgs {
    /// Prints what is live.
    ///
    /// # Errors
    /// No server answered.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let list = AdminClient::new(self.admin.client()?).list().await?;
        show::print(&list, self.json, show::modules)?;
        Ok(ExitCode::SUCCESS)
    }
}
