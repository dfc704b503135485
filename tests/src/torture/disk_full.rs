//! The disk is full during everything that writes, and has room again.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use http_body_util::Full;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::client::Client;
use super::small_disk::SmallDisk;
use crate::cli::Cli;
use crate::fixture::{SpaceFixture, noise, stored_file};
use crate::host::{Launch, TestHost};
use crate::wait::eventually;
use crate::wire;

/// The disk: the log of the database takes 64 MiB of it.
const DISK_BYTES: u64 = 144 << 20;
/// The file that is downloaded while the disk is full.
const DOWNLOAD_BYTES: usize = 24 << 20;
/// Room for the log, and for no large file.
const LITTLE_BYTES: u64 = 20 << 20;
/// The file that is sent to the server while the disk is full.
const SENT_BYTES: usize = 8 << 20;
/// Writers that go on through everything.
const WRITERS: usize = 6;
/// The text of a favourite, so that the database grows.
const TEXT_BYTES: usize = 12_000;
/// Writes that must be refused before there is room again.
const REFUSED: u64 = 40;
/// How long the disk may take to fill, and a server to go on.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Writes that were refused while the disk was full.
    pub refused: u64,
    /// Reads that were answered while the disk was full.
    pub reads: u64,
    /// The time from the first room to the first write, in milliseconds.
    pub resumed_ms: u64,
    /// The message of a refused write.
    pub message: String,
    /// Whether compaction was tried with a full disk.
    pub compacted: bool,
}

/// The names of favourites that were written, by outcome.
#[derive(Debug, Default)]
struct Manifest {
    acknowledged: Mutex<BTreeSet<String>>,
    refused: Mutex<BTreeSet<String>>,
    refusals: AtomicU64,
    message: Mutex<String>,
    over: AtomicBool,
}

/// Fills the disk under a server in `dir`, and gives it room again; then once more, with a kill.
///
/// # Errors
/// A small disk cannot be had here.
///
/// # Panics
/// When a read fails, an error is not clear, a write that was acknowledged is lost, or the server
/// does not go on by itself.
pub async fn run(dir: &Path) -> Result<Seen, String> {
    let disk = SmallDisk::mount(&dir.join("disk"), DISK_BYTES)?;
    let space = SpaceFixture::create(&dir.join("space"));
    let bytes = noise(DOWNLOAD_BYTES, 7);
    let hash = space.blob(&bytes);
    space.row("dapp-files", &stored_file(&hash, "large.bin", bytes.len() as u64, 1));
    let launch = Launch::new(disk.dir().join("data")).space(space.url());
    let host = launch.start().await;
    host.init().await;
    let manifest = Arc::new(Manifest::default());
    let mut seen = Seen::default();

    // The log has room, and large files have none.
    disk.fill_but(LITTLE_BYTES);
    let mut client = Client::new(host.address());
    client
        .ok(
            "downloadStorageFileTask",
            json!({"hash": hash, "platform": 4, "taskId": "large"}),
        )
        .await;
    client
        .until(
            "the download waits for room",
            PATIENCE,
            "transferApi/listTasks",
            &tasks(),
            |answer| answer.data[0]["code"] == 507,
        )
        .await;
    refused_upload(&host).await;
    let writing = writers(&host, &manifest, 0);
    first_writes(&manifest).await;
    disk.fill();
    reads_until_refused(&host, &manifest, &mut seen).await;

    disk.make_room();
    seen.resumed_ms = resumed(&mut client, &manifest).await;
    manifest.over.store(true, Ordering::Relaxed);
    for writer in writing {
        writer.await.expect("a writer does not panic");
    }
    client
        .until(
            "the download goes on",
            PATIENCE,
            "transferApi/listTasks",
            &tasks(),
            |answer| answer.data[0]["status"] == 4,
        )
        .await;
    assert!(fs::read(host.data().join("downloads/4/large.bin")).expect("the file") == bytes);
    all_there(&mut client, &manifest, "without a restart").await;

    let host = killed_when_full(host, &disk, &manifest).await;
    let mut client = Client::new(host.address());
    all_there(&mut client, &manifest, "after a kill with a full disk").await;
    let launch = host.stop().await;
    seen.compacted = compaction(&disk, launch.data()).await;
    let host = launch.start().await;
    all_there(&mut Client::new(host.address()), &manifest, "after a restart").await;
    host.stop().await;
    seen.acknowledged = manifest.acknowledged.lock().len() as u64;
    seen.refused = manifest.refusals.load(Ordering::Relaxed);
    seen.message = manifest.message.lock().clone();
    Ok(seen)
}

