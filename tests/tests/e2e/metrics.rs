//! `/metrics`: its format, that its values move with what happens, and that documents, dashboard
//! and alerts speak of metrics that exist.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use http::Method;
use http_body_util::Full;
use serde_json::{Value, json};
use stowage_tests::admin::Admin;
use stowage_tests::changing::{Work, changing, plain};
use stowage_tests::feed::Feed;
use stowage_tests::fixture::{hash_of, stored_file};
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::metrics::{Metrics, names_in};
use stowage_tests::scene::Scene;
use stowage_tests::tools::needed_api_tool;
use stowage_tests::wait::eventually;
use stowage_tests::wire::{self, Reply};

async fn scrape(host: &TestHost, token: Option<&str>) -> Reply {
    let mut request = wire::request(Method::GET, host.address(), "/metrics");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    wire::send(host.address(), request.body(Full::new(Bytes::new())).unwrap()).await
}

/// A server that has done something of every kind.
async fn busy() -> Scene {
    let scene = Scene::new().await;
    let host = &scene.host;
    let admin = Admin::of(host);
    for version in ['a', 'b'] {
        admin.swap(&[("changing", &changing(plain(version)))]).await;
        host.ok("tests/work", json!({"key": "k"})).await;
    }
    host.ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 1})).await;
    host.code("noSuchMethod", json!({})).await;
    scene
}

