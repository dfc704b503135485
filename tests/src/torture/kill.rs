//! `kill -9` at random moments, while several writers change everything that can be changed.
//!
//! Each writer keeps a manifest: what was acknowledged, and the one call whose answer was lost.
//! After each start the server must have exactly the manifest, with or without that one call. One
//! more writer sends many calls on one connection without waiting: what survives of them must be a
//! prefix.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use super::client::Client;
use super::invariants;
use super::operation::Blob;
use super::pipelined::{Pipelined, pipeline};
use super::state::{WRITERS, World};
use super::writer::Writer;
use crate::admin::Admin;
use crate::changing::{changing, plain};
use crate::fixture::{SpaceFixture, noise, stored_file};
use crate::host::{Launch, TestHost};
use crate::modules::version;
use crate::random::Random;
use crate::wire;
use serde_json::{Value, json};

/// Blobs of the space, in bytes. The last ones take a download some time.
const BLOBS: [usize; 10] = [
    1, 900, 4_096, 10_001, 20_000, 33_333, 50_000, 65_536, 2_000_000, 5_000_000,
];
/// Cycles between two looks at the space, when everything has come to rest.
const REST_EVERY: u64 = 25;
/// The latest moment of a kill during writes, in milliseconds after they began.
const LATEST_MS: u64 = 300;
/// The latest moment of a kill during a start, in milliseconds after it began.
const LATEST_START_MS: u64 = 120;

/// What a run is.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where data, space and files are. A run that was interrupted goes on there.
    pub dir: PathBuf,
    /// The seed of all choices.
    pub seed: u64,
    /// The first cycle; more than 0 to go on.
    pub from: u64,
    /// The cycle after the last one.
    pub to: u64,
}

/// What happened, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cycles that are done.
    pub cycles: u64,
    /// Changes that were acknowledged.
    pub acknowledged: u64,
    /// Calls whose answer was lost, and that had their effect.
    pub survived: u64,
    /// Kills, those during a start included.
    pub kills: u64,
    /// Kills during a start.
    pub starts: u64,
    /// Kills during a swap, after which the new version was live.
    pub swapped: u64,
    /// Kills during a swap, after which the old version was live.
    pub stayed: u64,
    /// Calls of the connection that does not wait, whose answer was lost and that had their effect.
    pub pipelined: u64,
    /// Rows that were compared with the space.
    pub compared: u64,
    /// Downloaded files that were compared with their blobs.
    pub downloads: u64,
}

/// The server with everything around it.
struct Stage {
    host: TestHost,
    space: SpaceFixture,
    names: BTreeMap<String, String>,
    dapp_bytes: u64,
    writers: Vec<Writer>,
    label: char,
    count: u64,
    random: Random,
}

/// Runs cycles. `done` is told after each.
///
/// # Panics
/// When an acknowledged change is lost, a change is there that nobody made, an invariant does not
/// hold, or the process was not killed.
pub async fn run(plan: Plan, mut done: impl FnMut(&Tally)) -> Tally {
    let mut stage = Stage::new(&plan).await;
    let mut tally = Tally {
        cycles: plan.from,
        ..Tally::default()
    };
    for cycle in plan.from..plan.to {
        stage = stage.cycle(cycle, &mut tally).await;
        if cycle % REST_EVERY == REST_EVERY - 1 || cycle + 1 == plan.to {
            stage.rest(&mut tally).await;
        }
        tally.cycles = cycle + 1;
        done(&tally);
    }
    assert!(
        tally.acknowledged > plan.to - plan.from,
        "the writers got to work: {tally:?}"
    );
    stage.host.stop().await;
    tally
}

