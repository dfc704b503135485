//! The memory of many downloads at once.

use anyhow::Context as _;
use stowage_tests::fixture::SpaceFixture;
use stowage_tests::host::Launch;
use stowage_tests::nginx::Nginx;
use stowage_tests::usage;

use crate::report::{Report, Target};
use crate::site::{self, Stowage};

const TASKS: u64 = 16;
const LEN_BYTES: u64 = 256 << 20;

pub async fn run(report: &mut Report) -> anyhow::Result<()> {
    println!("\n{TASKS} downloads of 256 MiB at once, from nginx");
    let dir = site::directory()?;
    let space = SpaceFixture::create(&dir.path().join("space"));
    let blobs = (0..TASKS)
        .map(|n| site::add_blob(&space, &format!("{n}.bin"), LEN_BYTES, 100 + n))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let nginx = Nginx::start(space.dir(), &dir.path().join("nginx"), "bench-transfer").await;
    let nginx = nginx.context("nginx is not installed: run `make test-tools`")?;
    let launch = Launch::new(dir.path().join("data")).space(nginx.url());
    let mut stowage = Stowage::start(launch.args(["--max-transfers", &TASKS.to_string()])).await;
    let pid = stowage.host.pid();
    let idle = usage::resident_bytes(pid);
    usage::forget_peak(pid);
    let took = stowage.download(&blobs).await?;
    let above = usage::peak_bytes(pid).saturating_sub(idle);
    for blob in &blobs {
        site::take(&stowage.file(blob), blob)?;
    }
    let speed = (TASKS * LEN_BYTES) as f64 / 1e6 / took.as_secs_f64();
    report.add("16 x 256 MiB at once: idle memory", mib(idle), "MiB", Target::None);
    report.add(
        "16 x 256 MiB at once: most memory above idle",
        mib(above),
        "MiB",
        Target::LessThan(64.0),
    );
    report.add("16 x 256 MiB at once: speed", speed, "MB/s", Target::None);
    stowage.host.stop().await;
    Ok(())
}

/// Bytes in MiB.
pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
