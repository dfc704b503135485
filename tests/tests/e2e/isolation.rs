//! A hostile module beside the others: what it costs the host, and that nobody else notices.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stowage_tests::admin::Admin;
use stowage_tests::host::TestHost;
use stowage_tests::modules::module;
use stowage_tests::scene::Scene;
use stowage_tests::usage::{forget_peak, peak_bytes, resident_bytes};
use tokio_util::sync::CancellationToken;

/// Traps under load.
const TRAPS: usize = 1000;
/// What they may leave in memory: what the allocator keeps for later.
const GROWTH_BYTES: u64 = 4 << 20;
/// The processor time of a call, in milliseconds.
const CPU_MS: u64 = 200;
/// The most memory that one hostile call may cost, beyond the linear memory of its instance: its
/// answer twice, and as much again while a buffer grows.
const MOST_BYTES: u64 = 64 << 20;

/// A server with the hostile module beside the others.
async fn scene() -> Scene {
    let scene = Scene::launched(
        |_| {},
        |launch| {
            launch.args([
                "--cpu-ms".to_owned(),
                CPU_MS.to_string(),
                "--reuse".into(),
                "1000".into(),
            ])
        },
    )
    .await;
    let hostile = module("hostile");
    let swapped = Admin::of(&scene.host)
        .upload("swap", &[("hostile", &hostile)], "&probation=0")
        .await;
    assert_eq!(swapped.0, 200, "{}", swapped.1);
    scene
}

/// The time of a call of another module, which has to succeed.
async fn other(host: &TestHost) -> Duration {
    let started = Instant::now();
    host.ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 10}))
        .await;
    started.elapsed()
}

/// Calls of another module until `stop`. Returns their times, sorted.
async fn others(host: &TestHost, stop: &CancellationToken) -> Vec<Duration> {
    let mut times = Vec::new();
    while !stop.is_cancelled() {
        times.push(other(host).await);
    }
    times.sort_unstable();
    times
}

fn p99(times: &[Duration]) -> Duration {
    times[times.len() * 99 / 100]
}

async fn hostile(host: &TestHost, method: &str, params: Value) -> Value {
    host.call(&format!("tests/{method}"), params).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_traps_beside_other_calls_harm_none_of_them() {
    let scene = scene().await;
    let host = &scene.host;
    let traps = async || {
        for n in 0..TRAPS {
            let method = ["trapDeep", "panic", "leave", "recurse"][n % 4];
            let answer = hostile(host, method, json!({"depth": 0})).await;
            assert_eq!(answer["code"], 500, "{method}: {answer}");
        }
    };
    // What the first traps allocate is allocated once.
    let (stop, warm) = (CancellationToken::new(), CancellationToken::new());
    tokio::join!(
        async {
            traps().await;
            warm.cancel()
        },
        others(host, &warm)
    );
    let before = resident_bytes(host.pid());
    let traps = async {
        traps().await;
        stop.cancel();
    };
    let ((), times) = tokio::join!(traps, others(host, &stop));
    let after = resident_bytes(host.pid());
    let growth = after as f64 / before as f64 * 100.0 - 100.0;
    println!(
        "scorecard: S1 {TRAPS} traps beside {} other calls, none of these failed; resident memory {growth:+.1} %",
        times.len()
    );
    assert!(times.len() > 50, "{} other calls", times.len());
    assert!(after < before + GROWTH_BYTES, "from {before} to {after} bytes");
}

#[tokio::test]
async fn a_trap_is_in_the_log_of_its_module_with_the_functions_that_were_running() {
    let scene = scene().await;
    let host = &scene.host;
    assert_eq!(hostile(host, "trapDeep", json!({})).await["code"], 500);
    let functions = "in stowage_hostile::inner, called by stowage_hostile::middle, called by stowage_hostile::outer";
    let shown = host.cli(["module", "log", "hostile"]).succeeds().await.stdout;
    let line = shown
        .lines()
        .find(|line| line.contains("call failed"))
        .expect("the trap");
    assert!(line.contains("unreachable") && line.contains(functions), "{line}");
    assert!(host.log().contains(functions), "{}", host.log());
    let (_, log) = Admin::of(host).get("modules/hostile/log").await;
    assert!(log.to_string().contains(functions), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_work_ends_at_its_limit_beside_other_calls() {
    let scene = scene().await;
    let host = &scene.host;
    let mut alone = Vec::new();
    for _ in 0..300 {
        alone.push(other(host).await);
    }
    alone.sort_unstable();
    for (method, params) in [
        ("spin", json!({})),
        ("copy", json!({})),
        ("readAll", json!({"table": "hostile"})),
    ] {
        let stop = CancellationToken::new();
        let attack = async {
            let started = Instant::now();
            let answer = hostile(host, method, params).await;
            stop.cancel();
            (answer, started.elapsed())
        };
        let ((answer, took), times) = tokio::join!(attack, others(host, &stop));
        assert_eq!(answer["code"], 500, "{method}: {answer}");
        println!(
            "scorecard: S2 {method}: ended {} ms after its {CPU_MS} ms of processor time, which include its waits for \
             others; others' p99 {:.1} ms, alone {:.1} ms",
            took.as_millis().saturating_sub(CPU_MS.into()),
            p99(&times).as_secs_f64() * 1e3,
            p99(&alone).as_secs_f64() * 1e3,
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_of_a_hostile_call_is_bounded() {
    let scene = scene().await;
    let host = &scene.host;
    let attacks = [
        ("hoard", json!({}), None),
        // A list of 50 MiB is 200 MiB of JSON.
        ("largeList", json!({"mib": 50}), Some(500)),
        ("largeList", json!({"mib": 3}), Some(200)),
        // A control character is six characters of JSON. All texts share their bytes, or not.
        ("largeTexts", json!({"count": 1, "kib": 40_000}), Some(500)),
        ("largeTexts", json!({"count": 40_000, "kib": 1}), Some(500)),
        ("largeTexts", json!({"count": 100_000, "kib": 0}), Some(200)),
        ("largeWrites", json!({"count": 8, "kib": 8192}), None),
        ("largeWrites", json!({"count": 100_000, "kib": 4}), Some(500)),
        ("manyKeys", json!({"count": 10_000, "bytes": 1024}), None),
        ("manyKeys", json!({"count": 50_000, "bytes": 1024}), Some(500)),
        ("manyKeys", json!({"count": 1, "bytes": 50 << 20}), Some(500)),
        ("keepHandles", json!({"count": 1_000_000}), Some(500)),
        ("print", json!({"kib": 20_000}), None),
        ("recurse", json!({"depth": 0}), Some(500)),
    ];
    let mut worst = (0, "");
    for (method, params, code) in attacks {
        forget_peak(host.pid());
        let before = resident_bytes(host.pid());
        let answer = hostile(host, method, params.clone()).await;
        if let Some(code) = code {
            assert_eq!(answer["code"], code, "{method} {params}: {}", answer["message"]);
        }
        drop(answer);
        let cost = peak_bytes(host.pid()).saturating_sub(before);
        println!("{method} {params}: {:.1} MiB", cost as f64 / f64::from(1 << 20));
        worst = worst.max((cost, method));
        // The linear memory of the instance has its own limit, and is given back.
        assert!(cost < MOST_BYTES + (64 << 20), "{method} {params}: {cost} bytes");
        assert_eq!(
            host.ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 1})).await[0]["id"],
            "1"
        );
    }
    println!(
        "scorecard: S4 {:.1} MiB most of a hostile call ({}), 64 MiB of linear memory included; the server answers",
        worst.0 as f64 / f64::from(1 << 20),
        worst.1
    );
}