fn tasks() -> Value {
    json!({"page": 1, "pageSize": 10})
}

/// Writers that write until it is over, whatever they are answered.
fn writers(host: &TestHost, manifest: &Arc<Manifest>, round: u32) -> Vec<tokio::task::JoinHandle<()>> {
    let address = host.address();
    (0..WRITERS)
        .map(|writer| {
            let manifest = Arc::clone(manifest);
            tokio::spawn(async move {
                let mut client = Client::new(address);
                for n in 0.. {
                    if manifest.over.load(Ordering::Relaxed) {
                        return;
                    }
                    let unique = format!("{round} {writer} {n}");
                    let params = json!({"unique": unique, "msgId": unique, "msgType": 1, "msgContent": text(n)});
                    match client.call("transferApi/addImFavorite", &params).await {
                        Ok(answer) if answer.code == 200 => drop(manifest.acknowledged.lock().insert(unique)),
                        Ok(answer) => {
                            assert!(
                                matches!(answer.code, 500 | 507) && !answer.message.is_empty(),
                                "a refused write says what is wrong: {answer:?}"
                            );
                            manifest.refused.lock().insert(unique);
                            manifest.refusals.fetch_add(1, Ordering::Relaxed);
                            *manifest.message.lock() = answer.message;
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                        // The server was killed.
                        Err(_) => {
                            manifest.refused.lock().insert(unique);
                            return;
                        }
                    }
                }
            })
        })
        .collect()
}

fn text(n: u64) -> String {
    let noise = noise(TEXT_BYTES / 2, n);
    let hex: String = noise.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "text": hex }).to_string()
}

async fn first_writes(manifest: &Manifest) {
    eventually("the writers got to work", || async {
        (manifest.acknowledged.lock().len() > 100).then_some(())
    })
    .await;
}

/// Reads all the time until enough writes were refused. Every read is answered.
async fn reads_until_refused(host: &TestHost, manifest: &Manifest, seen: &mut Seen) {
    let mut client = Client::new(host.address());
    let begun = Instant::now();
    while manifest.refusals.load(Ordering::Relaxed) < REFUSED {
        assert!(
            begun.elapsed() < PATIENCE,
            "with a full disk only {} writes were refused",
            manifest.refusals.load(Ordering::Relaxed)
        );
        // Never the same page, so that no answer is cached.
        let page = 1 + seen.reads % 40;
        for (method, params) in [
            (
                "getImFavoriteList",
                json!({"favId": "1", "type": 0, "page": page, "pageSize": 20}),
            ),
            ("getStorageSpaceInfo", json!({})),
        ] {
            let answer = client.call(method, &params).await;
            let is_right = answer.as_ref().is_ok_and(|answer| answer.code == 200);
            assert!(is_right, "{method} with a full disk: {answer:?}\n{}", host.log());
            seen.reads += 1;
        }
    }
}

/// A file that is sent to a server without room is refused with status 507.
async fn refused_upload(host: &TestHost) {
    let address = host.address();
    let request = wire::request(Method::PUT, address, "/files?platform=3&name=sent.bin")
        .header("content-type", "application/octet-stream")
        .body(Full::new(noise(SENT_BYTES, 9).into()))
        .expect("a path");
    let reply = wire::send(address, request).await;
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    assert_eq!(reply.status, 507, "{body}");
}

