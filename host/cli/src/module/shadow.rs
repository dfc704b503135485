//! `stowage module shadow`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::admin::{AdminClient, AdminError};
use super::args::percent;
use super::file::ModuleFile;
use super::show;
use crate::locate::AdminArgs;
use crate::{API_ERROR, completion, output};
use stowage_deploy::api::ShadowReport;

/// The time between two requests for the report while it is watched.
const GLANCE: Duration = Duration::from_secs(1);

/// Run a version in shadow of the live one
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                        stowage module shadow favorites new.wasm --watch\n  \
                        stowage module shadow favorites --report")]
pub struct ShadowArgs {
    /// Which server
    #[command(flatten)]
    pub admin: AdminArgs,
    /// The module
    #[arg(value_name = "NAME", add = completion::modules())]
    pub name: String,
    /// The component
    #[arg(value_name = "FILE", required_unless_present = "report", conflicts_with = "report")]
    pub file: Option<PathBuf>,
    /// Percent of the live calls that are compared
    #[arg(long, value_name = "PERCENT", default_value = "100", value_parser = percent)]
    pub percent: f64,
    /// Show the report until Ctrl-C; the shadow continues
    #[arg(long)]
    pub watch: bool,
    /// Show the report of the running shadow; the exit status is 1 if calls differ
    #[arg(long)]
    pub report: bool,
    /// Print JSON, one line for each report
    #[arg(long)]
    pub json: bool,
}

impl ShadowArgs {
    /// Starts the shadow or asks for its report, and prints the report.
    ///
    /// # Errors
    /// The file cannot be read, no server answered, or it refused the shadow.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let client = AdminClient::new(self.admin.client()?);
        let report = match &self.file {
            Some(file) => {
                let file = ModuleFile::read(Some(&self.name), file)?;
                client.shadow(file, self.percent).await?
            }
            None => client.shadow_report(&self.name).await?,
        };
        show::print(&report, self.json, show::shadow)?;
        if self.file.is_some() && !self.json {
            let name = output::printable(&self.name);
            output::line(&format!(
                "next: `stowage module shadow {name} --report`; `stowage module promote {name}` or `stowage module abort {name}` ends it"
            ))?;
        }
        let report = if self.watch {
            self.follow(&client, report).await?
        } else {
            report
        };
        Ok(if self.report && report.different > 0 {
            ExitCode::from(API_ERROR)
        } else {
            ExitCode::SUCCESS
        })
    }

    /// Prints changed reports until Ctrl-C, until stdout is closed, or until the shadow ends.
    /// Returns the last report.
    async fn follow(&self, client: &AdminClient, mut report: ShadowReport) -> anyhow::Result<ShadowReport> {
        let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
        loop {
            tokio::select! {
                stopped = &mut interrupted => {
                    stopped?;
                    return Ok(report);
                }
                () = tokio::time::sleep(GLANCE) => {}
            }
            let latest = match client.shadow_report(&self.name).await {
                Ok(latest) => latest,
                Err(AdminError::Refused { message, .. }) => {
                    eprintln!("the shadow has ended: {}", output::printable(&message));
                    return Ok(report);
                }
                Err(error) => return Err(error.into()),
            };
            if latest == report {
                continue;
            }
            let text = if self.json {
                serde_json::to_string(&latest)?
            } else {
                let known = report.differences.len().min(latest.differences.len());
                std::iter::once(show::shadow_line(&latest))
                    .chain(latest.differences[known..].iter().map(show::difference))
                    .collect::<Vec<_>>()
                    .join("\n")
            };
            report = latest;
            if !output::line(&text)? {
                return Ok(report);
            }
        }
    }
}
