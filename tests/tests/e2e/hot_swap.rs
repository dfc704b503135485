//! Swaps under load and under kill -9: no call fails, memory does not grow, and a restart finds the
//! old or the new version with its data.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stowage_tests::admin::Admin;
use stowage_tests::changing::{Migration, changing, plain};
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::modules::version;
use stowage_tests::random::Random;
use stowage_tests::wire;

const SWAPS: usize = 1000;
const CALLERS: usize = 32;
/// Memory is measured in groups of so many swaps, after as many to warm up.
const WARM: usize = 100;
/// The most that resident memory may grow after that. A leaked module is hundreds of KiB a swap.
const MOST_GROWTH_PERCENT: u64 = 5;
/// The groups at the end. The memory of running calls varies, so a group that finds more is
/// followed by another one. A leak grows in each.
const LOOKS: usize = 5;
/// The keys that are written beforehand, and how many a call writes. They fill the bounded history
/// of recent writes in storage.
const FILLED: (u32, u32) = (110_000, 1000);
/// The longest time that storage keeps writes in memory. Before that, its memory is still growing.
const SETTLING: Duration = Duration::from_secs(10);

/// Calls the module until `over`. Every answer comes from one of the versions.
async fn call_until(host: &TestHost, caller: usize, over: &AtomicBool) -> u64 {
    let mut calls = 0;
    while !over.load(Ordering::Relaxed) {
        calls += 1;
        let worked = host.ok("tests/work", json!({"key": format!("{caller}")})).await;
        assert_eq!(worked, calls, "every call counts once");
        let label = host.ok("tests/label", json!({})).await;
        assert!(label == "a" || label == "b", "{label}");
    }
    calls
}

/// Resident memory in KiB.
fn resident_kib(host: &TestHost) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The median, because allocators vary.
fn middle(looks: &[u64]) -> u64 {
    let mut looks = looks.to_vec();
    looks.sort_unstable();
    looks[looks.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_swaps_under_load_fail_no_call_and_leak_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let host = Arc::new(Launch::new(dir.path().join("data")).start().await);
    let admin = Admin::of(&host);
    let versions = [plain('a'), plain('b')].map(changing);
    admin.swap(&[("changing", &versions[1])]).await;
    let (keys, a_call) = FILLED;
    for _ in 0..keys / a_call {
        host.ok("tests/fill", json!({ "rows": a_call })).await;
    }
    let over = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (host, over) = (Arc::clone(&host), Arc::clone(&over));
            tokio::spawn(async move { call_until(&host, caller, &over).await })
        })
        .collect();
    let (mut settling, begun) = (0, Instant::now());
    while begun.elapsed() < SETTLING {
        admin.swap(&[("changing", &versions[settling % versions.len()])]).await;
        settling += 1;
    }
    let mut looks = Vec::new();
    let (warm, end) = loop {
        admin
            .swap(&[("changing", &versions[(settling + looks.len()) % versions.len()])])
            .await;
        looks.push(resident_kib(&host));
        if looks.len() < SWAPS || looks.len() % WARM != 0 {
            continue;
        }
        let (warm, end) = (middle(&looks[WARM..2 * WARM]), middle(&looks[looks.len() - WARM..]));
        if end * 100 <= warm * (100 + MOST_GROWTH_PERCENT) || looks.len() == SWAPS + (LOOKS - 1) * WARM {
            break (warm, end);
        }
    };
    over.store(true, Ordering::Relaxed);
    let mut calls = 0;
    for caller in callers {
        calls += caller.await.unwrap();
    }
    let hundreds: Vec<u64> = looks.chunks(WARM).map(middle).collect();
    let swaps = (settling + looks.len()) as u64;
    println!("{swaps} swaps, {calls} calls, KiB in each hundred: {hundreds:?}");
    println!(
        "scorecard: S5 {swaps} swaps under {calls} calls, 0 failed, 0 mixed; resident memory {} MiB once warm, {} MiB at the end",
        warm >> 10,
        end >> 10
    );
    assert!(calls > swaps, "the callers got to work: {calls}");
    assert!(
        end * 100 <= warm * (100 + MOST_GROWTH_PERCENT),
        "{warm} KiB once warm, {end} KiB after {swaps} swaps: {hundreds:?}"
    );
    let list = admin.list().await;
    assert_eq!(list["generation"], swaps + 2);
    let module = admin.module("changing").await.unwrap();
    for bad in ["failed", "traps", "deadlines"] {
        assert_eq!(module["calls"][bad], 0, "{module:#}");
    }
}

