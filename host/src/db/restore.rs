//! `stowage db restore`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use stowage_backup::{Progress, Target, choose, place_url, restore};
use stowage_cli::output;
use tokio::time::sleep;

use super::backup::{progress_bar, show};
use super::backups::text_of;

/// The time between two looks how far it is.
const SHOW_EVERY: Duration = Duration::from_millis(200);

/// Restore a backup into a new data directory
///
/// Every chunk and file is checked against its hash, and every restored row is compared with the
/// backup. After a failure no data directory is there.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stowage db restore /mnt/backups --data ./restored\n  stowage db restore s3://bucket/stowage --id ID --data /srv/stowage"
)]
pub struct RestoreArgs {
    /// The place of the backups: a folder, or s3://BUCKET/PREFIX, gs://…, az://…
    #[arg(value_name = "FROM")]
    pub from: String,
    /// Which backup, as `stowage db backups` shows it [default: the newest]
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// The new data directory, which must be absent or empty
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

impl RestoreArgs {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let target = Target::open(&place_url(&self.from)?, false)?;
        let manifest = choose(&target, self.id.as_deref()).await?;
        let progress = Arc::new(Progress::default());
        let bar = progress_bar(self.json);
        let showing = async {
            loop {
                show(&bar, progress.snapshot());
                sleep(SHOW_EVERY).await;
            }
        };
        let restored = tokio::select! {
            restored = restore(&target, &manifest, &self.data, &progress) => restored,
            () = showing => unreachable!("it never ends"),
        };
        bar.finish_and_clear();
        restored?;
        let listed = stowage_backup::Listed::from(&manifest);
        if self.json {
            let result = json!({"backup": listed, "skipped": manifest.skipped, "data": self.data});
            output::line(&result.to_string())?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut text = text_of(&listed);
        for skipped in &manifest.skipped {
            text.push_str(&format!(
                "not in the backup: {}: {}\n",
                output::printable(&skipped.path),
                output::printable(&skipped.reason)
            ));
        }
        text.push_str(&format!(
            "restored, every row compared; start it with the space of the old server: stowage serve --data {} --space \
             SPACE\n",
            self.data.display()
        ));
        output::line(text.trim_end())?;
        Ok(ExitCode::SUCCESS)
    }
}