impl Stage {
    async fn new(plan: &Plan) -> Stage {
        let files = plan.dir.join("files");
        fs::create_dir_all(&files).expect("a writable directory");
        let space_dir = plan.dir.join("space");
        let is_new = !space_dir.exists();
        let space = if is_new {
            SpaceFixture::create(&space_dir)
        } else {
            SpaceFixture::existing(&space_dir)
        };
        let (mut blobs, mut names) = (Vec::new(), BTreeMap::new());
        for (n, len) in BLOBS.iter().enumerate() {
            let bytes = noise(*len, n as u64);
            let hash = crate::fixture::hash_of(&bytes);
            let name = format!("blob{n}");
            if is_new {
                space.blob(&bytes);
                // No method deletes these rows, so the blobs stay.
                space.row(
                    "dapp-files",
                    &stored_file(&hash, &format!("{name}.bin"), *len as u64, 1),
                );
            }
            names.insert(name, hash.clone());
            blobs.push(Blob {
                hash,
                len_bytes: *len as u64,
            });
        }
        let launch = Launch::new(plan.dir.join("data"))
            .space(space.url())
            .args(["--upload-root".to_owned(), files.display().to_string()]);
        let host = launch.start().await;
        host.init().await;
        let label = 'a';
        let (status, report) = Admin::of(&host)
            .upload(
                "swap",
                &[("changing", &changing(plain(label)))],
                "&probation=0&force=true",
            )
            .await;
        assert_eq!(status, 200, "{report:#}");
        let mut client = Client::new(host.address());
        let world = World::read(&mut client).await;
        let count = client.ok("tests/work", json!({"key": "count"})).await;
        // Another seed for each part of a run that was interrupted.
        let seed = plan.seed.wrapping_add(plan.from << 20);
        let writers = (0..WRITERS)
            .map(|number| Writer::new(number, seed, &files, &blobs, &world))
            .collect();
        Stage {
            dapp_bytes: blobs.iter().map(|blob| blob.len_bytes).sum(),
            host,
            space,
            names,
            writers,
            label,
            count: count.as_u64().expect("a number"),
            random: Random::seeded(seed),
        }
    }

    /// Writes, kills, starts and compares.
    async fn cycle(mut self, cycle: u64, tally: &mut Tally) -> Stage {
        let address = self.host.address();
        let moment = Duration::from_millis(self.random.below(LATEST_MS));
        let swap = (self.random.below(6) == 0).then(|| next_label(self.label));
        let host = &self.host;
        let before: u64 = self.writers.iter().map(|writer| writer.acknowledged).sum();
        let writing =
            futures_util::future::join_all(self.writers.iter_mut().map(|writer| writer.write(address, cycle)));
        let swapping = async {
            if let Some(label) = swap {
                let modules: [(&str, &[u8]); 1] = [("changing", &changing(plain(label)))];
                let request = Admin::of(host).upload_request("swap", &modules, "&probation=0");
                // It is answered or interrupted.
                let _ = wire::try_send(address, request).await;
            }
        };
        let killing = async {
            tokio::time::sleep(moment).await;
            host.signal_kill();
        };
        let (_, pipelined, counted, (), ()) =
            tokio::join!(writing, pipeline(address, cycle), count(address), swapping, killing,);
        let acknowledged: u64 = self.writers.iter().map(|writer| writer.acknowledged).sum();
        tally.acknowledged += acknowledged - before + pipelined.answered as u64 + counted;
        self.count += counted;
        let launch = killed(self.host).await;
        tally.kills += 1;
        if self.random.below(5) == 0 {
            // A second kill, while it recovers from the first.
            let moment = Duration::from_millis(self.random.below(LATEST_START_MS));
            let mut starting = launch.clone().spawn();
            tokio::time::sleep(moment).await;
            starting.signal(rustix::process::Signal::KILL);
            assert_killed(starting.ended().await, &starting.stderr());
            tally.kills += 1;
            tally.starts += 1;
        }
        self.host = launch.start().await;
        self.compare(cycle, swap, &pipelined, tally).await;
        self
    }

    async fn compare(&mut self, cycle: u64, swap: Option<char>, pipelined: &Pipelined, tally: &mut Tally) {
        let mut client = Client::new(self.host.address());
        let world = World::read(&mut client).await;
        let survived: u64 = self.writers.iter().map(|writer| writer.survived).sum();
        for writer in &mut self.writers {
            if let Err(lost) = writer.compare(&world) {
                panic!("after cycle {cycle}, {lost}");
            }
        }
        tally.survived += self.writers.iter().map(|writer| writer.survived).sum::<u64>() - survived;
        tally.pipelined += pipelined.compare(&world.other_folders, cycle);
        if let Err(wrong) = invariants::counters(&world, &self.space, self.dapp_bytes) {
            panic!("after cycle {cycle}, {wrong}");
        }
        // A call that was not acknowledged may count or not.
        let count = client
            .ok("tests/work", json!({"key": "count"}))
            .await
            .as_u64()
            .expect("a number");
        let own = self.count + 1;
        assert!(
            count == own || count == own + 1,
            "after cycle {cycle}, the number is {count}, and {own} was expected, or one more"
        );
        self.count = count;
        let live = Admin::of(&self.host)
            .version("changing")
            .await
            .expect("the module is live");
        match swap {
            Some(label) if live == version(&changing(plain(label))) => {
                self.label = label;
                tally.swapped += 1;
            }
            _ => {
                assert_eq!(
                    live,
                    version(&changing(plain(self.label))),
                    "after cycle {cycle}, the old version"
                );
                tally.stayed += u64::from(swap.is_some());
            }
        }
        // What the connection that does not wait has made is removed, many calls at once.
        let ids: Vec<String> = world.other_folders.iter().map(|name| world.ids[name].clone()).collect();
        let address = self.host.address();
        let removals = ids.chunks(4).map(|ids| async move {
            let mut client = Client::new(address);
            for id in ids {
                client.ok("deleteImFavoriteFolder", json!({ "id": id })).await;
            }
        });
        futures_util::future::join_all(removals).await;
    }

