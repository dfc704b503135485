//! Everything at once, for long: all methods, swaps, transfers over a link that fails, a second
//! writer of the space, slow readers of the feed, and a hostile module.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::client::Client;
use super::crowd::{Shared, provoke, subscribers, swap, visit, write, write_elsewhere};
use super::flaky_link::FlakyLink;
use super::invariants;
use super::kill;
use super::operation::Blob;
use super::sample::{Sample, Samples};
use super::state::{WRITERS, World};
use super::visitor::{Called, Visitor};
use super::writer::Writer;
use crate::admin::Admin;
use crate::changing::{changing, plain};
use crate::fixture::{SpaceFixture, hash_of, noise, stored_file};
use crate::host::{Launch, TestHost};
use crate::s3::{BUCKET, S3Server, launch_at};

/// The methods of both APIs.
pub const METHODS: usize = 48;
/// Clients that call every method.
const VISITORS: usize = 2;
/// Clients of the hostile module.
const HOSTILE: usize = 3;
/// Blobs of the space.
const BLOBS: [usize; 5] = [900, 10_000, 60_000, 400_000, 3_000_000];

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
    let second = server
        .launch(Launch::new(dir.join("second")), "devices/one")
        .start()
        .await;
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
        let (calls, failed) = (
            shared.calls.load(Ordering::Relaxed),
            shared.failed.load(Ordering::Relaxed),
        );
        samples.look(host.pid(), host.data(), calls, failed);
    }
    samples
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
