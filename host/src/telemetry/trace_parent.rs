//! The span of a request, as a child of the client's span if the request names one.

use http::{HeaderMap, HeaderName};
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use stowage_logic::SPAN_TARGET;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::response::only;

/// The headers of W3C Trace Context.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        only(self.0, &HeaderName::try_from(key).ok()?)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

/// The span of a request to the API. A `traceparent` that is malformed or comes twice is ignored.
pub(crate) fn request_span(headers: &HeaderMap) -> Span {
    let span = tracing::debug_span!(
        target: SPAN_TARGET,
        "request",
        otel.kind = "server",
        http.request.method = "POST",
        code = Empty,
    );
    if !span.is_disabled() {
        let parent = TraceContextPropagator::new().extract(&Headers(headers));
        // Without an export there is no parent to set.
        let _ = span.set_parent(parent);
    }
    span
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use opentelemetry::trace::TraceContextExt as _;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn trace_of(values: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("traceparent", HeaderValue::from_static(value));
        }
        let context = TraceContextPropagator::new().extract(&Headers(&headers));
        let span = context.span().span_context().clone();
        span.is_valid().then(|| span.trace_id().to_string())
    }

    #[test]
    fn a_request_names_its_parent_once_and_well_formed() {
        assert_eq!(trace_of(&[PARENT]).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        for bad in [&[][..], &["x"], &[PARENT, PARENT], &["00-0-0-01"]] {
            assert_eq!(trace_of(bad), None, "{bad:?}");
        }
    }
}