/// The time until a write is acknowledged again, in milliseconds.
async fn resumed(client: &mut Client, manifest: &Manifest) -> u64 {
    let begun = Instant::now();
    let params = json!({"name": "there is room again"});
    client
        .until(
            "writes go on by themselves",
            PATIENCE,
            "createImFavoriteFolder",
            &params,
            |answer| {
                // The name exists if an answer before it was lost.
                answer.code == 200 || answer.code == 60002
            },
        )
        .await;
    let resumed = begun.elapsed();
    let before = manifest.acknowledged.lock().len();
    eventually("the writers go on", || async {
        (manifest.acknowledged.lock().len() > before + 50).then_some(())
    })
    .await;
    u64::try_from(resumed.as_millis()).unwrap_or(u64::MAX)
}

/// All that was acknowledged is there once, and nothing that nobody asked for.
async fn all_there(client: &mut Client, manifest: &Manifest, when: &str) {
    let rows = client
        .pages("getImFavoriteList", json!({"favId": "1", "type": 0}))
        .await;
    let names: Vec<String> = rows
        .iter()
        .map(|row| row["unique"].as_str().unwrap_or_default().to_owned())
        .collect();
    let once: BTreeSet<String> = names.iter().cloned().collect();
    assert_eq!(once.len(), names.len(), "{when}, a favourite is there twice");
    let acknowledged = manifest.acknowledged.lock();
    let lost: Vec<_> = acknowledged.difference(&once).take(5).collect();
    assert!(lost.is_empty(), "{when}, acknowledged and lost: {lost:?}");
    let refused = manifest.refused.lock();
    let ghosts: Vec<_> = once
        .iter()
        .filter(|name| !acknowledged.contains(*name) && !refused.contains(*name))
        .take(5)
        .collect();
    assert!(ghosts.is_empty(), "{when}, nobody wrote {ghosts:?}");
    for row in &rows {
        let unique = row["unique"].as_str().unwrap_or_default();
        let n: u64 = unique
            .rsplit(' ')
            .next()
            .and_then(|n| n.parse().ok())
            .expect("a number");
        assert!(
            row["msgContent"] == text(n).as_str(),
            "{when}, {unique} has another text"
        );
    }
}

/// Kills a server while its disk is full, and starts it: at once, or when there is room.
async fn killed_when_full(host: TestHost, disk: &SmallDisk, manifest: &Arc<Manifest>) -> TestHost {
    manifest.over.store(false, Ordering::Relaxed);
    let before = manifest.refusals.load(Ordering::Relaxed);
    let writing = writers(&host, manifest, 1);
    disk.fill();
    eventually("writes are refused again", || async {
        (manifest.refusals.load(Ordering::Relaxed) > before).then_some(())
    })
    .await;
    let launch = host.kill().await;
    for writer in writing {
        writer.await.expect("a writer does not panic");
    }
    // Without room it may refuse to start. Then it says so, and changes nothing.
    match launch.clone().try_start(PATIENCE).await {
        Ok(host) => drop(host.kill().await),
        Err(told) => assert!(
            told.contains("No space left") && !told.contains("panicked"),
            "it says what is wrong: {told}"
        ),
    }
    disk.make_room();
    launch.start().await
}

/// Compacts with a full disk, and with room. Returns whether the program has the command.
async fn compaction(disk: &SmallDisk, data: &Path) -> bool {
    if Cli::new(["db", "compact", "--help"]).run().await.status != 0 {
        return false;
    }
    disk.fill();
    let output = Cli::new(["db", "compact"]).data(data).run().await;
    if output.status != 0 {
        assert!(output.stderr.contains("space"), "it says what is wrong: {output}");
    }
    disk.make_room();
    Cli::new(["db", "compact"]).data(data).succeeds().await;
    true
}
