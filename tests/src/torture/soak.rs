//! Everything at once, for long: all methods, swaps, transfers over a link that fails, a second
//! writer of the space, slow readers of the feed, and a hostile module.

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
use super::flaky_link::FlakyLink;
use super::invariants;
use super::kill;
use super::operation::Blob;
use super::sample::{Sample, Samples};
use super::state::{WRITERS, World};
use super::visitor::{Called, Visitor};
use super::writer::Writer;
use crate::admin::Admin;
use crate::changing::{Work, changing, plain};
use crate::feed::Feed;
use crate::fixture::{SpaceFixture, hash_of, noise, stored_file};
use crate::host::{Launch, TestHost};
use crate::modules::{module, variant};
use crate::random::Random;
use crate::s3::{BUCKET, S3Server, launch_at};

/// The methods of both APIs.
pub const METHODS: usize = 48;
/// Clients that call every method.
const VISITORS: usize = 2;
/// Clients of the hostile module.
const HOSTILE: usize = 3;
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
/// Blobs of the space.
const BLOBS: [usize; 5] = [900, 10_000, 60_000, 400_000, 3_000_000];

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

/// What a soak is.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where data, space and samples are.
    pub dir: PathBuf,
    /// The file for samples.
    pub csv: PathBuf,
    /// The seed of all choices.
    pub seed: u64,
    /// How long the load runs.
    pub time: Duration,
    /// The time between two samples.
    pub every: Duration,
}

/// What was seen.
#[derive(Debug)]
pub struct Seen {
    /// Calls that were answered as they should be.
    pub calls: u64,
    /// Calls of the hostile module, all of them answered.
    pub hostile: u64,
    /// Calls that were lost or refused, in words.
    pub failures: Vec<String>,
    /// Changes of live modules: swaps, canaries, rollbacks.
    pub swaps: u64,
    /// Rounds of a visitor through all methods.
    pub rounds: u64,
    /// Different methods that were called.
    pub methods: usize,
    /// Connections to the space that were cut.
    pub cuts: u64,
    /// Rows that are the same here, in the space and on the second host.
    pub compared: u64,
    /// The samples.
    pub samples: Samples,
}

/// What all clients share.
#[derive(Debug, Default)]
struct Shared {
    over: AtomicBool,
    calls: AtomicU64,
    hostile: AtomicU64,
    swaps: AtomicU64,
    rounds: AtomicU64,
    failures: Mutex<Vec<String>>,
    failed: AtomicU64,
}

impl Shared {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn answered(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Keeps the first failures in words, and counts all.
    fn failure(&self, text: String) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let mut failures = self.failures.lock();
        if failures.len() < 20 {
            eprintln!("  {text}");
            failures.push(text);
        }
    }

    /// Waits, but not beyond the end.
    async fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        while !self.is_over() && Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            tokio::time::sleep(left.min(Duration::from_millis(200))).await;
        }
    }
}

/// Runs the load, and then checks everything at rest.
///
/// # Panics
/// When an acknowledged change is lost, an invariant does not hold at the end, or the server does
/// not stop cleanly.
pub async fn run(plan: Plan) -> Seen {
    let dir = kill::empty(&plan.dir);
    let files = dir.join("files");
    fs::create_dir_all(&files).expect("a writable directory");
    let root = dir.join("s3");
    let server = S3Server::start(&root).await;
    let link = FlakyLink::to(server.address(), plan.seed).await;
    let space = SpaceFixture::create(&root.join(BUCKET).join("devices/one"));
    let blobs = fill(&space);
    // Limits that end a hostile call soon. They leave the others much more than they need.
    let launch = launch_at(link.address(), Launch::new(dir.join("data")), "devices/one")
        .args(["--upload-root".to_owned(), files.display().to_string()])
        .args(["--cpu-ms", "400", "--wall-ms", "20000"]);
    let host = launch.start().await;
    host.init().await;
    let second = server.launch(Launch::new(dir.join("second")), "devices/one").start().await;
    second.init().await;
    let (status, report) = Admin::of(&host)
        .upload("swap", &[("changing", &changing(plain('a')))], "&probation=0")
        .await;
    assert_eq!(status, 200, "{report:#}");
    let shared = Arc::new(Shared::default());
    let called = Called::default();
    let world = World::read(&mut Client::new(host.address())).await;
    let writers = (0..WRITERS)
        .map(|number| Writer::new(number, plan.seed, &files, &blobs, &world))
        .map(|writer| tokio::spawn(write(writer, host.address(), Arc::clone(&shared))))
        .collect::<Vec<_>>();
    let mut others = Vec::new();
    for number in 0..VISITORS {
        let visitor = Visitor::new(host.address(), number, host.data(), &files, Arc::clone(&called));
        others.push(tokio::spawn(visit(visitor, Arc::clone(&shared))));
    }
    for number in 0..HOSTILE {
        others.push(tokio::spawn(provoke(host.address(), number, Arc::clone(&shared))));
    }
    others.push(tokio::spawn(swap(Admin::of(&host), plan.seed, Arc::clone(&shared))));
    others.extend(subscribers(&host, &shared).await);
    let elsewhere = tokio::spawn(write_elsewhere(second, Arc::clone(&shared)));

    let samples = look(&plan, &host, &shared).await;
    shared.over.store(true, Ordering::Relaxed);
    let mut ended = Vec::new();
    for writer in writers {
        ended.push(writer.await.expect("a writer does not panic"));
    }
    for other in others {
        other.await.expect("a client does not panic");
    }
    let second = elsewhere.await.expect("the second host's client does not panic");
    let compared = at_rest(host, second, &space, &blobs, ended).await;
    let methods = called.lock().len();
    Seen {
        calls: shared.calls.load(Ordering::Relaxed),
        hostile: shared.hostile.load(Ordering::Relaxed),
        failures: std::mem::take(&mut *shared.failures.lock()),
        swaps: shared.swaps.load(Ordering::Relaxed),
        rounds: shared.rounds.load(Ordering::Relaxed),
        methods,
        cuts: link.cuts(),
        compared,
        samples,
    }
}

