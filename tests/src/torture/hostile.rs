//! A module that traps, loops, waits and takes memory, beside clients of the others.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::client::Client;
use super::load::{Figures, Load, mixed};
use crate::admin::Admin;
use crate::changing::{Work, changing, plain};
use crate::host::{Launch, TestHost};
use crate::usage::{forget_peak, peak_bytes, resident_bytes};

/// Clients of the other modules.
const OTHERS: usize = 8;
/// The time between two calls of one of them.
const PACE: Duration = Duration::from_millis(20);
/// How long the load runs alone, to compare with.
const ALONE: Duration = Duration::from_secs(3);

/// What was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Hostile calls.
    pub calls: u64,
    /// The longest time of one.
    pub longest: Duration,
    /// The slowest hundredth of the other calls, alone.
    pub alone: Duration,
    /// The slowest hundredth of the other calls, beside the hostile ones.
    pub beside: Duration,
    /// Calls of the others.
    pub others: usize,
    /// What the other calls failed with.
    pub failures: Vec<String>,
    /// Resident memory before and after, in bytes.
    pub resident: (u64, u64),
    /// How far the memory rose above the state before, in bytes.
    pub peak_growth: u64,
}

/// Calls a hostile version `calls` times, `at_once` at a time, beside a load of others.
///
/// # Panics
/// When a hostile call succeeds, or gets no answer.
pub async fn beside_others(dir: &Path, arguments: &[&str], work: Work, calls: u64, at_once: u64) -> Seen {
    let host = Launch::new(dir.join("data")).args(arguments.iter().copied()).start().await;
    let admin = Admin::of(&host);
    let (status, report) = admin
        .upload("swap", &[("changing", &changing(plain('h').work(work)))], "&probation=0")
        .await;
    assert_eq!(status, 200, "{report:#}");
    let alone = load(&host, "alone").run_for(ALONE).await;
    // As warm as it will be: the first calls of a kind take memory that is kept.
    hostile_calls(&host, at_once.max(calls / 10), at_once).await;
    let resident = resident_bytes(host.pid());
    forget_peak(host.pid());
    let others = load(&host, "beside");
    let longest = hostile_calls(&host, calls, at_once).await;
    let beside = others.end().await;
    let peak = peak_bytes(host.pid());
    // It answers as before.
    Client::new(host.address())
        .ok("createImFavoriteFolder", json!({"name": "afterwards"}))
        .await;
    let after = resident_bytes(host.pid());
    assert!(!host.log().contains("panicked"), "{}", host.log());
    host.stop().await;
    Seen {
        calls,
        longest,
        alone: alone.quantile(0.99),
        beside: beside.quantile(0.99),
        others: beside.times.len(),
        failures: [alone.failures, beside.failures].concat(),
        resident: (resident, after),
        peak_growth: peak.saturating_sub(resident),
    }
}

fn load(host: &TestHost, tag: &str) -> Load {
    Load::start(host.address(), OTHERS, Some(PACE), mixed(tag))
}

/// Returns the longest time of a call.
async fn hostile_calls(host: &TestHost, calls: u64, at_once: u64) -> Duration {
    let address = host.address();
    let callers = (0..at_once).map(|caller| async move {
        let (mut client, mut longest) = (Client::new(address), Duration::ZERO);
        for n in (caller..calls).step_by(usize::try_from(at_once).unwrap_or(1)) {
            let sent = Instant::now();
            let answer = client.call("tests/work", &json!({"key": format!("{n}")})).await;
            longest = longest.max(sent.elapsed());
            match answer {
                Ok(answer) if answer.code == 500 && !answer.message.is_empty() => {}
                other => panic!("a hostile call: {other:?}"),
            }
        }
        longest
    });
    let longest = futures_util::future::join_all(callers).await;
    longest.into_iter().max().unwrap_or_default()
}

/// What one writer and many get from the group commit.
#[derive(Clone, Debug)]
pub struct GroupCommit {
    /// One client.
    pub one: Figures,
    /// Sixty-four clients.
    pub many: Figures,
    /// The median time of a write and its sync, on the same disk.
    pub sync: Duration,
}

/// Measures durable creates with 1 and 64 clients.
///
/// # Panics
/// When a call fails.
pub async fn group_commit(dir: &Path, time: Duration) -> GroupCommit {
    let host = Launch::new(dir.join("data")).start().await;
    let create = |tag: &'static str| {
        move |client: usize, n: u64| ("createImFavoriteFolder", json!({"name": format!("{tag} {client} {n}")}))
    };
    // Both begin warm.
    Load::start(host.address(), 64, None, create("warm")).run_for(time / 4).await;
    let one = Load::start(host.address(), 1, None, create("one")).run_for(time).await;
    let many = Load::start(host.address(), 64, None, create("many")).run_for(time).await;
    for figures in [&one, &many] {
        assert!(figures.failures.is_empty(), "{:?}", figures.failures.first());
    }
    host.stop().await;
    let sync = sync_time(dir);
    GroupCommit { one, many, sync }
}

/// The median time of a write of 4 KiB and its sync.
fn sync_time(dir: &Path) -> Duration {
    use std::os::unix::fs::FileExt as _;
    let path = dir.join("sync");
    let file = std::fs::File::create(&path).expect("a writable directory");
    file.set_len(1 << 20).expect("a writable file");
    let page = vec![1; 4096];
    let mut times: Vec<Duration> = (0..200)
        .map(|n| {
            let begun = Instant::now();
            file.write_all_at(&page, n % 256 * 4096).expect("a writable file");
            file.sync_data().expect("a writable file");
            begun.elapsed()
        })
        .collect();
    let _ = std::fs::remove_file(path);
    times.sort_unstable();
    times[times.len() / 2]
}
