//! What the program tells about itself while it runs: the log on stderr, and traces and logs that
//! are sent to an OTLP endpoint.
//!
//! Without an endpoint nothing of OpenTelemetry is made, and the spans of calls are turned off
//! where they are written.

mod exports;
mod json_lines;
mod otlp;
mod text_fields;
mod trace_parent;
#[cfg(test)]
mod written;

use anyhow::Context as _;
use serde::Deserialize;
use stowage_logic::SPAN_TARGET;
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use crate::color;
use crate::journal::Journal;
pub use exports::Exports;
use json_lines::JsonLines;
use otlp::Pipeline;
use text_fields::text_fields;
pub(crate) use trace_parent::request_span;

/// The filter of the log, in place of the command's own.
const FILTER: &str = "STOWAGE_LOG";
/// The SDK's own messages. What matters of them is logged by `exports.rs`, once.
const SDK: [&str; 3] = ["opentelemetry=off", "opentelemetry_sdk=off", "opentelemetry-otlp=off"];

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// How a command logs, and where its traces go.
#[derive(Clone, Debug)]
pub struct Options {
    /// The filter of the log, unless STOWAGE_LOG has one.
    filter: &'static str,
    /// Whether the command is the server. Only the server sends traces and keeps a journal.
    pub serves: bool,
    /// How log lines look.
    pub format: LogFormat,
    /// Where traces and logs are sent.
    pub endpoint: Option<String>,
}

impl Options {
    /// A text log with this filter.
    pub fn new(filter: &'static str) -> Options {
        Options {
            filter,
            serves: false,
            format: LogFormat::default(),
            endpoint: None,
        }
    }

    fn filter(&self) -> EnvFilter {
        let given = std::env::var(FILTER).ok().filter(|given| !given.trim().is_empty());
        let chosen = EnvFilter::new(given.as_deref().unwrap_or(self.filter));
        let silent = SDK.iter().filter_map(|directive| directive.parse().ok());
        silent.fold(chosen, EnvFilter::add_directive)
    }
}

/// Checks the filter of the environment. A wrong one would silence the log.
fn check_filter() -> anyhow::Result<()> {
    let given = match std::env::var(FILTER) {
        Ok(given) if !given.trim().is_empty() => given,
        Ok(_) | Err(std::env::VarError::NotPresent) => return Ok(()),
        Err(error) => return Err(error).context(FILTER),
    };
    match is_filter(&given) {
        true => Ok(()),
        false => anyhow::bail!(
            "{FILTER}={given:?}: expected error, warn, info, debug, trace or off, or targets such as \
             warn,stowage_cloud=debug"
        ),
    }
}

/// Whether a text is a filter whose words without a level are levels or targets of this program.
fn is_filter(text: &str) -> bool {
    let is_known =
        |word: &str| word.contains(['=', '[']) || word.starts_with("stowage") || word.parse::<LevelFilter>().is_ok();
    EnvFilter::try_new(text).is_ok() && text.split(',').map(str::trim).all(is_known)
}

/// The telemetry of the process. It is stopped at the end.
#[derive(Debug)]
pub struct Telemetry {
    pipeline: Option<Pipeline>,
    exports: Exports,
}

impl Telemetry {
    /// The counts of what is sent.
    pub fn exports(&self) -> Exports {
        self.exports.clone()
    }

    /// Sends what waits, for a bounded time. The runtime must still run.
    pub fn stop(self) {
        if let Some(pipeline) = self.pipeline {
            pipeline.stop();
        }
    }
}

/// Starts the log, and the export if an endpoint is set. Call it once.
///
/// # Errors
/// When the filter of the environment is wrong, when the endpoint is not a URL that the exporter
/// can use, and when it was called before.
pub fn start(options: Options, journal: &Journal, runtime: &Handle) -> anyhow::Result<Telemetry> {
    check_filter()?;
    let exports = Exports::default();
    let pipeline = match options.serves {
        true => Pipeline::start(options.endpoint.as_deref(), &exports, runtime)?,
        false => None,
    };
    let kept = options.serves.then(|| journal.layer());
    let traces = pipeline.as_ref().and_then(Pipeline::traces);
    let logs = pipeline.as_ref().and_then(Pipeline::logs);
    let logs = logs.map(|layer| layer.with_filter(options.filter().and(filter_fn(is_own_event))));
    tracing_subscriber::registry()
        .with(printed(&options))
        .with(kept)
        .with(traces)
        .with(logs)
        .try_init()
        .context("the log")?;
    Ok(Telemetry { pipeline, exports })
}

/// The log on stderr.
fn printed<S>(options: &Options) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let filter = options.filter();
    // Also decides about the bars and reports of commands.
    let has_colors = color::decide();
    match options.format {
        LogFormat::Text => tracing_subscriber::fmt::layer()
            .fmt_fields(text_fields())
            .with_writer(std::io::stderr)
            .with_ansi(has_colors)
            .with_filter(filter)
            .boxed(),
        LogFormat::Json => tracing_subscriber::fmt::layer()
            .event_format(JsonLines)
            .fmt_fields(JsonFields::new())
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .with_filter(filter.or(filter_fn(is_call)))
            .boxed(),
    }
}

/// Whether this is the span of a call: its fields belong to each JSON line about the call.
fn is_call(metadata: &tracing::Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == SPAN_TARGET && metadata.name() == "call"
}

/// Whether an event is of this program. Those of libraries would tell about the export itself.
fn is_own_event(metadata: &tracing::Metadata<'_>) -> bool {
    metadata.is_event() && metadata.target().starts_with("stowage")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_would_silence_the_log_is_no_filter() {
        for good in [
            "info",
            "WARN",
            "off",
            "warn,stowage_cloud=debug",
            "stowage",
            "hyper=debug",
        ] {
            assert!(is_filter(good), "{good}");
        }
        for bad in ["xyz", "warning", "errro", "info,warning", "stowage=loud"] {
            assert!(!is_filter(bad), "{bad}");
        }
    }
}