fn fill(space: &SpaceFixture) -> Vec<Blob> {
    let blobs = BLOBS.iter().enumerate().map(|(n, len)| {
        let bytes = noise(*len, n as u64);
        space.blob(&bytes);
        let (hash, len_bytes) = (hash_of(&bytes), *len as u64);
        space.row("dapp-files", &stored_file(&hash, &format!("blob{n}.bin"), len_bytes, 1));
        Blob { hash, len_bytes }
    });
    blobs.collect()
}

/// Samples until the time is over.
async fn look(plan: &Plan, host: &TestHost, shared: &Shared) -> Samples {
    let mut samples = Samples::to(&plan.csv);
    let begun = Instant::now();
    let mut looks = 0;
    while begun.elapsed() < plan.time {
        looks += 1;
        let due = begun + plan.every * looks;
        tokio::time::sleep_until(due.into()).await;
        let (calls, failed) = (shared.calls.load(Ordering::Relaxed), shared.failed.load(Ordering::Relaxed));
        samples.look(host.pid(), host.data(), calls, failed);
    }
    samples
}

async fn write(mut writer: Writer, address: SocketAddr, shared: Arc<Shared>) -> Writer {
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
        if rounds % 200 == 0 {
            // It learns which uploads have ended, and forgets the downloads that have.
            let world = World::read(&mut client).await;
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
        if task["status"] != 4 {
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

async fn visit(mut visitor: Visitor, shared: Arc<Shared>) {
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
async fn provoke(address: SocketAddr, number: usize, shared: Arc<Shared>) {
    let mut client = Client::new(address);
    while !shared.is_over() {
        for (method, params) in [("tests/work", json!({"key": format!("{number}")})), ("tests/label", json!({}))] {
            match client.call(method, &params).await {
                Ok(_) => drop(shared.hostile.fetch_add(1, Ordering::Relaxed)),
                Err(lost) => shared.failure(format!("{method}: {lost:?}")),
            }
        }
        shared.pause(HOSTILE_PACE).await;
    }
}

/// Changes what is live every few seconds.
async fn swap(admin: Admin, seed: u64, shared: Arc<Shared>) {
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
async fn subscribers(host: &TestHost, shared: &Arc<Shared>) -> Vec<JoinHandle<()>> {
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
async fn write_elsewhere(second: TestHost, shared: Arc<Shared>) -> TestHost {
    let mut client = Client::new(second.address());
    for n in 0u64.. {
        if shared.is_over() {
            break;
        }
        client.ok("createImFavoriteFolder", json!({"name": format!("elsewhere {n}")})).await;
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

/// Checks everything when all have stopped. Returns how many rows were compared.
async fn at_rest(host: TestHost, second: TestHost, space: &SpaceFixture, blobs: &[Blob], writers: Vec<Writer>) -> u64 {
    let admin = Admin::of(&host);
    admin.swap(&[("changing", &changing(plain('z')))]).await;
    let mut clients = [Client::new(host.address()), Client::new(second.address())];
    // What one publishes, the other one syncs.
    invariants::rest(&mut clients[1], &Admin::of(&second)).await;
    let tasks = invariants::rest(&mut clients[0], &admin).await;
    invariants::rest(&mut clients[1], &Admin::of(&second)).await;
    let bad: Vec<_> = tasks.iter().filter(|task| task["code"] != 0).collect();
    assert!(bad.is_empty(), "tasks failed: {bad:?}");
    let world = World::read(&mut clients[0]).await;
    let elsewhere = World::read(&mut clients[1]).await;
    for mut writer in writers {
        if let Err(lost) = writer.compare(&world).and_then(|()| writer.settled().map(drop)) {
            panic!("at rest, {lost}");
        }
        if let Err(lost) = writer.compare(&elsewhere) {
            panic!("on the second host, {lost}");
        }
    }
    assert_eq!(world.other_folders.len(), elsewhere.other_folders.len());
    let dapp_bytes = blobs.iter().map(|blob| blob.len_bytes).sum();
    let checked = invariants::counters(&world, space, dapp_bytes)
        .and_then(|()| invariants::counters(&elsewhere, space, dapp_bytes))
        .and_then(|()| invariants::no_left_files(host.data()))
        .and_then(|()| invariants::same_as_space(&world, space));
    let compared = checked.unwrap_or_else(|wrong| panic!("at rest, {wrong}"));
    invariants::sound_space(space).await;
    for host in [host, second] {
        assert!(!host.log().contains("panicked"), "{}", host.log());
        let launch = host.stop().await;
        let log = fs::metadata(launch.data().join("stowage.wal")).map_or(0, |data| data.len());
        assert_eq!(log, 0, "the log is empty after a clean stop");
    }
    compared
}

/// Whether a figure is flat: its median in the last sixth of the time is not above that in the
/// second sixth by more than a share and an amount. Returns both medians.
pub fn flat(samples: &Samples, percent: u64, amount: u64, figure: impl Fn(&Sample) -> u64 + Copy) -> (bool, u64, u64) {
    let early = samples.median(1.0 / 6.0, 2.0 / 6.0, figure);
    let late = samples.median(5.0 / 6.0, 1.0, figure);
    (late <= early + early * percent / 100 + amount, early, late)
}
