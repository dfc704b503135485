//! `stowage record`: calls of the running server with all they read and did, to a file.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use clap::Args;
use http::Method;
use serde::de::DeserializeOwned;
use stowage_recording::Summary;
use tokio::time::{Instant, sleep_until};

use super::client::Client;
use super::locate::AdminArgs;
use super::output;
use super::reply::Reply;
use crate::recording::{RecordRequest, RecordStatus};

/// Where the admin API has the recording.
const PATH: &str = "/admin/record";

/// How often is asked whether the recording has all its calls.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Record calls of the running server with all they read and did
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// Which server
    #[command(flatten)]
    pub client: AdminArgs,
    /// The file, which must not exist; the server writes it
    #[arg(value_name = "FILE", required_unless_present = "stop")]
    pub file: Option<PathBuf>,
    /// Stop after so many seconds; otherwise Ctrl-C stops
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
    /// Stop after so many calls
    #[arg(long, value_name = "N")]
    pub calls: Option<u64>,
    /// Only calls of this method; may be given several times
    #[arg(long = "method", value_name = "METHOD")]
    pub methods: Vec<String>,
    /// Stop the recording that goes on
    #[arg(long, conflicts_with_all = ["file", "seconds", "calls", "methods"])]
    pub stop: bool,
    /// Print what was recorded as JSON
    #[arg(long)]
    pub json: bool,
}

impl RecordArgs {
    /// Records until a bound is reached or the command is interrupted.
    ///
    /// # Errors
    /// No server answered, it refused, or the file could not be written.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let client = self.client.client()?;
        if let Some(request) = self.request()? {
            let body = Bytes::from(serde_json::to_vec(&request)?);
            accepted(
                client
                    .request(Method::POST, PATH, Some("application/json"), body)
                    .await?,
            )?;
            if !self.json {
                eprintln!("recording to {}; Ctrl-C stops", request.file.display());
            }
            self.until_done(&client).await?;
        }
        let reply = client.request(Method::DELETE, PATH, None, Bytes::new()).await?;
        let summary: Summary = parsed(&accepted(reply)?)?;
        if self.json {
            output::line(&serde_json::to_string(&summary)?)?;
        } else {
            output::line(&told(&summary))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What the server is asked for; none where a recording is only stopped.
    fn request(&self) -> anyhow::Result<Option<RecordRequest>> {
        let Some(file) = &self.file else { return Ok(None) };
        Ok(Some(RecordRequest {
            // The server has another working directory.
            file: std::path::absolute(file).with_context(|| format!("the path {}", file.display()))?,
            methods: self.methods.clone(),
            calls: self.calls,
            bytes: None,
        }))
    }

    async fn until_done(&self, client: &Client) -> anyhow::Result<()> {
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
                let status: Option<RecordStatus> = parsed(&accepted(client.get(PATH).await?)?)?;
                if status.is_none_or(|status| !status.open) {
                    return anyhow::Ok(());
                }
            }
        };
        tokio::select! {
            () = late => Ok(()),
            ended = full => ended,
            interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        }
    }
}

/// An answer of the admin API that is no refusal.
fn accepted(reply: Reply) -> anyhow::Result<Reply> {
    if (200..300).contains(&reply.status) {
        return Ok(reply);
    }
    bail!(
        "{} refused the request (HTTP {}): {}",
        reply.address,
        reply.status,
        output::printable(&String::from_utf8_lossy(&reply.body))
    );
}

fn parsed<T: DeserializeOwned>(reply: &Reply) -> anyhow::Result<T> {
    serde_json::from_slice(&reply.body)
        .with_context(|| format!("what {} answers is not what a Stowage server answers", reply.address))
}

/// What was recorded, for a person.
fn told(summary: &Summary) -> String {
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
        assert_eq!(told(&summary), "3 calls recorded, 10 bytes");
        summary.dropped = 2;
        assert!(told(&summary).ends_with("; 2 left out, too many came at once"));
    }
}
