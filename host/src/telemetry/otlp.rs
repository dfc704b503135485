//! Traces and logs over OTLP: HTTP with protobuf.
//!
//! The endpoint is that of the setting, or that of the standard variables
//! `OTEL_EXPORTER_OTLP_ENDPOINT`, `…_TRACES_ENDPOINT` and `…_LOGS_ENDPOINT`. The other standard
//! variables count too: headers, timeouts, the sampler, the attributes of the resource.

use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{
    LogExporter, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_LOGS_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
    Protocol, SpanExporter, WithExportConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{self, BatchLogProcessor, SdkLogger, SdkLoggerProvider};
use opentelemetry_sdk::trace::{self, BatchSpanProcessor, SdkTracerProvider};
use stowage_logic::SPAN_TARGET;
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;
use uuid::Uuid;

use super::exports::{Bounded, Counted, Exports, MAX_WAITING};

/// How long the last traces, and then the last logs, may take when the server stops.
const STOP_TIME: Duration = Duration::from_secs(2);
/// The standard variable that turns everything off.
const DISABLED: &str = "OTEL_SDK_DISABLED";
/// The standard variable with the name of the service.
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";

/// What sends traces and logs.
#[derive(Debug)]
pub(super) struct Pipeline {
    tracer: Option<SdkTracerProvider>,
    logger: Option<SdkLoggerProvider>,
}

/// Where one kind is sent.
enum Endpoint {
    /// To this URL.
    Of(String),
    /// Where the standard variables say.
    OfVariables,
}

impl Pipeline {
    /// Starts to send, if there is an endpoint.
    ///
    /// # Errors
    /// Names the endpoint, and what is wrong with it.
    pub(super) fn start(
        setting: Option<&str>,
        exports: &Exports,
        runtime: &Handle,
    ) -> anyhow::Result<Option<Pipeline>> {
        if variable(DISABLED).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        if let Some(url) = setting {
            check(url)?;
        }
        let traces = endpoint(setting, "v1/traces", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT);
        let logs = endpoint(setting, "v1/logs", OTEL_EXPORTER_OTLP_LOGS_ENDPOINT);
        if traces.is_none() && logs.is_none() {
            return Ok(None);
        }
        // The client of HTTP is made in the runtime that it runs in.
        let _entered = runtime.enter();
        let resource = resource();
        let tracer = traces
            .map(|to| tracer(to, exports, runtime, resource.clone()))
            .transpose()?;
        let logger = logs.map(|to| logger(to, exports, runtime, resource)).transpose()?;
        Ok(Some(Pipeline { tracer, logger }))
    }

    /// The layer that makes traces of the spans that are meant for them.
    pub(super) fn traces<S>(&self) -> Option<impl Layer<S> + use<S>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let provider = self.tracer.as_ref()?;
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("stowage"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false);
        let is_wanted = filter_fn(|metadata| metadata.is_span() && metadata.target() == SPAN_TARGET);
        Some(layer.with_filter(is_wanted))
    }

    /// The layer that sends log lines. It needs a filter.
    pub(super) fn logs(&self) -> Option<OpenTelemetryTracingBridge<SdkLoggerProvider, SdkLogger>> {
        self.logger.as_ref().map(OpenTelemetryTracingBridge::new)
    }

    /// Sends what waits. An endpoint that is away is given up after a bounded time.
    pub(super) fn stop(self) {
        if let Some(tracer) = self.tracer {
            log_stop("traces", tracer.shutdown_with_timeout(STOP_TIME));
        }
        if let Some(logger) = self.logger {
            log_stop("logs", logger.shutdown_with_timeout(STOP_TIME));
        }
    }
}

fn log_stop(signal: &str, result: OTelSdkResult) {
    if let Err(error) = result {
        tracing::warn!(signal, %error, "the last of them were not sent");
    }
}

