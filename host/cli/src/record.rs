//! `stowage record`: records calls of the running server, with all that they read and did, to a
//! file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use stowage_recording::Summary;
use tokio::time::{Instant, sleep_until};

use super::locate::AdminArgs;
use super::module::{AdminClient, refused};
use super::{completion, output};
use stowage_deploy::api::RecordRequest;

/// The time between two questions whether the recording is full.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Record calls of the running server with all that they read and did
///
/// Exit status: 0 success, 1 the server refused, 2 any other failure.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stowage record calls.ndjson --seconds 60\n  stowage record --stop")]
pub struct RecordArgs {
    /// Which server
    #[command(flatten)]
    pub client: AdminArgs,
    /// The file, which must not exist; the server writes it
    #[arg(value_name = "FILE", required_unless_present = "stop")]
    pub file: Option<PathBuf>,
    /// Stop after so many seconds [default: Ctrl-C stops]
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
    /// Stop after so many calls
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub calls: Option<u64>,
    /// Only calls of this method; repeatable
    #[arg(long = "method", value_name = "METHOD", add = completion::methods())]
    pub methods: Vec<String>,
    /// Stop the running recording
    #[arg(long, conflicts_with_all = ["file", "seconds", "calls", "methods"])]
    pub stop: bool,
    /// Print the summary as JSON; null if another command stopped the recording
    #[arg(long)]
    pub json: bool,
}

/// Why the command stops waiting.
#[derive(Debug, PartialEq)]
enum StopReason {
    /// The time, a bound or Ctrl-C ends the recording.
    Here,
    /// Another command has stopped the recording.
    Elsewhere,
}

impl RecordArgs {
    /// Records until a bound is reached or the command is interrupted.
    ///
    /// # Errors
    /// No server answered.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        self.record().await.or_else(refused)
    }

    async fn record(self) -> anyhow::Result<ExitCode> {
        let admin = AdminClient::new(self.client.client()?);
        if let Some(request) = self.request()? {
            admin.record(&request).await?;
            if !self.json {
                eprintln!("recording to {}; Ctrl-C stops", request.file.display());
            }
            if self.until_done(&admin, &request.file).await? == StopReason::Elsewhere {
                eprintln!("the recording was stopped by somebody else");
                if self.json {
                    output::line("null")?;
                }
                return Ok(ExitCode::SUCCESS);
            }
        }
        let summary = admin.end_recording().await?;
        if self.json {
            output::line(&serde_json::to_string(&summary)?)?;
        } else {
            output::line(&describe(&summary))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The request to the server. `None` if a recording is only to be stopped.
    fn request(&self) -> anyhow::Result<Option<RecordRequest>> {
        let Some(file) = &self.file else { return Ok(None) };
        // The server may have another working directory.
        let file = std::path::absolute(file).with_context(|| format!("the path {}", file.display()))?;
        anyhow::ensure!(file.to_str().is_some(), "{}: the path is no text", file.display());
        Ok(Some(RecordRequest {
            file,
            methods: self.methods.clone(),
            calls: self.calls,
            bytes: None,
        }))
    }

    async fn until_done(&self, admin: &AdminClient, file: &Path) -> anyhow::Result<StopReason> {
        let end = self
            .seconds
            .map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let late = async {
            match end {
                Some(end) => sleep_until(end).await,
                None => std::future::pending().await,
            }
        };
        let full = async {
            loop {
                sleep_until(Instant::now() + ASK_EVERY).await;
                match admin.recording().await? {
                    Some(status) if status.file == file => {
                        if !status.open {
                            return anyhow::Ok(StopReason::Here);
                        }
                    }
                    _ => return Ok(StopReason::Elsewhere),
                }
            }
        };
        tokio::select! {
            () = late => Ok(StopReason::Here),
            ended = full => ended,
            interrupted = tokio::signal::ctrl_c() => Ok(interrupted.map(|()| StopReason::Here)?),
        }
    }
}

/// The summary as text.
fn describe(summary: &Summary) -> String {
    let mut text = format!("{} calls recorded, {} bytes", summary.calls, summary.bytes);
    if summary.skipped > 0 {
        text.push_str(&format!(
            "; {} left out, too large or without a JSON form",
            summary.skipped
        ));
    }
    if summary.dropped > 0 {
        text.push_str(&format!("; {} left out, too many came at once", summary.dropped));
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        record: RecordArgs,
    }

    fn parse(arguments: &[&str]) -> Result<RecordArgs, clap::Error> {
        let arguments = std::iter::once("record").chain(arguments.iter().copied());
        Program::try_parse_from(arguments).map(|program| program.record)
    }

    #[test]
    fn the_server_is_asked_for_an_absolute_path() {
        let arguments = parse(&["out.ndjson", "--method", "a", "--method", "b", "--calls", "5"]).expect("valid");
        let request = arguments.request().expect("a path").expect("a request");
        assert!(request.file.is_absolute() && request.file.ends_with("out.ndjson"));
        assert_eq!((request.methods.len(), request.calls), (2, Some(5)));
    }

    #[test]
    fn a_file_or_stop_is_needed_and_not_both() {
        assert!(parse(&[]).is_err());
        assert!(parse(&["--stop", "x"]).is_err());
        let stop = parse(&["--stop"]).expect("valid");
        assert_eq!(stop.request().expect("nothing to resolve"), None);
    }

    #[test]
    fn calls_that_were_left_out_are_told() {
        let mut summary = Summary {
            calls: 3,
            bytes: 10,
            ..Summary::default()
        };
        assert_eq!(describe(&summary), "3 calls recorded, 10 bytes");
        summary.dropped = 2;
        assert!(describe(&summary).ends_with("; 2 left out, too many came at once"));
    }
}
