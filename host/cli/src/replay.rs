//! `stowage replay`: runs recorded calls again on modules, without a server.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use futures_util::future::try_join_all;
use stowage_logic::{Config, Logic};
use stowage_recording::{NoServices, Recording, ReplayReport, replay};
use stowage_storage::Store;

use super::{API_ERROR, output};

/// The calls of a replay that run at the same time.
const CONCURRENCY: usize = 4;

/// Run recorded calls again on modules and show the differences
///
/// Exit status: 0 all calls did what was recorded, 1 some differ, 2 nothing could be compared.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stowage replay favorites.wasm calls.ndjson")]
pub struct ReplayArgs {
    /// Modules (.wasm; a later one overrides the functions of an earlier one), then the recording
    #[arg(value_name = "MODULE.wasm... FILE", num_args = 2.., required = true)]
    pub files: Vec<PathBuf>,
    /// Print the whole report as JSON
    #[arg(long)]
    pub json: bool,
}

impl ReplayArgs {
    /// Replays the calls and prints the differences.
    ///
    /// # Errors
    /// A file cannot be read, a module is refused, or no recorded call belongs to these modules.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let Some((file, modules)) = self.files.split_last() else {
            anyhow::bail!("expected modules and a recording");
        };
        // Open the recording before anything is compiled.
        let mut recording = Recording::open(file).with_context(|| file.display().to_string())?;
        let config = Config {
            concurrency: CONCURRENCY,
            ..Config::default()
        };
        let store = Store::in_memory(stowage_storage::Config::default());
        let logic = Logic::new(config, store, Arc::new(NoServices))?;
        let loading = modules.iter().map(async |path| {
            let bytes = read(path).await?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            anyhow::Ok(Arc::new(logic.load(&name, bytes).await?))
        });
        let loaded = try_join_all(loading).await?;
        let report = replay(&logic, &loaded, &mut recording)
            .await
            .with_context(|| file.display().to_string())?;
        let text = if self.json {
            serde_json::to_string(&report)?
        } else {
            findings(&report)
        };
        output::line(text.trim_end())?;
        anyhow::ensure!(report.replayed > 0, "no recorded call is of these modules");
        Ok(match report.passed() {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(API_ERROR),
        })
    }
}

async fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let size = tokio::fs::metadata(path)
        .await
        .with_context(|| path.display().to_string())?
        .len();
    anyhow::ensure!(
        size <= stowage_logic::MAX_MODULE_BYTES as u64,
        "{}: larger than a module may be ({} MiB)",
        path.display(),
        stowage_logic::MAX_MODULE_BYTES >> 20
    );
    tokio::fs::read(path).await.with_context(|| path.display().to_string())
}

/// The report as text.
fn findings(report: &ReplayReport) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    for difference in &report.differences {
        let params = serde_json::Value::Object(difference.params.clone()).to_string();
        let _ = writeln!(
            text,
            "line {}: {} {}",
            difference.line,
            output::printable(&difference.function),
            output::printable(&params)
        );
        for line in &difference.lines {
            let _ = writeln!(text, "  {}", output::printable(line));
        }
    }
    let shown = report.differences.len() as u64;
    if report.different > shown {
        let _ = writeln!(text, "and {} calls more that differ", report.different - shown);
    }
    let _ = writeln!(text, "{} calls replayed, {} differ", report.replayed, report.different);
    for (function, calls) in &report.absent {
        let _ = writeln!(
            text,
            "not in these modules: {} ({calls} calls)",
            output::printable(function)
        );
    }
    if report.unrecorded > 0 {
        let _ = writeln!(
            text,
            "not recorded: {} calls, too large or too many at once",
            report.unrecorded
        );
    }
    if !report.complete {
        let _ = writeln!(text, "the recording was cut short");
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;
    use stowage_recording::CallDifference;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        replay: ReplayArgs,
    }

    #[test]
    fn at_least_one_module_and_the_recording_are_needed() {
        assert!(Program::try_parse_from(["replay", "a.wasm"]).is_err());
        let program = Program::try_parse_from(["replay", "a.wasm", "b.wasm", "c.ndjson", "--json"]).expect("valid");
        assert_eq!(program.replay.files.len(), 3);
    }

    #[test]
    fn each_call_that_differs_is_told_with_its_line_and_its_arguments() {
        let report = ReplayReport {
            replayed: 9,
            different: 2,
            differences: vec![CallDifference {
                line: 4,
                function: "im-favorites/get".into(),
                params: json!({"page": 1}).as_object().cloned().unwrap_or_default(),
                lines: vec!["answer[0]: 2 instead of 1".into()],
            }],
            absent: [("common/x".to_owned(), 3)].into(),
            unrecorded: 0,
            complete: false,
        };
        assert_eq!(
            findings(&report),
            "line 4: im-favorites/get {\"page\":1}\n  answer[0]: 2 instead of 1\nand 1 calls more that differ\n\
             9 calls replayed, 2 differ\nnot in these modules: common/x (3 calls)\nthe recording was cut short\n"
        );
    }
}
