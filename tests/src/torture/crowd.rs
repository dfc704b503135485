//! The clients of a soak: writers, visitors, readers of the feed, and those that are hostile.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::json;
use tokio::task::JoinHandle;

use super::client::Client;
use super::invariants;
use super::state::World;
use super::visitor::Visitor;
use super::writer::Writer;
use crate::admin::Admin;
use crate::changing::{Work, changing, plain};
use crate::feed::Feed;
use crate::host::TestHost;
use crate::modules::{module, variant};
use crate::random::Random;

/// Readers of the feed, and those that never read.
const READERS: usize = 6;
const SLEEPERS: usize = 4;
/// The time between two changes of a writer.
const WRITER_PACE: Duration = Duration::from_millis(40);
/// The time between two calls of the hostile module.
const HOSTILE_PACE: Duration = Duration::from_millis(60);
/// The time between two changes of the second host.
const SECOND_PACE: Duration = Duration::from_millis(700);
/// Folders that the second host keeps.
const SECOND_FOLDERS: usize = 12;
/// What a version of the hostile module does in its turn.
const WORKS: [Work; 9] = [
    Work::Count,
    Work::Trap,
    Work::Loop,
    Work::HoardAndTrap,
    Work::Hoard,
    Work::PrintMuch,
    Work::Error,
    Work::Compute,
    Work::Scan,
];

/// What all clients share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) over: AtomicBool,
    pub(super) calls: AtomicU64,
    pub(super) hostile: AtomicU64,
    pub(super) swaps: AtomicU64,
    pub(super) rounds: AtomicU64,
    pub(super) failures: Mutex<Vec<String>>,
    pub(super) failed: AtomicU64,
}

impl Shared {
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(super) fn answered(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Keeps the first failures in words, and counts all.
    pub(super) fn failure(&self, text: String) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let mut failures = self.failures.lock();
        if failures.len() < 20 {
            eprintln!("  {text}");
            failures.push(text);
        }
    }

    /// Waits, but not beyond the end.
    pub(super) async fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        while !self.is_over() && Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            tokio::time::sleep(left.min(Duration::from_millis(200))).await;
        }
    }
}

pub(super) async fn write(mut writer: Writer, address: SocketAddr, shared: Arc<Shared>) -> Writer {
    let mut client = Client::new(address);
    let mut rounds = 0u64;
    while !shared.is_over() {
        match writer.write_one(&mut client).await {
            Ok(()) => shared.answered(),
            Err(lost) => {
                shared.failure(format!("a writer's call: {lost:?}"));
                return writer;
            }
        }
        rounds += 1;
        if rounds.is_multiple_of(200) {
            // It learns which uploads have ended, and forgets the downloads that have.
            let world = World::read_beside_others(&mut client, writer.number).await;
            if let Err(lost) = writer.compare(&world) {
                shared.failure(lost);
                return writer;
            }
            forget_tasks(&mut client, &shared, &writer).await;
        }
        shared.pause(WRITER_PACE).await;
    }
    writer
}

/// Removes the ended tasks and files of a writer's downloads.
async fn forget_tasks(client: &mut Client, shared: &Shared, writer: &Writer) {
    let tasks = client.pages("transferApi/listTasks", json!({"platform": 4})).await;
    let own: Vec<_> = tasks
        .iter()
        .filter(|task| task["taskId"].as_str().is_some_and(|id| writer.is_own(id)) && invariants::has_ended(task))
        .collect();
    for task in &own {
        // 4: complete. 3: the file is gone. Downloads of one blob share it, and another writer
        // removed it.
        if task["status"] != 4 && task["status"] != 3 {
            shared.failure(format!("a download of an anchored blob ended so: {task}"));
        }
        let path = PathBuf::from(task["folderPath"].as_str().unwrap_or_default());
        if path.is_file() {
            let _ = fs::remove_file(path);
        }
    }
    let ids: Vec<_> = own.iter().map(|task| &task["taskId"]).collect();
    for ids in ids.chunks(1000) {
        client.ok("transferApi/removeTask", json!({ "taskIds": ids })).await;
    }
}

pub(super) async fn visit(mut visitor: Visitor, shared: Arc<Shared>) {
    while !shared.is_over() {
        let before = visitor.calls;
        let round = visitor.round().await;
        shared.calls.fetch_add(visitor.calls - before, Ordering::Relaxed);
        match round {
            Ok(()) => drop(shared.rounds.fetch_add(1, Ordering::Relaxed)),
            Err(failure) => {
                shared.failure(failure);
                return;
            }
        }
    }
}

