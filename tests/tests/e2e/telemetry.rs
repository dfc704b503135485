//! Logs as JSON, and traces and logs that are sent to an OTLP endpoint.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stowage_tests::admin::Admin;
use stowage_tests::changing::{Work, changing, plain};
use stowage_tests::collector::{CollectedSpan, Collector};
use stowage_tests::fixture::{hash_of, stored_file};
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::metrics::Metrics;
use stowage_tests::scene::Scene;
use stowage_tests::wait::eventually;
use stowage_tests::wire;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT_SPAN: &str = "00f067aa0ba902b7";

/// A server that sends to the collector as soon as it can.
fn sending(launch: Launch, collector: &Collector) -> Launch {
    launch
        .args(["--otlp-endpoint".to_owned(), collector.url()])
        .env("OTEL_BSP_SCHEDULE_DELAY", "50")
        .env("OTEL_BLRP_SCHEDULE_DELAY", "50")
}

/// Calls a method as a client that has a trace does.
async fn call_in_trace(host: &TestHost, method: &str, params: Value) -> Value {
    let mut request = wire::post(host.address(), &format!("/{method}"), params.to_string());
    let parent = format!("00-{TRACE}-{CLIENT_SPAN}-01");
    request.headers_mut().insert("traceparent", parent.parse().unwrap());
    let envelope = wire::send(host.address(), request).await.envelope();
    assert_eq!(envelope["code"], 200, "{envelope}");
    envelope
}

/// The spans of the client's trace, once one of this name is among them.
async fn traced(collector: &Collector, name: &str) -> Vec<CollectedSpan> {
    eventually(&format!("the span {name}"), || async {
        let spans: Vec<_> = collector
            .spans()
            .into_iter()
            .filter(|span| span.trace == TRACE)
            .collect();
        spans.iter().any(|span| span.name == name).then_some(spans)
    })
    .await
}

fn named<'a>(spans: &'a [CollectedSpan], name: &str) -> &'a CollectedSpan {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "{name} in {spans:#?}");
    found[0]
}

#[tokio::test]
async fn a_create_is_a_tree_of_spans() {
    let collector = Collector::start().await;
    let scene = Scene::launched(|_| {}, |launch| sending(launch, &collector)).await;
    let host = &scene.host;
    call_in_trace(host, "createImFavoriteFolder", json!({"name": "music"})).await;
    let spans = traced(&collector, "request").await;

    let request = named(&spans, "request");
    assert_eq!(request.parent, CLIENT_SPAN, "the client's span is the parent");
    assert_eq!(request.attributes["code"], "200");
    let call = named(&spans, "call");
    assert_eq!(call.parent, request.id);
    let expected = [
        ("method", "createImFavoriteFolder"),
        ("module", "favorites"),
        ("code", "200"),
        ("attempts", "1"),
    ];
    for (name, value) in expected {
        assert_eq!(call.attributes[name], value, "{name}");
    }
    let version = Admin::of(host).version("favorites").await.unwrap();
    assert_eq!(call.attributes["version"], &version[..12]);
    assert_eq!(
        call.attributes["generation"],
        Admin::of(host).generation().await.to_string()
    );
    assert!(!call.attributes["call_id"].is_empty() && !call.failed);

    let children: Vec<_> = spans.iter().filter(|span| span.parent == call.id).collect();
    let names: Vec<_> = children.iter().map(|span| span.name.as_str()).collect();
    assert!(names.contains(&"wait for a permit"), "{names:?}");
    let host_calls: Vec<_> = children.iter().filter(|span| span.name.contains('.')).collect();
    assert!(
        host_calls
            .iter()
            .any(|span| span.name == "storage.put" && span.attributes.contains_key("table"))
    );
    let commit = named(&spans, "commit");
    assert_eq!(commit.parent, call.id);
    for number in ["batch", "sequence", "bytes"] {
        assert!(commit.attributes[number].parse::<u64>().unwrap() > 0, "{commit:?}");
    }
    let effect = named(&spans, "effect");
    assert_eq!(
        (&effect.parent, effect.attributes["kind"].as_str()),
        (&call.id, "cloud-changed")
    );
    assert!(
        host_calls.iter().all(|span| span.times.1 <= commit.times.0),
        "the commit follows the run"
    );
    assert!(commit.times.1 <= effect.times.0, "the effect follows the commit");
    assert!(
        children
            .iter()
            .all(|span| call.times.0 <= span.times.0 && span.times.1 <= call.times.1)
    );
    // Numbers and names only: nothing of what is stored.
    let texts: Vec<_> = spans.iter().flat_map(|span| span.attributes.values()).collect();
    assert!(texts.iter().all(|text| !text.contains("music")), "{texts:?}");
    let resource = collector.resource();
    assert_eq!(resource["service.name"], "stowage");
    assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn a_transfer_belongs_to_the_call_that_asked_for_it() {
    let content = vec![9; 100_000];
    let collector = Collector::start().await;
    let scene = Scene::launched(
        |space| {
            let row = stored_file(&space.blob(&content), "a.bin", content.len() as u64, 1);
            space.row("storage-files", &row);
        },
        |launch| sending(launch, &collector),
    )
    .await;
    let params = json!({"taskId": "t1", "platform": 3, "hash": hash_of(&content)});
    call_in_trace(&scene.host, "downloadStorageFileTask", params).await;
    let spans = traced(&collector, "transfer").await;
    let transfer = named(&spans, "transfer");
    let effects: BTreeMap<_, _> = spans
        .iter()
        .filter(|span| span.name == "effect")
        .map(|span| (span.id.clone(), span.attributes["kind"].clone()))
        .collect();
    assert_eq!(
        effects.get(&transfer.parent).map(String::as_str),
        Some("start"),
        "{spans:#?}"
    );
    let expected = [
        ("task_id", "t1"),
        ("direction", "download"),
        ("state", "done"),
        ("bytes", "100000"),
    ];
    for (name, value) in expected {
        assert_eq!(transfer.attributes[name], value, "{name}");
    }
}

#[tokio::test]
async fn a_failed_call_is_an_error_and_its_log_record_has_the_trace() {
    let collector = Collector::start().await;
    let scene = Scene::launched(|_| {}, |launch| sending(launch, &collector)).await;
    let host = &scene.host;
    let traps = changing(plain('t').work(Work::Trap));
    let (status, answer) = Admin::of(host)
        .upload("swap", &[("changing", &traps)], "&probation=0")
        .await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(host.code("tests/work", json!({"key": "k"})).await, 500);
    let log = eventually("the log of the failed call", || async {
        collector.logs().into_iter().find(|log| log.body == "call failed")
    })
    .await;
    assert_eq!(
        (log.severity.as_str(), log.attributes["module"].as_str()),
        ("ERROR", "changing")
    );
    let call = eventually("the span of the failed call", || async {
        collector.spans().into_iter().find(|span| span.id == log.span)
    })
    .await;
    assert_eq!(
        (&call.trace, call.name.as_str(), call.failed),
        (&log.trace, "call", true)
    );
    assert_eq!(call.attributes["call_id"], log.attributes["call_id"]);
    let sent = eventually("the counts of what was sent", || async {
        let sent = Metrics::of(host)
            .await
            .sum("stowage_otlp_sent_total", &[("signal", "traces")]);
        (sent > 0.0).then_some(sent)
    })
    .await;
    assert!(sent >= 1.0);
}

#[tokio::test]
async fn what_waits_is_sent_when_the_server_stops() {
    let collector = Collector::start().await;
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path().join("data"))
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-key=seven")
        .env("OTEL_BSP_SCHEDULE_DELAY", "3600000")
        .env("OTEL_SERVICE_NAME", "chats")
        .start()
        .await;
    host.ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 1})).await;
    host.stop().await;
    let spans = collector.spans();
    assert!(spans.iter().any(|span| span.name == "call"), "{spans:?}");
    assert_eq!(collector.resource()["service.name"], "chats");
    assert!(collector.headers().iter().all(|headers| headers["x-key"] == "seven"));
}

