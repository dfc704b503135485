//! Downloads from a server that fails in every way, while the host is killed: each file is right,
//! or its task says clearly that it failed.
//!
//! A run is chosen by its seed. `STOWAGE_SEED=N STOWAGE_FAULT_RUNS=1` repeats one; `make
//! test-faults` makes many.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use stowage_tests::feed::{Feed, rows};
use stowage_tests::fixture::{SpaceFixture, hash_of, hex_of, noise, stored_file};
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::random::{self, Random};
use stowage_tests::space_server::{Character, Faults, SpaceServer};

/// The runs of `make test`.
const RUNS: u64 = 36;
/// Runs at the same time.
const AT_ONCE: usize = 6;
/// The downloads of a run.
const DOWNLOADS: usize = 5;
/// The sizes of the files: from one byte to several requests.
const LENGTHS: [usize; 10] = [
    1, 700, 65_536, 900_001, 3_000_000, 8_388_608, 8_388_609, 11_000_000, 20_000_000, 33_554_432,
];
/// How long a run may take. A task that has not ended by then is stuck.
const PATIENCE: Duration = Duration::from_secs(240);
/// The longest stall.
const STALL: Duration = Duration::from_secs(3);
/// Among many runs, one in so many has stalls that outlast the time limit of a read.
const LONG_STALLS: u64 = 8;
const LONG_STALL: Duration = Duration::from_secs(45);
/// The host is killed within this time.
const KILLED_WITHIN_MS: u64 = 2500;

/// A file of the space.
struct File {
    name: String,
    hash: String,
    bytes: Vec<u8>,
}