/// What a parser of others reads. It refuses everything that the format forbids.
fn parsed_by_others(text: &str) -> Option<Vec<Value>> {
    let python = needed_api_tool("venv/bin/python", "the parser of OpenMetrics")?;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("metrics.txt");
    std::fs::write(&file, text).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../.ci/api-tools/openmetrics.py");
    let output = std::process::Command::new(python)
        .arg(script)
        .arg(&file)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n{text}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn a_parser_of_others_reads_the_same_values() {
    let scene = busy().await;
    let metrics = Metrics::of(&scene.host).await;
    let Some(read) = parsed_by_others(&metrics.text) else {
        return;
    };
    assert!(read.len() > 200, "{}", read.len());
    for sample in &read {
        let name = sample[0].as_str().unwrap();
        let labels: Vec<_> = sample[1].as_object().unwrap().iter().collect();
        let labels: Vec<_> = labels
            .iter()
            .map(|(label, value)| (label.as_str(), value.as_str().unwrap()))
            .collect();
        if let Some(value) = sample[2].as_f64() {
            // Samples with more labels would be in the sum.
            let found = metrics.samples(name).find(|found| {
                found.labels.len() == labels.len()
                    && labels
                        .iter()
                        .all(|(label, value)| found.labels.get(*label).is_some_and(|found| found == value))
            });
            assert_eq!(found.map(|found| found.value), Some(value), "{sample}");
        }
    }
}

#[tokio::test]
async fn calls_traps_and_swaps_move_the_counts() {
    let scene = Scene::new().await;
    let host = &scene.host;
    let admin = Admin::of(host);
    let good = changing(plain('a'));
    admin.swap(&[("changing", &good)]).await;
    for _ in 0..3 {
        host.ok("tests/work", json!({"key": "k"})).await;
    }
    let one = Metrics::of(host).await;
    let work = [("method", "work"), ("module", "changing"), ("code", "200")];
    assert_eq!(one.sum("stowage_calls_total", &work), 3.0);
    assert_eq!(one.sum("stowage_call_duration_seconds_count", &work[..2]), 3.0);
    assert_eq!(one.sum("stowage_module_changes_total", &[("action", "swap")]), 1.0);
    let version = &one
        .samples("stowage_calls_total")
        .find(|sample| sample.labels["method"] == "work")
        .unwrap()
        .labels;
    assert_eq!(version["version"], &admin.version("changing").await.unwrap()[..12]);

    // The trapping version goes live without a probation, so that its traps reach the client.
    let traps = changing(plain('t').work(Work::Trap));
    let (status, answer) = admin.upload("swap", &[("changing", &traps)], "&probation=0").await;
    assert_eq!(status, 200, "{answer}");
    for _ in 0..2 {
        assert_eq!(host.code("tests/work", json!({"key": "k"})).await, 500);
    }
    assert_eq!(host.code("tests/work", json!({"key": []})).await, 600);
    assert_eq!(host.code("noSuchMethod", json!({})).await, 300);
    assert_eq!(host.code("anotherOne", json!({})).await, 300);
    let two = Metrics::of(host).await;
    let faults = [("module", "changing"), ("kind", "trap")];
    assert_eq!(two.sum("stowage_call_faults_total", &faults), 2.0);
    assert_eq!(
        two.sum("stowage_calls_total", &[("method", "work"), ("code", "500")]),
        2.0
    );
    assert_eq!(
        two.sum("stowage_calls_total", &[("method", "work"), ("code", "600")]),
        1.0
    );
    assert_eq!(
        two.sum("stowage_calls_total", &work),
        3.0,
        "the version before is still shown"
    );
    assert_eq!(
        two.sum("stowage_calls_total", &[("method", "other"), ("code", "300")]),
        2.0
    );
    assert_eq!(two.sum("stowage_module_changes_total", &[("action", "swap")]), 2.0);
    assert_eq!(two.sum("stowage_requests_total", &[("code", "300")]), 2.0);
    assert!(two.sum("stowage_instances_dropped_total", &[("reason", "interrupted")]) >= 2.0);
    let methods: BTreeSet<_> = two
        .samples("stowage_calls_total")
        .map(|s| s.labels["method"].clone())
        .collect();
    assert!(
        !methods.contains("noSuchMethod") && methods.contains("other"),
        "{methods:?}"
    );

    let (status, answer) = admin.upload("swap", &[("changing", b"no module")], "").await;
    assert_ne!(status, 200, "{answer}");
    let three = Metrics::of(host).await;
    assert_eq!(three.sum("stowage_module_changes_refused_total", &[]), 1.0);
}

#[tokio::test]
async fn commits_connections_and_refusals_move_the_counts() {
    let scene = Scene::new().await;
    let host = &scene.host;
    Admin::of(host).swap(&[("changing", &changing(plain('a')))]).await;
    let before = Metrics::of(host).await;
    for _ in 0..5 {
        host.ok("tests/work", json!({"key": "k"})).await;
    }
    // The second answer comes from the response cache.
    for _ in 0..2 {
        host.ok("getImBackupsFolderList", json!({"page": 1, "pageSize": 1}))
            .await;
    }
    let _feed = Feed::connect(host, &["key"]).await;
    let foreign = http::Request::get("/x").header("host", "evil.example");
    assert_eq!(
        wire::send(host.address(), foreign.body(Full::new(Bytes::new())).unwrap())
            .await
            .status,
        421
    );
    let after = Metrics::of(host).await;
    let grown = |name: &str, labels: &[(&str, &str)]| after.sum(name, labels) - before.sum(name, labels);
    assert!(grown("stowage_commits_total", &[("kind", "write")]) >= 5.0);
    assert!(grown("stowage_commit_duration_seconds_count", &[]) >= 5.0);
    assert!(grown("stowage_commit_batch_transactions_sum", &[]) >= 5.0);
    assert!(grown("stowage_storage_written_bytes_total", &[]) > 0.0);
    assert!(grown("stowage_connections_accepted_total", &[]) >= 8.0);
    assert_eq!(grown("stowage_refused_requests_total", &[("reason", "host")]), 1.0);
    assert_eq!(
        grown(
            "stowage_cached_responses_total",
            &[("method", "getImBackupsFolderList")]
        ),
        1.0
    );
    assert_eq!(grown("stowage_requests_total", &[("code", "200")]), 7.0);
    assert_eq!(after.sum("stowage_feed_subscribers", &[]), 1.0);
    assert_eq!(after.sum("stowage_space_reachable", &[]), 1.0);
    assert_eq!(after.sum("stowage_ready", &[]), 1.0);
    assert!(after.sum("stowage_storage_file_bytes", &[("file", "log")]) > 0.0);
    assert_eq!(after.samples("stowage_storage_log_used_bytes").count(), 1);
    assert!(after.sum("process_resident_memory_bytes", &[]) > f64::from(1 << 20));
    assert!(after.sum("process_open_fds", &[]) > 5.0);
    assert!(after.sum("process_cpu_seconds_total", &[]) >= before.sum("process_cpu_seconds_total", &[]));
}

#[tokio::test]
async fn a_transfer_moves_its_bytes_and_its_task() {
    let content = vec![7; 300_000];
    let scene = Scene::with(|space| {
        let row = stored_file(&space.blob(&content), "a.bin", content.len() as u64, 1);
        space.row("storage-files", &row);
    })
    .await;
    let host = &scene.host;
    let params = json!({"hash": hash_of(&content), "platform": 3});
    host.ok("downloadStorageFileTask", params).await;
    let done = [("direction", "download"), ("state", "done")];
    let metrics = eventually("the download is done", || async {
        let metrics = Metrics::of(host).await;
        (metrics.sum("stowage_tasks", &done) == 1.0).then_some(metrics)
    })
    .await;
    let bytes = metrics.sum("stowage_transferred_bytes_total", &[("direction", "download")]);
    assert!(bytes >= content.len() as f64, "{bytes}");
}

#[tokio::test]
async fn metrics_need_the_token_of_the_api_if_there_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path().join("data"))
        .args(["--token", "secret"])
        .start()
        .await;
    let admin = Admin::of(&host);
    for (token, status) in [
        (None, 401),
        (Some("wrong"), 401),
        (Some("secret"), 200),
        (Some(admin.token()), 200),
    ] {
        assert_eq!(scrape(&host, token).await.status, status, "{token:?}");
    }
    let reply = scrape(&host, Some("secret")).await;
    assert_eq!(
        reply.headers["content-type"],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert!(reply.body.ends_with(b"# EOF\n"));
    assert_eq!(reply.headers["cache-control"], "no-store");
}

fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Each row of the document's tables begins with the name of a metric.
fn documented() -> BTreeSet<String> {
    let text = document("observability.md");
    let names = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    names
        .filter(|name| name.starts_with("stowage_") || name.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn the_document_has_every_metric_and_no_other() {
    let scene = busy().await;
    let metrics = Metrics::of(&scene.host).await;
    let (names, documented) = (metrics.names(), documented());
    let missing: Vec<_> = names.difference(&documented).collect();
    let unknown: Vec<_> = documented.difference(&names).collect();
    assert!(missing.is_empty(), "docs/observability.md lacks {missing:?}");
    assert!(
        unknown.is_empty(),
        "docs/observability.md has {unknown:?}, which no server tells"
    );
}

#[tokio::test]
async fn the_dashboard_and_the_alerts_ask_for_metrics_that_exist() {
    let scene = busy().await;
    let names = Metrics::of(&scene.host).await.names();
    let dashboard: Value = serde_json::from_str(&document("grafana/stowage.json")).expect("the dashboard is JSON");
    let mut queries = Vec::new();
    collect_queries(&dashboard, &mut queries);
    assert!(queries.len() > 20, "{}", queries.len());
    let alerts = document("grafana/alerts.yaml");
    for text in queries.iter().chain([&alerts]) {
        let used = names_in(text);
        let unknown: Vec<_> = used.difference(&names).collect();
        assert!(unknown.is_empty(), "{unknown:?} in {text}");
    }
    for needed in [
        "StowageNotReady",
        "StowageTraps",
        "StowageRolledBack",
        "StowageDiskNearlyFull",
        "StowageBackupTooOld",
        "StowageOutboxGrows",
    ] {
        assert!(alerts.contains(&format!("alert: {needed}")), "{needed}");
    }
}

/// The texts of all queries in a dashboard.
fn collect_queries(value: &Value, queries: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "expr" || name == "query" => queries.push(text.clone()),
                    member => collect_queries(member, queries),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_queries(item, queries)),
        _ => {}
    }
}