/// Calls the module that may be hostile. Every call is answered, with whatever code.
pub(super) async fn provoke(address: SocketAddr, number: usize, shared: Arc<Shared>) {
    let mut client = Client::new(address);
    while !shared.is_over() {
        for (method, params) in [
            ("tests/work", json!({"key": format!("{number}")})),
            ("tests/label", json!({})),
        ] {
            match client.call(method, &params).await {
                Ok(_) => drop(shared.hostile.fetch_add(1, Ordering::Relaxed)),
                Err(lost) => shared.failure(format!("{method}: {lost:?}")),
            }
        }
        shared.pause(HOSTILE_PACE).await;
    }
}

/// Changes what is live every few seconds.
pub(super) async fn swap(admin: Admin, seed: u64, shared: Arc<Shared>) {
    let mut random = Random::seeded(seed ^ 0x5ca1e);
    let favorites = module("favorites");
    for n in 0u64.. {
        shared.pause(Duration::from_millis(1500 + random.below(2500))).await;
        if shared.is_over() {
            return;
        }
        let work = WORKS[usize::try_from(random.below(WORKS.len() as u64)).unwrap_or(0)];
        let label = char::from(b'a' + u8::try_from(n % 26).unwrap_or(0));
        let bytes = changing(plain(label).work(work));
        let changed = match random.below(20) {
            0..=10 => admin.upload("swap", &[("changing", &bytes)], "&probation=0").await,
            11..=13 => admin.upload("swap", &[("changing", &bytes)], "&probation=5").await,
            14..=16 => {
                let begun = admin.upload("canary", &[("changing", &bytes)], "&percent=30").await;
                shared.pause(Duration::from_millis(800)).await;
                let end = if random.below(2) == 0 { "promote" } else { "abort" };
                let ended = admin.post(&format!("modules/{end}"), json!({"name": "changing"})).await;
                if begun.0 == 200 { ended } else { begun }
            }
            17..=18 => admin.post("modules/rollback", json!({})).await,
            _ => {
                let other = variant(&favorites, &format!("soak {n}"));
                admin.upload("swap", &[("favorites", &other)], "&probation=0").await
            }
        };
        // 404 and 409: the host was first, and has ended the trial by itself.
        match changed {
            (200, _) => drop(shared.swaps.fetch_add(1, Ordering::Relaxed)),
            (404 | 409 | 503, _) => {}
            other => shared.failure(format!("a change of modules: {other:?}")),
        }
    }
}

/// Readers of the feed, some of which never read. Each begins again from time to time.
pub(super) async fn subscribers(host: &TestHost, shared: &Arc<Shared>) -> Vec<JoinHandle<()>> {
    let mut tasks = Vec::new();
    for number in 0..READERS + SLEEPERS {
        let platform = [3, 4][number % 2];
        let key = format!("subscriber {number}");
        crate::feed::subscribe(host, &key, u8::try_from(number % 2).unwrap_or(0), platform, None).await;
        let (address, shared, reads) = (host.address(), Arc::clone(shared), number < READERS);
        tasks.push(tokio::spawn(async move {
            let key = key.replace(' ', "%20");
            while !shared.is_over() {
                let request = crate::feed::handshake(address, &[&key]).body(()).expect("a handshake");
                let mut feed = match Feed::open(address, request).await {
                    Ok(feed) => feed,
                    Err(error) => {
                        shared.failure(format!("the feed: {error}"));
                        return;
                    }
                };
                let until = Instant::now() + Duration::from_secs(45);
                while !shared.is_over() && Instant::now() < until {
                    if !reads {
                        shared.pause(Duration::from_secs(45)).await;
                        continue;
                    }
                    let next = tokio::time::timeout(Duration::from_millis(500), feed.next_or_end()).await;
                    if let Ok(None) = next {
                        shared.failure("the server closed the feed of a reader".to_owned());
                        return;
                    }
                }
            }
        }));
    }
    tasks
}

/// A second host writes to the same space.
pub(super) async fn write_elsewhere(second: TestHost, shared: Arc<Shared>) -> TestHost {
    let mut client = Client::new(second.address());
    for n in 0u64.. {
        if shared.is_over() {
            break;
        }
        client
            .ok("createImFavoriteFolder", json!({"name": format!("elsewhere {n}")}))
            .await;
        shared.answered();
        let folders = client.pages("getImFavoriteFolders", json!({})).await;
        let own: Vec<_> = folders
            .iter()
            .filter(|row| row["name"].as_str().is_some_and(|name| name.starts_with("elsewhere")))
            .collect();
        if own.len() > SECOND_FOLDERS {
            client.ok("deleteImFavoriteFolder", json!({"id": own[0]["id"]})).await;
        }
        if n % 8 == 0 {
            client.ok("initStorage$IMDataFromSdk", json!({})).await;
        }
        shared.pause(SECOND_PACE).await;
    }
    second
}
