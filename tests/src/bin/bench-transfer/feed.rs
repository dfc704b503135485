//! A thousand subscribers of the feed: what they get, what they cost, and what they take from a
//! download.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;
use stowage_tests::feed::{Feed, rows};
use stowage_tests::fixture::{SpaceFixture, noise, stored_file};
use stowage_tests::host::Launch;
use stowage_tests::link::{Link, Shape};
use stowage_tests::nginx::Nginx;
use stowage_tests::usage;
use tempfile::TempDir;

use crate::calls;
use crate::large::LARGE_BYTES;
use crate::memory::mib;
use crate::report::{Report, Rounds, Target};
use crate::site::{self, Stowage};
use crate::subscribers::Subscribers;

const SUBSCRIBERS: usize = 1000;
const TASKS: u64 = 1000;
/// The size of each file. With [`SLOW`], a download takes longer than everything that is measured.
const LEN_BYTES: usize = 2 << 20;
const SLOW: Shape = Shape {
    round_trip: Duration::from_millis(10),
    bytes_per_second: 32_000,
};
/// The most tasks that a host runs at once. The others wait in its queue.
const MOST_RUNNING: f64 = 256.0;
/// How long the subscribers are watched, once all tasks are there.
const WATCHED: Duration = Duration::from_secs(15);
const ROUNDS: usize = 5;

const WITH: &str = "with 1,000 subscribers";
const WITHOUT: &str = "without subscribers";

pub async fn run(report: &mut Report) -> anyhow::Result<()> {
    running_tasks(report).await?;
    one_download(report).await
}

struct Scene {
    dir: TempDir,
    space: SpaceFixture,
    nginx: Nginx,
}

impl Scene {
    async fn new(fill: impl FnOnce(&SpaceFixture) -> anyhow::Result<()>) -> anyhow::Result<Scene> {
        let dir = site::directory()?;
        let space = SpaceFixture::create(&dir.path().join("space"));
        fill(&space)?;
        let nginx = Nginx::start(space.dir(), &dir.path().join("nginx"), "bench-transfer").await;
        let nginx = nginx.context("nginx is not installed: run `make test-tools`")?;
        Ok(Scene { dir, space, nginx })
    }

    fn launch(&self, space: String) -> Launch {
        let launch = Launch::new(self.dir.path().join("data")).space(space);
        launch.args(["--max-connections", "4096", "--max-transfers", "256"])
    }
}

async fn running_tasks(report: &mut Report) -> anyhow::Result<()> {
    println!("\n{SUBSCRIBERS} subscribers and one that never reads, on {TASKS} tasks");
    let mut hashes = Vec::new();
    let scene = Scene::new(|space| {
        for n in 0..TASKS {
            let hash = space.blob(&noise(LEN_BYTES, 1000 + n));
            space.row(
                "storage-files",
                &stored_file(&hash, &format!("{n}.bin"), LEN_BYTES as u64, 1),
            );
            hashes.push(hash);
        }
        Ok(())
    })
    .await?;
    let link = Link::to(scene.nginx.address(), SLOW).await;
    let host = scene.launch(format!("http://{}/", link.address())).start().await;
    host.init().await;
    let pid = host.pid();
    let idle = usage::resident_bytes(pid);
    let parameters = hashes
        .iter()
        .map(|hash| json!({"hash": hash, "platform": 3, "taskId": hash}));
    calls::all(host.address(), "downloadStorageFileTask", parameters.collect()).await?;
    let mut subscribers = Subscribers::start(host.address(), SUBSCRIBERS, 1).await?;
    usage::forget_peak(pid);
    tokio::time::sleep(WATCHED / 5).await;
    let (before, used) = (subscribers.received(), usage::processor_time(pid));
    let started = Instant::now();
    tokio::time::sleep(WATCHED).await;
    let seconds = started.elapsed().as_secs_f64();
    let (after, used) = (subscribers.received(), usage::processor_time(pid) - used);
    subscribers.check()?;
    let peak = usage::peak_bytes(pid).saturating_sub(idle);
    drop(subscribers);
    let mut feed = Feed::follow(&host, "bench", 1, 3, Some(1)).await;
    let running = rows(&feed.next().await).len();
    let processors = std::thread::available_parallelism()?.get() as f64;
    let rate = |(before, after): (u64, u64)| (after - before) as f64 / seconds;
    let share = used.as_secs_f64() / seconds / processors * 100.0;
    report.add(
        "feed: tasks that ran at once",
        running as f64,
        "",
        Target::AtLeast(MOST_RUNNING),
    );
    report.add("feed: frames", rate((before.0, after.0)), "/s", Target::None);
    report.add("feed: bytes", rate((before.1, after.1)) / 1e6, "MB/s", Target::None);
    report.add("feed: share of the processors", share, "%", Target::None);
    report.add("feed: most memory above idle", mib(peak), "MiB", Target::None);
    host.kill().await;
    Ok(())
}

async fn one_download(report: &mut Report) -> anyhow::Result<()> {
    println!("\na file of 1 GiB from nginx, with and without {SUBSCRIBERS} subscribers");
    let mut blob = None;
    let scene = Scene::new(|space| {
        blob = Some(site::add_blob(space, "large.bin", LARGE_BYTES, 4)?);
        Ok(())
    })
    .await?;
    let blob = blob.context("a blob was made")?;
    let mut stowage = Stowage::start(scene.launch(scene.nginx.url())).await;
    let mut rounds = Rounds::new([WITHOUT, WITH]);
    for round in 0..ROUNDS {
        let mut took = [Duration::ZERO; 2];
        // Each round begins with the other one.
        for turn in [round % 2, (round + 1) % 2] {
            let subscribers = match turn {
                0 => None,
                _ => Some(Subscribers::start(stowage.host.address(), SUBSCRIBERS, 0).await?),
            };
            // What it costs to connect is over once each has its snapshot.
            if let Some(subscribers) = &subscribers {
                subscribers.wait_for(SUBSCRIBERS as u64).await;
            }
            site::settle(scene.space.dir())?;
            took[turn] = stowage.download_to_file(&blob).await?;
            drop(subscribers);
            site::take(&stowage.file(&blob), &blob)?;
        }
        rounds.push(took);
    }
    rounds.print(LARGE_BYTES as f64 / 1e6, "MB");
    let ratio = rounds.speed_ratio(WITH, WITHOUT);
    let name = format!("1 GiB from nginx: speed {WITH} / {WITHOUT}");
    report.add(name, ratio, "", Target::AtLeast(0.95));
    stowage.host.stop().await;
    Ok(())
}
