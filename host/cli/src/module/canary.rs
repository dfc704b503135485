//! `stowage module canary`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::admin::AdminClient;
use super::args::{ThresholdArgs, percent};
use super::file::ModuleFile;
use super::show;
use crate::locate::AdminArgs;
use crate::output;

/// Let a version answer a share of the calls
#[derive(Debug, Args)]
pub struct CanaryArgs {
    /// Which server
    #[command(flatten)]
    pub admin: AdminArgs,
    /// The module
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The component
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Percent of the calls
    #[arg(long, value_name = "PERCENT", default_value = "5", value_parser = percent)]
    pub percent: f64,
    /// Only calls of this method; repeatable
    #[arg(long = "method", value_name = "METHOD")]
    pub methods: Vec<String>,
    /// Override findings of the check that are forceable
    #[arg(long)]
    pub force: bool,
    /// When it fails
    #[command(flatten)]
    pub thresholds: ThresholdArgs,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

impl CanaryArgs {
    /// Starts the canary and prints it.
    ///
    /// # Errors
    /// The file cannot be read, no server answered, or it refused the canary.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let file = ModuleFile::read(Some(&self.name), &self.file)?;
        let mut options = self.thresholds.query();
        options.push(("percent", self.percent.to_string()));
        options.push(("force", self.force.to_string()));
        options.extend(self.methods.into_iter().map(|method| ("method", method)));
        let status = AdminClient::new(self.admin.client()?).canary(file, options).await?;
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
