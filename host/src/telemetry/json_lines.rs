//! The log as JSON: one object a line.

use std::fmt;
use std::time::SystemTime;

use opentelemetry::trace::TraceContextExt as _;
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Formats events as JSON. It needs `JsonFields` for the fields of spans.
pub(super) struct JsonLines;

/// A line. The order of the members is the order in the line.
#[derive(Serialize)]
struct Line<'a> {
    /// RFC 3339 in UTC, with microseconds.
    timestamp: String,
    level: &'a str,
    target: &'a str,
    message: String,
    #[serde(skip_serializing_if = "Map::is_empty")]
    fields: Map<String, Value>,
    /// The call that the event belongs to.
    #[serde(skip_serializing_if = "Map::is_empty")]
    span: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<String>,
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut values = Values::default();
        event.record(&mut values);
        let mut span = Map::new();
        for scope in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let extensions = scope.extensions();
            if let Some(fields) = extensions.get::<FormattedFields<N>>()
                && let Ok(fields) = serde_json::from_str::<Map<String, Value>>(&fields.fields)
            {
                // What is for the traces only.
                span.extend(fields.into_iter().filter(|(name, _)| !name.starts_with("otel.")));
            }
        }
        let trace = opentelemetry::Context::current().span().span_context().clone();
        let metadata = event.metadata();
        let line = Line {
            timestamp: humantime::format_rfc3339_micros(SystemTime::now()).to_string(),
            level: metadata.level().as_str(),
            target: metadata.target(),
            message: values.message,
            fields: values.fields,
            span,
            trace_id: trace.is_valid().then(|| trace.trace_id().to_string()),
            span_id: trace.is_valid().then(|| trace.span_id().to_string()),
        };
        let line = serde_json::to_string(&line).map_err(|_| fmt::Error)?;
        writeln!(writer, "{line}")
    }
}

/// The fields of an event.
#[derive(Default)]
struct Values {
    message: String,
    fields: Map<String, Value>,
}

impl Values {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        self.fields.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Values {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = value.to_owned(),
            _ => self.add(field, value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            _ => self.add(field, format!("{value:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::fmt::format::JsonFields;

    use super::*;
    use crate::telemetry::written::lines;

    #[test]
    fn an_event_is_one_line_with_the_fields_of_its_call() {
        let layer = tracing_subscriber::fmt::layer()
            .event_format(JsonLines)
            .fmt_fields(JsonFields::new());
        let lines = lines(layer, || {
            let call = tracing::info_span!(
                "call",
                call_id = "7-1",
                otel.kind = "server",
                code = tracing::field::Empty
            );
            call.record("code", 200);
            call.in_scope(|| tracing::info!(target: "stowage::x", rows = 3, ok = true, "two\nlines \u{1b}[31m"));
            tracing::warn!(error = ?"so", "outside");
        });
        assert_eq!(lines.len(), 2, "{lines:?}");
        let first: Value = serde_json::from_str(&lines[0]).expect("JSON");
        let at = first["timestamp"].as_str().expect("a time");
        assert!(humantime::parse_rfc3339(at).is_ok() && at.ends_with('Z'), "{at}");
        assert_eq!(
            (&first["level"], &first["target"]),
            (&"INFO".into(), &"stowage::x".into())
        );
        assert_eq!(first["message"], "two\nlines \u{1b}[31m");
        assert_eq!(first["fields"], serde_json::json!({"rows": 3, "ok": true}));
        assert_eq!(first["span"], serde_json::json!({"call_id": "7-1", "code": 200}));
        assert!(!lines[0].contains('\u{1b}'), "a control character is escaped");
        assert!(lines[0].starts_with("{\"timestamp\":"), "the time comes first");
        let second: Value = serde_json::from_str(&lines[1]).expect("JSON");
        assert_eq!(second["fields"], serde_json::json!({"error": "\"so\""}));
        assert!(second.get("span").is_none() && second.get("trace_id").is_none());
    }
}