#[tokio::test]
async fn an_endpoint_that_is_away_does_no_harm_and_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    // Nobody listens there.
    let port = stowage_tests::tools::free_port();
    let host = Launch::new(dir.path().join("data"))
        .args(["--otlp-endpoint".to_owned(), format!("http://127.0.0.1:{port}")])
        .env("OTEL_BSP_SCHEDULE_DELAY", "50")
        .start()
        .await;
    host.ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 1})).await;
    eventually("the dropped spans are counted", || async {
        let dropped = Metrics::of(&host)
            .await
            .sum("stowage_otlp_dropped_total", &[("signal", "traces")]);
        (dropped > 0.0).then_some(())
    })
    .await;
    let told = host.log().matches("the OTLP endpoint does not take").count();
    assert!(
        (1..=2).contains(&told),
        "once for traces and once for logs: {}",
        host.log()
    );
    let (_, overview) = Admin::of(&host).get("overview").await;
    let warnings = overview["warnings"].to_string();
    assert!(
        !warnings.contains("server-errors"),
        "it is no error of the server: {warnings}"
    );
    host.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_is_no_url_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let output = Launch::new(dir.path().join("data"))
        .args(["--otlp-endpoint", "localhost:4317"])
        .refused()
        .await;
    assert!(
        output.stderr.contains("--otlp-endpoint") && output.stderr.contains("http://"),
        "{output}"
    );
}

#[tokio::test]
async fn json_lines_have_the_call_they_belong_to() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path().join("data"))
        .args(["--log-format", "json"])
        .env("CLICOLOR_FORCE", "1")
        .start()
        .await;
    let traps = changing(plain('t').work(Work::Trap));
    let (status, answer) = Admin::of(&host)
        .upload("swap", &[("changing", &traps)], "&probation=0")
        .await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(host.code("tests/work", json!({"key": "k"})).await, 500);
    let line = eventually("the line of the failed call", || async {
        let log = host.log();
        let lines: Vec<Value> = log
            .lines()
            .map(|line| serde_json::from_str(line).expect(line))
            .collect();
        lines.into_iter().find(|line| line["message"] == "call failed")
    })
    .await;
    assert_eq!(
        (&line["level"], &line["fields"]["module"]),
        (&json!("ERROR"), &json!("changing"))
    );
    assert_eq!(line["fields"]["call_id"], line["span"]["call_id"]);
    for name in ["method", "module", "version"] {
        assert!(line["span"][name].is_string(), "{name}: {line}");
    }
    assert!(line["target"].as_str().unwrap().starts_with("stowage"), "{line}");
}

#[tokio::test]
async fn what_a_module_prints_has_its_version() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path().join("data")).start().await;
    let prints = changing(plain('p').work(Work::PrintMuch));
    let admin = Admin::of(&host);
    admin.swap(&[("changing", &prints)]).await;
    host.ok("tests/work", json!({"key": "k"})).await;
    let version = admin.version("changing").await.unwrap();
    let printed = eventually("a printed line", || async {
        let (_, log) = admin.get("modules/changing/log").await;
        let lines = log["lines"].as_array().unwrap().clone();
        lines
            .into_iter()
            .find(|line| line["fields"]["stream"] == "stdout" || line["fields"]["stream"] == "stderr")
    })
    .await;
    assert_eq!(printed["version"], &version[..12], "{printed}");
    assert!(host.log().contains(&version[..12]), "stderr has it too");
}