/// How often tasks ended in which way.
#[derive(Default)]
struct Ends {
    complete: usize,
    failed: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_download_from_a_failing_server_is_right_or_clearly_failed() {
    let first = random::seed();
    let runs = std::env::var("STOWAGE_FAULT_RUNS").map_or(RUNS, |runs| runs.parse().expect("STOWAGE_FAULT_RUNS"));
    let stall = |seed: u64| match seed % LONG_STALLS {
        0 if runs > RUNS => LONG_STALL,
        _ => STALL,
    };
    let dir = tempfile::tempdir().unwrap();
    let space = SpaceFixture::create(&dir.path().join("space"));
    let files: Vec<File> = LENGTHS
        .iter()
        .enumerate()
        .map(|(n, len_bytes)| {
            let name = format!("{n}.bin");
            let bytes = noise(*len_bytes, n as u64);
            let hash = space.blob(&bytes);
            space.row("storage-files", &stored_file(&hash, &name, bytes.len() as u64, 1));
            File { name, hash, bytes }
        })
        .collect();
    let ends: Vec<Ends> = stream::iter(first..first + runs)
        .map(|seed| run(seed, &space, &files, stall(seed)))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let complete: usize = ends.iter().map(|ends| ends.complete).sum();
    let failed: usize = ends.iter().map(|ends| ends.failed).sum();
    println!(
        "scorecard: D5 {runs} runs with failing servers and kills: {complete} downloads complete and right, {failed} failed with \
         the right code"
    );
    // One run may have no faults, or nothing else.
    if runs >= RUNS {
        assert!(complete > 0 && failed > 0, "{complete} complete, {failed} failed");
    }
}

async fn run(seed: u64, space: &SpaceFixture, files: &[File], stall: Duration) -> Ends {
    let mut random = Random::seeded(seed);
    let mut chosen: Vec<&File> = files.iter().collect();
    while chosen.len() > DOWNLOADS {
        let index = random.below(chosen.len() as u64);
        chosen.swap_remove(usize::try_from(index).unwrap());
    }
    let objects: Vec<String> = chosen.iter().map(|file| hex_of(&file.hash)).collect();
    let faults = Faults::seeded(seed, objects.iter().map(String::as_str), stall);
    let characters: BTreeMap<&str, Character> = chosen
        .iter()
        .zip(&objects)
        .map(|(file, object)| (file.hash.as_str(), faults.character(object)))
        .collect();
    let server = SpaceServer::faulty(space.dir(), faults).await;
    let dir = tempfile::tempdir().unwrap();
    let mut host = Launch::new(dir.path().join("data")).space(server.url()).start().await;
    host.init().await;
    for file in &chosen {
        let params = json!({"hash": file.hash, "platform": 3, "taskId": file.hash});
        host.ok("downloadStorageFileTask", params).await;
    }
    let mut what = format!("STOWAGE_SEED={seed}: {characters:?}");
    if random.below(3) == 0 {
        let moment = random.below(KILLED_WITHIN_MS);
        what.push_str(&format!(", killed after {moment} ms"));
        tokio::time::sleep(Duration::from_millis(moment)).await;
        let launch = host.kill().await;
        check_files(&dir.path().join("data/downloads/3"), files, &what);
        host = launch.start().await;
    }
    let rows = ends(&host, chosen.len(), &what).await;
    let downloads = host.data().join("downloads/3");
    let landed = check_files(&downloads, files, &what);
    let mut ends = Ends::default();
    let mut unfinished = BTreeSet::new();
    for file in &chosen {
        let row = &rows[&file.hash];
        let complete = row["status"] == 4;
        let code = match characters[file.hash.as_str()] {
            Character::Sound | Character::Troubled(_) | Character::Rangeless | Character::OnceWrong => 0,
            Character::Wrong => 422,
            Character::Forbidden => 403,
            // It may be complete before it vanishes.
            Character::Vanishing if complete => 0,
            Character::Vanishing => 60001,
        };
        assert_eq!(row["code"], code, "{what}: {row}\n{}", host.log());
        assert_eq!(row["code"] == 0, complete, "{what}: {row}");
        assert_eq!(landed.contains(&file.name), complete, "{what}: {row}");
        if complete {
            ends.complete += 1;
        } else {
            ends.failed += 1;
            unfinished.insert(temporary_tag(&file.hash));
        }
    }
    let strays: Vec<String> = names(&downloads)
        .into_iter()
        .filter(|name| name.starts_with('.') && !unfinished.iter().any(|tag| name.contains(tag)))
        .collect();
    assert!(strays.is_empty(), "{what}: temporary files without a task: {strays:?}");
    host.stop().await;
    ends
}

/// The last row of each task, by hash, when all have ended.
async fn ends(host: &TestHost, tasks: usize, what: &str) -> BTreeMap<String, Value> {
    let mut feed = Feed::follow(host, "k", 1, 3, None).await;
    let mut last = BTreeMap::new();
    let all_ended = async {
        loop {
            let frame = feed.next_or_end().await.expect("the feed goes on");
            for row in rows(&frame) {
                last.insert(row["hash"].as_str().unwrap().to_owned(), row.clone());
            }
            // 0 invalid, 3 deleted, 4 complete, 5 failed.
            let ended = |row: &Value| [0, 3, 4, 5].contains(&row["status"].as_i64().unwrap());
            if last.values().filter(|row| ended(row)).count() == tasks {
                return;
            }
        }
    };
    if tokio::time::timeout(PATIENCE, all_ended).await.is_err() {
        panic!("{what}: a task is stuck: {last:#?}\n{}", host.log());
    }
    last
}

/// Checks that every file with a final name is one of the space, whole. Returns the names.
fn check_files(dir: &Path, files: &[File], what: &str) -> BTreeSet<String> {
    let landed: BTreeSet<String> = names(dir).into_iter().filter(|name| !name.starts_with('.')).collect();
    for name in &landed {
        let file = files.iter().find(|file| file.name == *name);
        let file = file.unwrap_or_else(|| panic!("{what}: {name} was not asked for"));
        let bytes = fs::read(dir.join(name)).unwrap();
        assert!(
            bytes == file.bytes,
            "{what}: {name} has other bytes: {}",
            hash_of(&bytes)
        );
    }
    landed
}

fn names(dir: &Path) -> Vec<String> {
    // There is no folder before the first download.
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// What the names of a task's temporary files have in common.
fn temporary_tag(task: &str) -> String {
    let digest = Sha256::digest(task.as_bytes());
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
