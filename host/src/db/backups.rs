//! `stowage db backups`.

use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use clap::Args;
use stowage_backup::{Listed, Target, list, place_url};
use stowage_cli::{API_ERROR, ByteSize, output};

/// List the backups at a place
///
/// Exit status: 0 success, 1 a backup cannot be read, 2 any other failure.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stowage db backups /mnt/backups\n  stowage db backups s3://bucket/stowage --json")]
pub struct BackupsArgs {
    /// The place: a folder, or s3://BUCKET/PREFIX, gs://…, az://…
    #[arg(value_name = "AT")]
    pub at: String,
    /// Print the list as JSON
    #[arg(long)]
    pub json: bool,
}

impl BackupsArgs {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let target = Target::open(&place_url(&self.at)?, false)?;
        let listing = list(&target).await?;
        if self.json {
            output::line(&serde_json::to_string(&listing)?)?;
        } else {
            let mut text: String = listing.backups.iter().map(text_of).collect();
            for unreadable in &listing.unreadable {
                text.push_str(&format!(
                    "{}  cannot be read: {}\n",
                    output::printable(&unreadable.id),
                    output::printable(&unreadable.reason)
                ));
            }
            if text.is_empty() {
                text.push_str("no backups\n");
            }
            output::line(text.trim_end())?;
        }
        match listing.unreadable.is_empty() {
            true => Ok(ExitCode::SUCCESS),
            false => Ok(ExitCode::from(API_ERROR)),
        }
    }
}

/// A backup as a line.
pub(super) fn text_of(backup: &Listed) -> String {
    format!(
        "{}  {}  {} rows ({}), {} files ({})  {}:{}{}\n",
        output::printable(&backup.id),
        humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(backup.at)),
        backup.rows,
        ByteSize(backup.row_bytes),
        backup.files,
        ByteSize(backup.file_bytes),
        output::printable(&backup.host.name),
        output::printable(&backup.host.data),
        match backup.skipped {
            0 => String::new(),
            n => format!("  {n} files left out"),
        }
    )
}