    /// Lets everything come to rest, and compares with the space and with the disk.
    async fn rest(&mut self, tally: &mut Tally) {
        let mut client = Client::new(self.host.address());
        let tasks = invariants::rest(&mut client, &Admin::of(&self.host)).await;
        let bad = tasks.iter().find(|task| task["code"] != 0);
        // A file may have been deleted while its password was being set.
        assert!(bad.is_none(), "a task failed: {bad:?}\n{}", self.host.log());
        let world = World::read(&mut client).await;
        let mut wanted = BTreeSet::new();
        for writer in &mut self.writers {
            let downloads = writer.compare(&world).and_then(|()| writer.settled());
            match downloads {
                Ok(downloads) => wanted.extend(downloads.into_iter().map(|(task, _)| task)),
                Err(lost) => panic!("at rest, {lost}"),
            }
        }
        let complete: BTreeSet<String> = tasks
            .iter()
            .filter(|task| task["type"] == 1 && task["status"] == 4)
            .map(|task| task["taskId"].as_str().unwrap_or_default().to_owned())
            .collect();
        let lost: Vec<_> = wanted.difference(&complete).collect();
        assert!(
            lost.is_empty(),
            "downloads were acknowledged, and are not complete: {lost:?}"
        );
        let data = self.host.data().to_owned();
        let checked = invariants::counters(&world, &self.space, self.dapp_bytes)
            .and_then(|()| invariants::same_as_space(&world, &self.space))
            .and_then(|compared| {
                tally.compared += compared;
                invariants::no_left_files(&data)?;
                invariants::downloads_are_right(&data.join("downloads/4"), &self.names)
            });
        match checked {
            Ok(files) => tally.downloads += files,
            Err(wrong) => panic!("at rest, {wrong}"),
        }
        invariants::sound_space(&self.space).await;
        // The tasks and their files have served.
        let ids: Vec<&Value> = tasks.iter().map(|task| &task["taskId"]).collect();
        for ids in ids.chunks(1000) {
            client.ok("transferApi/removeTask", json!({ "taskIds": ids })).await;
        }
        let _ = fs::remove_dir_all(data.join("downloads/4"));
    }
}

fn next_label(label: char) -> char {
    if label == 'z' { 'a' } else { char::from(label as u8 + 1) }
}

/// Waits for the end of a server that was sent SIGKILL.
///
/// # Panics
/// When it ended in another way before.
pub async fn killed(mut host: TestHost) -> Launch {
    let status = host.ended().await;
    assert_killed(status, &host.log());
    host.dead().await
}

fn assert_killed(status: ExitStatus, log: &str) {
    assert_eq!(
        status.signal(),
        Some(9),
        "the process was not killed, but ended with {status}:\n{log}"
    );
    assert!(!log.contains("panicked"), "{log}");
}

/// Counts with a module that reads and writes one row, until the server is gone. Returns how often.
async fn count(address: SocketAddr) -> u64 {
    let mut client = Client::new(address);
    let mut counted = 0;
    while let Ok(answer) = client.call("tests/work", &json!({"key": "count"})).await {
        assert_eq!(answer.code, 200, "{answer:?}");
        counted += 1;
    }
    counted
}

/// The path of a directory that a run may write to, empty.
///
/// # Panics
/// When it cannot be made.
pub fn empty(dir: &Path) -> PathBuf {
    let _ = fs::remove_dir_all(dir);
    fs::create_dir_all(dir).expect("a writable directory");
    dir.to_owned()
}
