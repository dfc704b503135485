//! A space behind nginx: a plain server of files and ranges, which takes no writes.

use std::fs;

use serde_json::json;
use stowage_tests::feed::Feed;
use stowage_tests::fixture::{SpaceFixture, noise, stored_file};
use stowage_tests::host::Launch;
use stowage_tests::nginx::Nginx;

#[tokio::test]
async fn files_are_read_from_a_plain_web_server() {
    let dir = tempfile::tempdir().unwrap();
    let space = SpaceFixture::create(&dir.path().join("space"));
    let lengths = [1, 4096, 8 << 20, (8 << 20) + 1, 40_000_000];
    let files: Vec<_> = (0..lengths.len())
        .map(|n| {
            let bytes = noise(lengths[n], n as u64);
            let hash = space.blob(&bytes);
            let row = stored_file(&hash, &format!("{n}.bin"), bytes.len() as u64, 1);
            space.row("storage-files", &row);
            (hash, bytes)
        })
        .collect();
    let skipped = "downloads from nginx";
    let Some(nginx) = Nginx::start(space.dir(), &dir.path().join("nginx"), skipped).await else {
        return;
    };
    let host = Launch::new(dir.path().join("data")).space(nginx.url()).start().await;
    host.init().await;
    for (n, (hash, bytes)) in files.iter().enumerate() {
        let mut feed = Feed::follow(&host, "k", 1, 3, None).await;
        host.ok("downloadStorageFileTask", json!({"hash": hash, "platform": 3}))
            .await;
        feed.row(hash, 4).await;
        let landed = fs::read(host.data().join(format!("downloads/3/{n}.bin"))).unwrap();
        assert!(landed == *bytes, "{n}.bin has {} bytes", landed.len());
    }
    host.stop().await;
}
