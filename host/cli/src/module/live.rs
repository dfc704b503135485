//! `stowage module promote`, `abort`, `rollback` and `unload`: changes of the live set without new
//! bytes.

use std::process::ExitCode;

use clap::Args;

use super::admin::AdminClient;
use super::args::ProbationArgs;
use super::show;
use crate::completion;
use crate::locate::AdminArgs;
use crate::output::printable;
use stowage_deploy::api::Done;

/// Take a shadow or a canary live
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stowage module promote favorites")]
pub struct PromoteArgs {
    /// Which server
    #[command(flatten)]
    pub admin: AdminArgs,
    /// The module
    #[arg(value_name = "NAME", add = completion::modules())]
    pub name: String,
    /// Override findings of the check that are forceable
    #[arg(long)]
    pub force: bool,
    /// How it goes live
    #[command(flatten)]
    pub probation: ProbationArgs,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

impl PromoteArgs {
    /// Promotes the version and prints the report.
    ///
    /// # Errors
    /// No server answered, or it refused the request.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let mut options = self.probation.query();
        options.push(("name", self.name));
        options.push(("force", self.force.to_string()));
        let report = AdminClient::new(self.admin.client()?).promote(options).await?;
        show::print(&report, self.json, show::swap)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// End a shadow or a canary
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stowage module abort favorites")]
pub struct AbortArgs {
    /// Which server
    #[command(flatten)]
    pub admin: AdminArgs,
    /// The module
    #[arg(value_name = "NAME", add = completion::modules())]
    pub name: String,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

impl AbortArgs {
    /// Ends the trial.
    ///
    /// # Errors
    /// No server answered, or it refused.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        AdminClient::new(self.admin.client()?).abort(&self.name).await?;
        show::print(&Done {}, self.json, |_| {
            format!("aborted: only the live version of {} answers", printable(&self.name))
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Go back
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stowage module rollback\n  stowage module rollback --to 11")]
pub struct RollbackArgs {
    /// Which server
    #[command(flatten)]
    pub admin: AdminArgs,
    /// The generation to go back to, from `stowage module history` [default: the one before]
    #[arg(long, value_name = "GENERATION")]
    pub to: Option<u64>,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

impl RollbackArgs {
    /// Rolls back and prints the report.
    ///
    /// # Errors
    /// No server answered, or it refused.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let report = AdminClient::new(self.admin.client()?).rollback(self.to).await?;
        show::print(&report, self.json, show::swap)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Unload a module
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stowage module unload notes")]
pub struct UnloadArgs {
    /// Which server
    #[command(flatten)]
    pub admin: AdminArgs,
    /// The module
    #[arg(value_name = "NAME", add = completion::modules())]
    pub name: String,
    /// Unload it even if no other module serves some of its methods
    #[arg(long)]
    pub force: bool,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

impl UnloadArgs {
    /// Unloads the module and prints the report.
    ///
    /// # Errors
    /// No server answered, or it refused.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let report = AdminClient::new(self.admin.client()?)
            .unload(vec![("name", self.name), ("force", self.force.to_string())])
            .await?;
        show::print(&report, self.json, show::swap)?;
        Ok(ExitCode::SUCCESS)
    }
}
