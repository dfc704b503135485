//! `stowage db compact`.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;
use stowage_backup::DATABASE;
use stowage_cli::{AdminArgs, ByteSize, output};
use stowage_storage::compact;

use super::backup::progress_bar;
use super::reach::{Reach, check_database, without_server};

/// Rewrite the database without unused space; the server must be stopped
///
/// All rows are copied into a new file, which then takes the place of the old one. So a crash or a
/// full disk loses nothing.
#[derive(Debug, Args)]
#[command(
    mut_args = without_server,
    after_help = "Examples:\n  stowage db compact\n  stowage db compact --data ./data --json"
)]
pub struct CompactArgs {
    /// Which data directory
    #[command(flatten)]
    pub admin: AdminArgs,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

impl CompactArgs {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let data = match Reach::find(&self.admin).await? {
            Reach::Files(data) => data,
            Reach::Server(_) => bail!("a server uses the database; stop it first, then compact"),
        };
        check_database(&data)?;
        let bar = progress_bar(self.json);
        bar.set_message("copying all rows");
        let database = data.join(DATABASE);
        let compacted = tokio::task::spawn_blocking(move || compact(&database)).await;
        bar.finish_and_clear();
        let (before, after) = compacted.context("the compaction panicked")??;
        let text = match self.json {
            true => json!({"before": before, "after": after}).to_string(),
            false => format!("{} before, {} after", ByteSize(before), ByteSize(after)),
        };
        output::line(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}