const CYCLES: u64 = 50;
/// The rows to migrate. Each step is a commit.
const ROWS: u32 = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_during_swaps_and_migrations_leaves_the_old_or_the_new_version() {
    let mut random = Random::from_environment();
    let (mut switched, mut stayed) = (0, 0);
    let mut stage: Option<(tempfile::TempDir, TestHost, u8)> = None;
    for cycle in 0..CYCLES {
        let (dir, host, schema) = match stage.take() {
            // The version of the rows is one digit.
            Some(stage) if stage.2 < 9 => stage,
            other => {
                if let Some((_dir, host, _)) = other {
                    host.stop().await;
                }
                let dir = tempfile::tempdir().unwrap();
                let host = Launch::new(dir.path().join("data")).start().await;
                Admin::of(&host)
                    .swap(&[("changing", &changing(plain('a').rows(0, Migration::InBatches)))])
                    .await;
                host.ok("tests/fill", json!({ "rows": ROWS })).await;
                (dir, host, 0)
            }
        };
        let admin = Admin::of(&host);
        let old = admin.version("changing").await.unwrap();
        // Every third version keeps the version of the rows. The others migrate in one step or in
        // batches.
        let (how, next) = match cycle % 3 {
            0 => (Migration::InBatches, schema),
            1 => (Migration::InBatches, schema + 1),
            _ => (Migration::InOneStep, schema + 1),
        };
        let label = char::from(b'b' + u8::try_from(cycle % 24).unwrap());
        let bytes = changing(plain(label).rows(next, how));
        // Compiled beforehand, so that the kill comes during the swap and not during the
        // compilation.
        let (status, report) = admin.upload("check", &[("changing", &bytes)], "").await;
        assert!(status == 200 && report["passed"] == true, "{report:#}");
        // Half of them late, for a disk that is slow.
        let most = if cycle % 2 == 0 { 40_000 } else { 200_000 };
        let moment = Duration::from_micros(random.below(most));
        let launch = {
            let swapping = tokio::spawn(swap_until_cut(admin.clone(), bytes.clone()));
            tokio::time::sleep(moment).await;
            host.signal_kill();
            let launch = host.dead().await;
            // It was answered or interrupted.
            let _ = swapping.await;
            launch
        };
        let host = launch.start().await;
        let admin = Admin::of(&host);
        let live = admin.version("changing").await.unwrap();
        let schema = if live == version(&bytes) {
            switched += 1;
            next
        } else {
            assert_eq!(live, old, "neither the old nor the new is live after cycle {cycle}");
            stayed += 1;
            schema
        };
        let told = host.ok("tests/label", json!({})).await;
        let is_new = told == Value::String(label.to_string());
        assert_eq!(is_new, live == version(&bytes), "the answers are of what is listed");
        assert_eq!(
            host.ok("tests/look", json!({})).await,
            true,
            "the data fits after cycle {cycle}"
        );
        let rows = host.ok("tests/rows", json!({})).await;
        assert_eq!(rows.as_array().unwrap().len(), ROWS as usize + 1, "no row was lost");
        stage = Some((dir, host, schema));
    }
    println!("{switched} times the new version was live, {stayed} times the old");
    assert!(
        switched > 0 && stayed > 0,
        "kills came before and after: {switched}, {stayed}"
    );
}

/// Swaps. The server may be killed before it answers.
async fn swap_until_cut(admin: Admin, bytes: Vec<u8>) {
    let request = admin.upload_request("swap", &[("changing", &bytes)], "&probation=0");
    let _ = wire::try_send(admin.address(), request).await;
}
