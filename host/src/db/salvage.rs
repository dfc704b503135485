//! `stowage db salvage`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use stowage_backup::{STRAY_ROWS, Salvage, salvage};
use stowage_cli::{API_ERROR, AdminArgs, output};

use super::backup::progress_bar;
use super::reach::{Reach, check_database, without_server};

/// Save what can be read of a damaged data directory into a new one
///
/// Nothing is written into the damaged directory. The report says what was lost. Exit status: 0
/// nothing was lost, 1 something was, 2 any other failure.
#[derive(Debug, Args)]
#[command(
    mut_args = without_server,
    after_help = "Examples:\n  stowage db salvage --to ./saved\n  stowage db salvage --data ./data --to ./saved --json"
)]
pub struct SalvageArgs {
    /// Which data directory
    #[command(flatten)]
    pub admin: AdminArgs,
    /// The new data directory, which must be absent or empty
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

impl SalvageArgs {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let data = match Reach::find(&self.admin).await? {
            Reach::Files(data) => data,
            Reach::Server(_) => bail!("a server uses the database; stop it first, then salvage"),
        };
        check_database(&data)?;
        let bar = progress_bar(self.json);
        bar.set_message("reading what can be read");
        let to = self.to.clone();
        let salvaged = tokio::task::spawn_blocking(move || salvage(&data, &to)).await;
        bar.finish_and_clear();
        let saved = salvaged.context("the salvage panicked")??;
        let text = match self.json {
            true => serde_json::to_string(&saved)?,
            false => self.text(&saved),
        };
        output::line(text.trim_end())?;
        Ok(match saved.is_complete() {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(API_ERROR),
        })
    }

    fn text(&self, saved: &Salvage) -> String {
        let mut text = String::new();
        for (table, rows) in &saved.tables {
            text.push_str(&format!("{:<26} {rows:>9} rows\n", output::printable(table)));
        }
        text.push_str(&format!("saved: {} rows, {} files\n", saved.rows, saved.files));
        let place = |place: &Option<String>, end: &str| place.as_deref().map_or(end.to_owned(), output::printable);
        for gap in &saved.gaps {
            let (after, before) = (place(&gap.after, "the start"), place(&gap.before, "the end"));
            text.push_str(&format!("lost: rows between {after} and {before}\n"));
        }
        for (count, what) in [
            (
                saved.gap_count.saturating_sub(saved.gaps.len() as u64),
                "further ranges of rows",
            ),
            (saved.unknown_rows, "rows without sense"),
            (saved.lost_log_batches, "batches of the log"),
        ] {
            if count > 0 {
                text.push_str(&format!("lost: {count} {what}\n"));
            }
        }
        if saved.is_earlier_commit {
            text.push_str("lost: the last commit of the database; the one before was read\n");
        }
        for file in &saved.lost_files {
            text.push_str(&format!(
                "lost: {}: {}\n",
                output::printable(&file.path),
                output::printable(&file.reason)
            ));
        }
        if saved.stray_rows > 0 {
            text.push_str(&format!(
                "{} rows of lost parts, perhaps old ones, are in {}\n",
                saved.stray_rows,
                self.to.join(STRAY_ROWS).display()
            ));
        }
        if !saved.is_checked {
            text.push_str("the database has no checksums: damage of single values was not noticed\n");
        }
        if saved.findings_len > 0 {
            text.push_str(&format!(
                "{} things do not fit together; `stowage db check --data {}` lists them\n",
                saved.findings_len,
                self.to.display()
            ));
        }
        text.push_str(match saved.is_complete() {
            true => "nothing was lost\n",
            false => "the rest was lost; a backup may have it\n",
        });
        text
    }
}
