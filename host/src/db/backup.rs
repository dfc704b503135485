//! `stowage db backup`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use http::Method;
use indicatif::ProgressBar;
use serde::Deserialize;
use serde_json::json;
use stowage_backup::{Listed, Made, Options, Phase, Progress, Snapshot, Target, back_up, check_outside, place_url};
use stowage_cli::module::AdminClient;
use stowage_cli::{API_ERROR, AdminArgs, ByteSize, output};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::backups::{BackupsArgs, text_of};
use super::reach::{Reach, open};
use crate::backups::api::{BackupStatus, EndedBackup};

/// The time between two questions how far the server is.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Back up the data directory to a folder or an object store, also while the server runs
///
/// The backup is one moment of all rows, with the files that belong to them. What is there already
/// is not stored again. Exit status: 0 success, 1 the server refused or the backup failed there, 2
/// any other failure.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stowage db backup /mnt/backups --keep 30\n  stowage db backup s3://bucket/stowage --json"
)]
pub struct BackupArgs {
    /// Which server or data directory
    #[command(flatten)]
    pub admin: AdminArgs,
    /// Where it goes: a folder, or s3://BUCKET/PREFIX, gs://…, az://…
    #[arg(value_name = "TO", value_parser = NonEmptyStringValueParser::new())]
    pub to: String,
    /// Keep the newest N backups of this host, this one included, and remove its older ones
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub keep: Option<u64>,
    /// Make no backup; list those that are there
    #[arg(long, conflicts_with = "keep")]
    pub list: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// The number of a backup that began.
#[derive(Deserialize)]
struct Begun {
    number: u64,
}

impl BackupArgs {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        if self.list {
            let list = BackupsArgs {
                at: self.to,
                json: self.json,
            };
            return list.run().await;
        }
        let url = place_url(&self.to)?;
        let keep = self.keep.map(|keep| usize::try_from(keep).unwrap_or(usize::MAX));
        let bar = progress_bar(self.json);
        let made = match Reach::find(&self.admin).await? {
            Reach::Server(client) => ask_server(&client, &url, keep, &bar).await,
            Reach::Files(data) => {
                let source = open(&data)?;
                let made = from_files(&source, &url, keep, &bar).await;
                source.store.close().await;
                made
            }
        };
        bar.finish_and_clear();
        let ended = made?;
        self.print(&ended)
    }

    fn print(&self, ended: &EndedBackup) -> anyhow::Result<ExitCode> {
        if self.json {
            output::line(&serde_json::to_string(ended)?)?;
        } else {
            output::line(text(ended).trim_end())?;
        }
        match &ended.error {
            None => Ok(ExitCode::SUCCESS),
            Some(error) => {
                eprintln!("stowage: {}", output::printable(error));
                Ok(ExitCode::from(API_ERROR))
            }
        }
    }
}

/// A line that tells how far it is; hidden for JSON and where stderr is no terminal.
pub(super) fn progress_bar(is_hidden: bool) -> ProgressBar {
    if is_hidden {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// How far it is, for a person.
pub(super) fn show(bar: &ProgressBar, progress: Snapshot) {
    let what = match progress.phase {
        Phase::Preparing => "looking at what is there",
        Phase::Rows => "rows",
        Phase::Files => "files",
        Phase::Checking => "comparing",
        Phase::Pruning => "removing older backups",
    };
    bar.set_message(format!(
        "{what}: {} rows, {} files, {} moved",
        progress.rows,
        progress.files,
        ByteSize(progress.moved_bytes)
    ));
}

async fn ask_server(
    client: &AdminClient,
    url: &str,
    keep: Option<usize>,
    bar: &ProgressBar,
) -> anyhow::Result<EndedBackup> {
    let body = json!({"to": url, "keep": keep});
    let Begun { number } = client.ask(Method::POST, "/admin/backup", Some(&body)).await?;
    loop {
        let status: BackupStatus = client.ask(Method::GET, "/admin/backup", None).await?;
        if let Some(last) = status.last.filter(|last| last.number >= number) {
            return Ok(last);
        }
        match status.running {
            Some(running) => show(bar, running.progress),
            None => bail!("the server was restarted while it made the backup; start the backup again"),
        }
        sleep(ASK_EVERY).await;
    }
}

async fn from_files(
    source: &stowage_backup::Source,
    url: &str,
    keep: Option<usize>,
    bar: &ProgressBar,
) -> anyhow::Result<EndedBackup> {
    check_outside(url, &source.data)?;
    let target = Target::open(url, true)?;
    let progress = Arc::new(Progress::default());
    let stop = CancellationToken::new();
    let options = Options {
        keep,
        ..Options::default()
    };
    let since = crate::console::now_ms();
    let making = back_up(source, &target, options, &progress, &stop);
    let showing = async {
        loop {
            show(bar, progress.snapshot());
            sleep(ASK_EVERY).await;
        }
    };
    // Ctrl-C leaves what the next backup uses.
    let interrupted = async {
        match tokio::signal::ctrl_c().await {
            Ok(()) => stop.cancel(),
            Err(_) => std::future::pending().await,
        }
        std::future::pending::<()>().await;
    };
    let made = tokio::select! {
        made = making => made,
        () = showing => unreachable!("it never ends"),
        () = interrupted => unreachable!("it never ends"),
    };
    let Made { manifest, pruned } = made.context("the backup failed")?;
    let (pruned, error) = match pruned {
        None => (None, None),
        Some(Ok(pruned)) => (Some(pruned), None),
        Some(Err(error)) => (None, Some(format!("older backups were not removed: {error}"))),
    };
    Ok(EndedBackup {
        number: 0,
        to: target.name().to_owned(),
        since,
        until: crate::console::now_ms(),
        backup: Some(Listed::from(&manifest)),
        skipped: manifest.skipped,
        pruned,
        error,
    })
}

fn text(ended: &EndedBackup) -> String {
    let mut text = String::new();
    if let Some(backup) = &ended.backup {
        text.push_str(&text_of(backup));
        let stored = backup.stored;
        text.push_str(&format!(
            "new at {}: {} chunks ({}), {} files ({})\n",
            output::printable(&ended.to),
            stored.chunks,
            ByteSize(stored.chunk_bytes),
            stored.files,
            ByteSize(stored.file_bytes)
        ));
    }
    for skipped in &ended.skipped {
        text.push_str(&format!(
            "left out: {}: {}\n",
            output::printable(&skipped.path),
            output::printable(&skipped.reason)
        ));
    }
    if let Some(pruned) = &ended.pruned {
        text.push_str(&format!(
            "removed: {} older backups, {} objects ({})\n",
            pruned.backups.len(),
            pruned.objects,
            ByteSize(pruned.bytes)
        ));
        if let Some(reason) = &pruned.postponed {
            text.push_str(&format!("unused objects stay for now: {}\n", output::printable(reason)));
        }
    }
    text
}
