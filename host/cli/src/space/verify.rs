//! `stowage space verify`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use indicatif::ProgressBar;
use stowage_cloud::verify;

use super::place::{SpaceArgs, shown};
use crate::size::ByteSize;
use crate::{API_ERROR, output};

/// Check that a space conforms to its format
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                        stowage space verify\n  \
                        stowage space verify --space s3://bucket/chat --deep --json")]
pub struct VerifyArgs {
    /// Which space
    #[command(flatten)]
    pub space: SpaceArgs,
    /// Also read every blob and check its hash
    #[arg(long)]
    pub deep: bool,
    /// Print the whole report as JSON
    #[arg(long)]
    pub json: bool,
}

impl VerifyArgs {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let (space, url) = self.space.open().await?;
        let spinner = ProgressBar::new_spinner().with_message(if self.deep {
            "reading every blob"
        } else {
            "reading the lists"
        });
        if !self.json {
            spinner.enable_steady_tick(std::time::Duration::from_millis(100));
        }
        let checked = verify(&space, self.deep).await;
        spinner.finish_and_clear();
        let report = checked.with_context(|| format!("the space at {} cannot be read", shown(&url)))?;
        let text = if self.json {
            serde_json::to_string(&report)?
        } else {
            findings(&report, self.deep)
        };
        output::line(text.trim_end())?;
        Ok(if report.is_sound() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(API_ERROR)
        })
    }
}

/// The report as text.
fn findings(report: &verify::Report, deep: bool) -> String {
    let mut text = String::new();
    for collection in &report.collections {
        text.push_str(&format!(
            "{:<17} {:>7} rows in {} segments{}\n",
            collection.name,
            collection.rows,
            collection.segments,
            match collection.skipped {
                0 => String::new(),
                count => format!(", {count} lines are no rows"),
            }
        ));
    }
    let (used, total) = (ByteSize(report.blob_bytes), ByteSize(report.total_bytes));
    text.push_str(&format!("{:<17} {:>7}, {used} of {total}\n", "blobs", report.blobs));
    if !report.unreferenced.is_empty() {
        let bytes = report
            .unreferenced
            .iter()
            .map(|blob| blob.size)
            .fold(0, u64::saturating_add);
        let (count, size) = (report.unreferenced.len(), ByteSize(bytes));
        text.push_str(&format!(
            "{count} blobs ({size}) are named by no row; a day old, they may go\n"
        ));
    }
    if report.local_only > 0 {
        text.push_str(&format!(
            "{} temp files are on the machine they came to, not in the space\n",
            report.local_only
        ));
    }
    for problem in &report.problems {
        text.push_str(&format!(
            "problem: {}: {}\n",
            output::printable(&problem.subject),
            output::printable(&problem.reason)
        ));
    }
    let undescribed = report.problems_len.saturating_sub(report.problems.len() as u64);
    if undescribed > 0 {
        text.push_str(&format!("and {undescribed} problems more\n"));
    }
    text.push_str(match (report.is_sound(), deep) {
        (true, true) => "sound: every row has its blob, every blob its hash\n",
        (true, false) => "sound: every row has its blob (--deep reads the blobs as well)\n",
        (false, _) => "not sound\n",
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use stowage_cloud::verify::{Problem, Report};

    #[test]
    fn what_is_wrong_is_listed_and_the_rest_counted() {
        let problem = Problem {
            subject: "lists/x\u{1b}".to_owned(),
            reason: "bad".to_owned(),
        };
        let report = Report {
            problems: vec![problem],
            problems_len: 3,
            ..Report::default()
        };
        let text = findings(&report, false);
        assert!(
            text.ends_with("problem: lists/x?: bad\nand 2 problems more\nnot sound\n"),
            "{text}"
        );
        assert!(findings(&Report::default(), false).contains("sound: every row has its blob (--deep"));
        assert!(findings(&Report::default(), true).ends_with("sound: every row has its blob, every blob its hash\n"));
    }
}
