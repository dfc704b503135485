//! Requests, connections and the feed; the program and what it exports.

use std::fmt;

use prometheus_client::registry::Unit;

use super::families::Families;
use crate::telemetry::Exports;
use crate::traffic::Traffic;

/// Microseconds of a second.
const US: f64 = 1e6;

pub(super) fn encode(families: &mut Families<'_>, traffic: &Traffic, exports: &Exports, ready: bool) -> fmt::Result {
    families.info(
        "stowage_build",
        "The program",
        [("version", env!("CARGO_PKG_VERSION")), ("arch", std::env::consts::ARCH)],
    )?;
    families.gauge(
        "stowage_ready",
        None,
        "1 if /readyz says that the server is ready",
        [([], u64::from(ready))],
    )?;
    let codes: Vec<_> = traffic.calls.codes();
    let requests = codes.iter().map(|(code, count)| ([("code", &**code)], *count));
    families.counter(
        "stowage_requests",
        None,
        "Requests to the API that were answered, by code; those from the response cache count",
        requests,
    )?;
    families.histogram(
        "stowage_request_duration",
        Some(&Unit::Seconds),
        "From the end of a request's body to its answer",
        US,
        [([], traffic.calls.durations_us())],
    )?;
    let refused = traffic.refusals.counts();
    families.counter(
        "stowage_refused_requests",
        None,
        "Requests that the gate refused, by the reason",
        refused.iter().map(|(reason, count)| ([("reason", *reason)], *count)),
    )?;
    families.gauge(
        "stowage_connections",
        None,
        "Open connections; a websocket is one",
        [([], traffic.connections.count())],
    )?;
    families.counter(
        "stowage_connections_accepted",
        None,
        "Connections that were accepted",
        [([], traffic.connections.entered())],
    )?;
    families.gauge(
        "stowage_feed_subscribers",
        None,
        "Websockets of the progress feed",
        [([], traffic.subscribers.count())],
    )?;
    let exported = exports.counts();
    families.counter(
        "stowage_otlp_sent",
        None,
        "Spans and log records that the OTLP endpoint took",
        exported.iter().map(|counts| ([("signal", counts.signal)], counts.sent)),
    )?;
    families.counter(
        "stowage_otlp_dropped",
        None,
        "Spans and log records that were dropped, because too many waited or the OTLP endpoint did not take them",
        exported
            .iter()
            .map(|counts| ([("signal", counts.signal)], counts.dropped)),
    )
}
