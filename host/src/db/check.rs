//! `stowage db check`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Deserialize;
use stowage_backup::DATABASE;
use stowage_backup::check::{Depth, Report, check};
use stowage_cli::module::AdminClient;
use stowage_cli::{API_ERROR, AdminArgs, ByteSize, output};
use stowage_storage::{OpenError, verify};

use super::backup::progress_bar;
use super::reach::{Reach, check_database, open};
use crate::backups::chain;

/// Check that all rows and files are sound
///
/// Beside a running server, it checks one moment of its rows. Without one, it first checks every
/// page and the log, then opens the database as a start does. Exit status: 0 sound, 1 something is
/// wrong, 2 it could not be checked.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stowage db check\n  stowage db check --data ./data --deep --json")]
pub struct CheckArgs {
    /// Which server or data directory
    #[command(flatten)]
    pub admin: AdminArgs,
    /// Also read every temp file and every file that waits for its upload
    #[arg(long)]
    pub deep: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// The last line of the server's answer.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Failed { error: Failure },
    Report(Report),
}

#[derive(Deserialize)]
struct Failure {
    message: String,
}

impl CheckArgs {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let bar = progress_bar(self.json);
        bar.set_message("reading all rows");
        let report = match Reach::find(&self.admin).await? {
            Reach::Server(client) => ask_server(&client, self.deep).await,
            Reach::Files(data) => check_files(&data, self.deep).await,
        };
        bar.finish_and_clear();
        let report = report?;
        let text = match self.json {
            true => serde_json::to_string(&report)?,
            false => text(&report),
        };
        output::line(text.trim_end())?;
        Ok(match report.is_sound() {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(API_ERROR),
        })
    }
}

async fn ask_server(client: &AdminClient, deep: bool) -> anyhow::Result<Report> {
    let mut answer = client.stream(&format!("/admin/db/check?deep={deep}")).await?;
    let mut text = Vec::new();
    while let Some(piece) = answer.next().await? {
        text.extend_from_slice(&piece);
    }
    match serde_json::from_slice(text.trim_ascii()).context("the server's report cannot be read")? {
        Answer::Report(report) => Ok(report),
        Answer::Failed { error } => bail!(error.message),
    }
}

async fn check_files(data: &Path, deep: bool) -> anyhow::Result<Report> {
    check_database(data)?;
    let mut report = Report::default();
    let database = data.join(DATABASE);
    let verifying = tokio::task::spawn_blocking(move || verify(&database));
    match verifying.await.context("the check panicked")? {
        Ok(verified) => {
            for problem in verified.problems {
                report.add(DATABASE, problem);
            }
        }
        Err(error @ OpenError::Damaged { .. }) => report.add(DATABASE, chain(&error)),
        Err(error) => return Err(error.into()),
    }
    if !report.is_sound() {
        report
            .notes
            .push("the database is damaged, so its rows were not compared, and it was not opened".to_owned());
        return Ok(report);
    }
    let source = open(data)?;
    let depth = if deep { Depth::Deep } else { Depth::Quick };
    let checking = {
        let source = source.clone();
        tokio::task::spawn_blocking(move || check(&source.store, &source.data, depth))
    };
    let checked = checking.await.context("the check panicked")?;
    source.store.close().await;
    Ok(checked.unwrap_or_else(|error| {
        report.add(DATABASE, chain(&error));
        report
    }))
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    for table in &report.tables {
        text.push_str(&format!(
            "{:<26} {:>9} rows {:>10}  {}\n",
            output::printable(&table.name),
            table.rows,
            ByteSize(table.bytes).to_string(),
            table.meaning
        ));
    }
    text.push_str(&format!("{} files\n", report.files));
    for note in &report.notes {
        text.push_str(&format!("note: {}\n", output::printable(note)));
    }
    for finding in &report.findings {
        text.push_str(&format!(
            "problem: {}: {}\n",
            output::printable(&finding.subject),
            output::printable(&finding.problem)
        ));
    }
    let undescribed = report.findings_len.saturating_sub(report.findings.len() as u64);
    if undescribed > 0 {
        text.push_str(&format!("and {undescribed} problems more\n"));
    }
    text.push_str(match report.is_sound() {
        true => "sound\n",
        false => "not sound; restore a backup, or see docs/backup.md\n",
    });
    text
}
