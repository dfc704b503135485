//! `stowage module canary`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::admin::AdminClient;
use super::args::{ThresholdArgs, percent};
use super::file::ModuleFile;
use super::show;
use crate::locate::AdminArgs;
use crate::{completion, output};

/// Percent of the calls that a new canary answers.
const DEFAULT_PERCENT: f64 = 5.0;

/// Let a version answer a share of the calls, or change the share of a running canary
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stowage module canary favorites new.wasm --percent 10\n  stowage module canary favorites --percent 50"
)]
pub struct CanaryArgs {
    /// Which server
    #[command(flatten)]
    pub admin: AdminArgs,
    /// The module
    #[arg(value_name = "NAME", add = completion::modules())]
    pub name: String,
    /// The component; without it, the share of the running canary is changed
    #[arg(value_name = "FILE", required_unless_present = "percent")]
    pub file: Option<PathBuf>,
    /// Percent of the calls [default: 5]
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub percent: Option<f64>,
    /// Only calls of this method; repeatable
    #[arg(long = "method", value_name = "METHOD", requires = "file", add = completion::methods())]
    pub methods: Vec<String>,
    /// Override findings of the check that are forceable
    #[arg(long, requires = "file")]
    pub force: bool,
    /// When it fails
    #[command(flatten)]
    pub thresholds: ThresholdArgs,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

impl CanaryArgs {
    /// Starts the canary, or changes its share, and prints it.
    ///
    /// # Errors
    /// The file cannot be read, no server answered, or it refused the canary.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let percent = self.percent.unwrap_or(DEFAULT_PERCENT);
        let client = AdminClient::new(self.admin.client()?);
        let status = match &self.file {
            None => {
                anyhow::ensure!(
                    self.thresholds.query().is_empty(),
                    "--max-faults, --max-errors: expected FILE too; a running canary keeps its thresholds"
                );
                client.canary_percent(&self.name, percent).await?
            }
            Some(file) => {
                let file = ModuleFile::read(Some(&self.name), file)?;
                let mut options = self.thresholds.query();
                options.push(("percent", percent.to_string()));
                options.push(("force", self.force.to_string()));
                options.extend(self.methods.into_iter().map(|method| ("method", method)));
                client.canary(file, options).await?
            }
        };
        show::print(&status, self.json, show::canary_line)?;
        if !self.json {
            let name = output::printable(&self.name);
            output::line(&format!(
                "next: `stowage module list` shows how it does; `stowage module promote {name}` or `stowage module abort {name}` ends it"
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
