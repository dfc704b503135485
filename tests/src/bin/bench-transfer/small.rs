//! Many small files.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;
use stowage_tests::fixture::{SpaceFixture, noise, stored_file};
use stowage_tests::host::Launch;
use stowage_tests::nginx::Nginx;

use crate::calls;
use crate::report::{Report, Rounds, Target};
use crate::rivals::Rival;
use crate::site::{self, PATIENCE, Stowage};

const FILES: u64 = 10_000;
const LEN_BYTES: usize = 4 << 10;
const WORKERS: usize = 16;
const ROUNDS: usize = 3;

const STOWAGE: &str = "stowage, 16 transfers";
const RCLONE: &str = "rclone copy --transfers 16";
/// Then its files are as durable as those of Stowage.
const SYNCED: &str = "the same, then syncfs";

pub async fn run(report: &mut Report) -> anyhow::Result<()> {
    println!("\n{FILES} files of 4 KiB, from nginx");
    let rclone = Rival::find("rclone")?;
    let dir = site::directory()?;
    let space = SpaceFixture::create(&dir.path().join("space"));
    let hashes: Vec<String> = (0..FILES)
        .map(|n| {
            let hash = space.blob(&noise(LEN_BYTES, n));
            space.row(
                "storage-files",
                &stored_file(&hash, &format!("{n}.bin"), LEN_BYTES as u64, 1),
            );
            hash
        })
        .collect();
    let nginx = Nginx::start(space.dir(), &dir.path().join("nginx"), "bench-transfer").await;
    let nginx = nginx.context("nginx is not installed: run `make test-tools`")?;
    let mut rounds = Rounds::new([STOWAGE, RCLONE, SYNCED]);
    for round in 0..ROUNDS {
        site::settle(dir.path())?;
        let data = dir.path().join(format!("data{round}"));
        let ours = ours(&data, nginx.url(), &hashes).await?;
        site::settle(dir.path())?;
        let copy = dir.path().join("copy");
        let started = Instant::now();
        let theirs = rclone.rclone(&(nginx.url() + "blobs/"), &copy, WORKERS).await?;
        site::settle(dir.path())?;
        let synced = started.elapsed();
        anyhow::ensure!(files(&copy)? == FILES, "rclone copied {} files", files(&copy)?);
        fs::remove_dir_all(copy)?;
        rounds.push([ours, theirs, synced]);
    }
    rounds.print(FILES as f64, "files");
    for (other, target) in [(RCLONE, Target::AtLeast(1.0)), (SYNCED, Target::None)] {
        let name = format!("10,000 x 4 KiB: {STOWAGE} / {other}");
        report.add(name, rounds.speed_ratio(STOWAGE, other), "", target);
    }
    Ok(())
}

/// A new server downloads all files. Its start is not in the time.
async fn ours(data: &Path, space: String, hashes: &[String]) -> anyhow::Result<Duration> {
    let launch = Launch::new(data).space(space);
    let mut stowage = Stowage::start(launch.args(["--max-transfers", &WORKERS.to_string()])).await;
    let started = Instant::now();
    let address = stowage.host.address();
    let parameters = hashes
        .iter()
        .map(|hash| json!({"hash": hash, "platform": 3, "taskId": hash}))
        .collect();
    let calls = calls::all(address, "downloadStorageFileTask", parameters);
    let ends = stowage.completed(hashes.to_vec());
    tokio::time::timeout(PATIENCE, async { tokio::try_join!(calls, ends) }).await??;
    let took = started.elapsed();
    let downloads = stowage.host.data().join("downloads/3");
    anyhow::ensure!(files(&downloads)? == FILES, "{} files are there", files(&downloads)?);
    stowage.host.stop().await;
    fs::remove_dir_all(downloads)?;
    Ok(took)
}

/// The files of 4 KiB in a directory and its folders.
fn files(directory: &Path) -> anyhow::Result<u64> {
    let mut found = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            found += files(&entry.path())?;
        } else if metadata.len() == LEN_BYTES as u64 {
            found += 1;
        }
    }
    Ok(found)
}
