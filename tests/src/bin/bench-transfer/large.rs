//! One large file: from nginx, from S3, and through a link with a long round trip.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use stowage_tests::fixture::SpaceFixture;
use stowage_tests::host::Launch;
use stowage_tests::link::{Link, Shape};
use stowage_tests::nginx::Nginx;
use stowage_tests::s3::{self, BUCKET};

use crate::report::{Report, Rounds, Target};
use crate::rivals::Rival;
use crate::site::{self, Blob, S3Process, Stowage};

/// The size of the file: 1 GiB.
pub const LARGE_BYTES: u64 = 1 << 30;
/// The turns of every program.
const ROUNDS: usize = 5;
/// The same where a turn takes long.
const LINK_ROUNDS: usize = 3;
/// A server far away.
const SHAPE: Shape = Shape {
    round_trip: Duration::from_millis(50),
    bytes_per_second: 20_000_000,
};

const STOWAGE: &str = "stowage";
const CURL: &str = "curl -o";
const SYNCED: &str = "curl -o, then fsync";
const ARIA2C: &str = "aria2c -x8 -s8, checksum";
/// Its checksum takes longer than the download, so it is also shown without.
const UNCHECKED: &str = "aria2c -x8 -s8, unchecked";

pub async fn from_nginx(report: &mut Report) -> anyhow::Result<()> {
    println!("\na file of 1 GiB from nginx on loopback");
    let dir = site::directory()?;
    let space = SpaceFixture::create(&dir.path().join("space"));
    let blob = site::add_blob(&space, "large.bin", LARGE_BYTES, 1)?;
    let nginx = Nginx::start(space.dir(), &dir.path().join("nginx"), "bench-transfer").await;
    let nginx = nginx.context("nginx is not installed: run `make test-tools`")?;
    let launch = Launch::new(dir.path().join("data")).space(nginx.url());
    let url = nginx.url() + &blob.path();
    loopback(report, "nginx", dir.path(), launch, &blob, &url).await
}

pub async fn from_s3(report: &mut Report) -> anyhow::Result<()> {
    println!("\na file of 1 GiB from an S3 server on loopback");
    let dir = site::directory()?;
    let space = SpaceFixture::create(&dir.path().join("files"));
    let blob = site::add_blob(&space, "large.bin", LARGE_BYTES, 2)?;
    let file = dir.path().join("large.bin");
    std::fs::rename(space.blob_path(&blob.hash), &file)?;
    let server = S3Process::start(&dir.path().join("s3"))?;
    // Through the store: it computes the ETag only once, then.
    site::import(server.address, "one", &file).await?;
    let launch = s3::launch_at(server.address, Launch::new(dir.path().join("data")), "one");
    let url = format!("http://{}/{BUCKET}/one/{}", server.address, blob.path());
    loopback(report, "S3", dir.path(), launch, &blob, &url).await
}

async fn loopback(
    report: &mut Report,
    server: &str,
    dir: &Path,
    launch: Launch,
    blob: &Blob,
    url: &str,
) -> anyhow::Result<()> {
    let (curl, aria2c) = (Rival::find("curl")?, Rival::find("aria2c")?);
    let mut stowage = Stowage::start(launch).await;
    let file = dir.join("other.bin");
    let mut rounds = Rounds::new([STOWAGE, CURL, SYNCED, ARIA2C, UNCHECKED]);
    for round in 0..ROUNDS {
        let mut took = [Duration::ZERO; 5];
        // Each round begins with another program.
        for turn in 0..took.len() {
            let turn = (turn + round) % took.len();
            site::settle(dir)?;
            took[turn] = match turn {
                0 => stowage.download(std::slice::from_ref(blob)).await?,
                1 => curl.curl(url, &file).await?,
                2 => curl.curl_synced(url, &file).await?,
                3 => aria2c.aria2c(url, &file, Some(blob)).await?,
                _ => aria2c.aria2c(url, &file, None).await?,
            };
            let written = if turn == 0 { stowage.file(blob) } else { file.clone() };
            site::take(&written, blob)?;
        }
        rounds.push(took);
    }
    rounds.print(megabytes(blob), "MB");
    for (other, target) in [
        (CURL, Target::AtLeast(0.9)),
        (SYNCED, Target::AtLeast(0.9)),
        (ARIA2C, Target::AtLeast(1.0)),
        (UNCHECKED, Target::None),
    ] {
        let name = format!("1 GiB from {server}: {STOWAGE} / {other}");
        report.add(name, rounds.speed_ratio(STOWAGE, other), "", target);
    }
    stowage.host.stop().await;
    Ok(())
}

pub async fn through_link(report: &mut Report) -> anyhow::Result<()> {
    println!("\na file of 1 GiB through a link of 50 ms and 20 MB/s a connection");
    let aria2c = Rival::find("aria2c")?;
    let dir = site::directory()?;
    let space = SpaceFixture::create(&dir.path().join("space"));
    let blob = site::add_blob(&space, "large.bin", LARGE_BYTES, 3)?;
    let nginx = Nginx::start(space.dir(), &dir.path().join("nginx"), "bench-transfer").await;
    let nginx = nginx.context("nginx is not installed: run `make test-tools`")?;
    let link = Link::to(nginx.address(), SHAPE).await;
    let space_url = format!("http://{}/", link.address());
    let url = space_url.clone() + &blob.path();
    let mut stowage = Stowage::start(Launch::new(dir.path().join("data")).space(space_url)).await;
    let file = dir.path().join("other.bin");
    let mut rounds = Rounds::new([STOWAGE, ARIA2C, UNCHECKED]);
    for _ in 0..LINK_ROUNDS {
        site::settle(dir.path())?;
        let ours = stowage.download(std::slice::from_ref(&blob)).await?;
        site::take(&stowage.file(&blob), &blob)?;
        site::settle(dir.path())?;
        let checked = aria2c.aria2c(&url, &file, Some(&blob)).await?;
        site::take(&file, &blob)?;
        site::settle(dir.path())?;
        let unchecked = aria2c.aria2c(&url, &file, None).await?;
        site::take(&file, &blob)?;
        rounds.push([ours, checked, unchecked]);
    }
    rounds.print(megabytes(&blob), "MB");
    for other in [ARIA2C, UNCHECKED] {
        let name = format!("1 GiB, 50 ms, 20 MB/s a connection: {STOWAGE} / {other}");
        report.add(name, rounds.speed_ratio(STOWAGE, other), "", Target::AtLeast(0.9));
    }
    stowage.host.stop().await;
    Ok(())
}

fn megabytes(blob: &Blob) -> f64 {
    blob.len_bytes as f64 / 1e6
}