/// # Errors
/// When the text is not a base URL without credentials. The text is not shown: it may have some.
fn check(text: &str) -> anyhow::Result<()> {
    let expected = "--otlp-endpoint: expected http://HOST[:PORT] or https://HOST[:PORT]";
    let url = url::Url::parse(text).context(expected)?;
    anyhow::ensure!(matches!(url.scheme(), "http" | "https"), "{expected}");
    anyhow::ensure!(
        url.username().is_empty() && url.password().is_none() && url.query().is_none(),
        "{expected}, without a user, a password and a query; put credentials into OTEL_EXPORTER_OTLP_HEADERS"
    );
    Ok(())
}

/// Where one kind is sent. The setting wins over the variables.
fn endpoint(setting: Option<&str>, path: &str, own_variable: &str) -> Option<Endpoint> {
    match setting {
        Some(base) => Some(Endpoint::Of(format!("{}/{path}", base.trim_end_matches('/')))),
        None => {
            let of_variables = [OTEL_EXPORTER_OTLP_ENDPOINT, own_variable];
            let is_set = of_variables.iter().any(|name| variable(name).is_some());
            is_set.then_some(Endpoint::OfVariables)
        }
    }
}

/// A variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

fn resource() -> Resource {
    let builder = Resource::builder().with_attributes([
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", Uuid::new_v4().to_string()),
    ]);
    match variable(SERVICE_NAME) {
        Some(_) => builder.build(),
        None => builder.with_service_name("stowage").build(),
    }
}

fn tracer(to: Endpoint, exports: &Exports, runtime: &Handle, resource: Resource) -> anyhow::Result<SdkTracerProvider> {
    let builder = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary);
    let builder = match to {
        Endpoint::Of(url) => builder.with_endpoint(url),
        Endpoint::OfVariables => builder,
    };
    let exporter = Counted {
        inner: builder.build().context("the export of traces over OTLP")?,
        counter: exports.traces(),
        runtime: runtime.clone(),
    };
    let config = trace::BatchConfigBuilder::default()
        .with_max_queue_size(MAX_WAITING)
        .build();
    let processor = Bounded {
        inner: BatchSpanProcessor::builder(exporter).with_batch_config(config).build(),
        counter: exports.traces(),
    };
    let provider = SdkTracerProvider::builder().with_resource(resource);
    Ok(provider.with_span_processor(processor).build())
}

fn logger(to: Endpoint, exports: &Exports, runtime: &Handle, resource: Resource) -> anyhow::Result<SdkLoggerProvider> {
    let builder = LogExporter::builder().with_http().with_protocol(Protocol::HttpBinary);
    let builder = match to {
        Endpoint::Of(url) => builder.with_endpoint(url),
        Endpoint::OfVariables => builder,
    };
    let exporter = Counted {
        inner: builder.build().context("the export of logs over OTLP")?,
        counter: exports.logs(),
        runtime: runtime.clone(),
    };
    let config = logs::BatchConfigBuilder::default()
        .with_max_queue_size(MAX_WAITING)
        .build();
    let processor = Bounded {
        inner: BatchLogProcessor::builder(exporter).with_batch_config(config).build(),
        counter: exports.logs(),
    };
    let provider = SdkLoggerProvider::builder().with_resource(resource);
    Ok(provider.with_log_processor(processor).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_base_url_without_credentials() {
        for good in ["http://127.0.0.1:4318", "https://collector.example/otlp/"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1:4318",
            "grpc://host:4317",
            "http://u:p@host",
            "http://host/?key=1",
        ] {
            let error = check(bad).expect_err(bad).to_string();
            assert!(
                error.contains("--otlp-endpoint") && error.contains("expected"),
                "{error}"
            );
            assert!(!error.contains("u:p"), "a password is not shown: {error}");
        }
    }

    #[test]
    fn the_setting_is_the_base_of_both_kinds() {
        let Some(Endpoint::Of(url)) = endpoint(Some("http://h:1/otlp/"), "v1/logs", "NOT_SET") else {
            panic!("the setting wins");
        };
        assert_eq!(url, "http://h:1/otlp/v1/logs");
    }
}
