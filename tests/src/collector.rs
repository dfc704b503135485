//! A small OTLP collector on loopback: it takes traces and logs over HTTP, and keeps them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use parking_lot::Mutex;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running collector. Dropping it ends it.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Kept {
    spans: Vec<CollectedSpan>,
    logs: Vec<CollectedLog>,
    resource: BTreeMap<String, String>,
    headers: Vec<http::HeaderMap>,
}

/// A span that arrived. Identifiers are in hex.
#[derive(Clone, Debug)]
pub struct CollectedSpan {
    /// The trace.
    pub trace: String,
    /// The span.
    pub id: String,
    /// The parent; empty for none.
    pub parent: String,
    /// The name.
    pub name: String,
    /// The attributes as text.
    pub attributes: BTreeMap<String, String>,
    /// The start and the end, in nanoseconds since 1970.
    pub times: (u64, u64),
    /// Whether its status is an error.
    pub failed: bool,
}

/// A log record that arrived.
#[derive(Clone, Debug)]
pub struct CollectedLog {
    /// The text.
    pub body: String,
    /// The trace in hex; empty for none.
    pub trace: String,
    /// The span in hex; empty for none.
    pub span: String,
    /// The severity, as `INFO`.
    pub severity: String,
    /// The attributes as text.
    pub attributes: BTreeMap<String, String>,
}

impl Collector {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let kept = Arc::<Mutex<Kept>>::default();
        let shared = Arc::clone(&kept);
        let accepting = tokio::spawn(async move {
            // Connections end with the collector.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                let service = service_fn(move |request| take(request, Arc::clone(&shared)));
                connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
                while connections.try_join_next().is_some() {}
            }
        });
        Collector {
            address,
            kept,
            accepting,
        }
    }

    /// The base URL, for `--otlp-endpoint`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<CollectedSpan> {
        self.kept.lock().spans.clone()
    }

    /// All log records so far.
    pub fn logs(&self) -> Vec<CollectedLog> {
        self.kept.lock().logs.clone()
    }

    /// The attributes of the resource that sent the last spans.
    pub fn resource(&self) -> BTreeMap<String, String> {
        self.kept.lock().resource.clone()
    }

    /// The headers of all requests so far.
    pub fn headers(&self) -> Vec<http::HeaderMap> {
        self.kept.lock().headers.clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn take(request: Request<Incoming>, kept: Arc<Mutex<Kept>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let mut response = Response::new(Full::new(Bytes::new()));
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let mut kept = kept.lock();
    kept.headers.push(head.headers.clone());
    let is_protobuf = head
        .headers
        .get("content-type")
        .is_some_and(|value| value == "application/x-protobuf");
    let taken = match head.uri.path() {
        "/v1/traces" => ExportTraceServiceRequest::decode(body).is_ok_and(|traces| kept.take_traces(traces)),
        "/v1/logs" => ExportLogsServiceRequest::decode(body).is_ok_and(|logs| kept.take_logs(logs)),
        _ => false,
    };
    if !taken || !is_protobuf {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    Ok(response)
}

impl Kept {
    fn take_traces(&mut self, request: ExportTraceServiceRequest) -> bool {
        for of_resource in request.resource_spans {
            if let Some(resource) = of_resource.resource {
                self.resource = attributes(resource.attributes);
            }
            for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                self.spans.push(CollectedSpan {
                    trace: hex(&span.trace_id),
                    id: hex(&span.span_id),
                    parent: hex(&span.parent_span_id),
                    name: span.name,
                    attributes: attributes(span.attributes),
                    times: (span.start_time_unix_nano, span.end_time_unix_nano),
                    // 2 is STATUS_CODE_ERROR.
                    failed: span.status.is_some_and(|status| status.code == 2),
                });
            }
        }
        true
    }

    fn take_logs(&mut self, request: ExportLogsServiceRequest) -> bool {
        let scopes = request
            .resource_logs
            .into_iter()
            .flat_map(|of_resource| of_resource.scope_logs);
        for record in scopes.flat_map(|scope| scope.log_records) {
            self.logs.push(CollectedLog {
                body: record.body.map(text).unwrap_or_default(),
                trace: hex(&record.trace_id),
                span: hex(&record.span_id),
                severity: record.severity_text,
                attributes: attributes(record.attributes),
            });
        }
        true
    }
}

fn attributes(pairs: Vec<KeyValue>) -> BTreeMap<String, String> {
    let pair = |pair: KeyValue| (pair.key, pair.value.map(text).unwrap_or_default());
    pairs.into_iter().map(pair).collect()
}

fn text(value: AnyValue) -> String {
    match value.value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
