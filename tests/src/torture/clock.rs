//! A clock that jumps a day forth and back under a running server.
//!
//! `libfaketime` gives the server another time of day. Its monotonic clock is left alone, as on a
//! machine whose clock is set.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Method;
use http_body_util::Full;
use serde_json::{Value, json};

use super::client::Client;
use crate::admin::Admin;
use crate::changing::{changing, plain};
use crate::console;
use crate::feed::Feed;
use crate::fixture::{SpaceFixture, noise, stored_file};
use crate::host::{Launch, TestHost};
use crate::wire;

/// The file that is downloaded during the jumps.
const DOWNLOAD_BYTES: usize = 6 << 20;
/// The rate of the download, so that it outlasts the jumps.
const BYTES_PER_SECOND: u64 = 1 << 20;
/// How far the clock jumps.
const DAY_S: i64 = 24 * 3600;

/// The library that gives a program another time of day, if it is installed.
pub fn library() -> Option<PathBuf> {
    let dirs = fs::read_dir("/usr/lib").ok()?;
    dirs.flatten()
        .map(|entry| entry.path().join("faketime/libfaketime.so.1"))
        .find(|file| file.is_file())
}

/// What was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Jumps of the clock.
    pub jumps: usize,
    /// Calls that were answered after jumps.
    pub calls: u64,
    /// Frames of the feed after the first jump.
    pub frames: u64,
}

/// Lets the clock of a server jump while it works.
///
/// # Errors
/// The library is not installed.
///
/// # Panics
/// When a call fails after a jump, a timer goes off or stops, or an order depends on the clock.
pub async fn run(dir: &Path) -> Result<Seen, String> {
    let library = library().ok_or("libfaketime is not installed: `make test-tools` installs it")?;
    let offset = dir.join("offset");
    set(&offset, 0);
    let space = SpaceFixture::create(&dir.join("space"));
    let bytes = noise(DOWNLOAD_BYTES, 3);
    let hash = space.blob(&bytes);
    space.row("dapp-files", &stored_file(&hash, "slow.bin", bytes.len() as u64, 1));
    let launch = Launch::new(dir.join("data"))
        .space(space.url())
        .env("LD_PRELOAD", &library.display().to_string())
        .env("FAKETIME_TIMESTAMP_FILE", &offset.display().to_string())
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let host = launch.start().await;
    host.init().await;
    let mut client = Client::new(host.address());
    client
        .ok(
            "transferApi/setLimits",
            json!({"downloadBytesPerSecond": BYTES_PER_SECOND}),
        )
        .await;
    client
        .ok(
            "downloadStorageFileTask",
            json!({"hash": hash, "platform": 4, "taskId": "slow"}),
        )
        .await;
    let mut feed = Feed::follow(&host, "clock", 1, 4, None).await;
    // A version on probation: a jump must not end it, nor roll it back.
    Admin::of(&host).swap(&[("changing", &changing(plain('a')))]).await;
    let upload = begin_upload(&host).await;
    let session = console::session(&host, &console::first_secret(&host).await).await;
    let mut seen = Seen {
        jumps: 0,
        calls: 0,
        frames: 0,
    };
    let mut latest = Vec::new();
    for jump in [DAY_S - 3600, 0, 1 - DAY_S, 0] {
        set(&offset, jump);
        seen.jumps += 1;
        for n in 0..20 {
            let name = format!("after jump {} {n}", seen.jumps);
            client.ok("createImFavoriteFolder", json!({ "name": name })).await;
            client.ok("tests/work", json!({"key": "clock"})).await;
            seen.calls += 2;
        }
        let folders = client.pages("getImFavoriteFolders", json!({"order": "desc"})).await;
        let newest = folders.iter().filter_map(|row| row["time"].as_i64()).max();
        latest.push(newest.expect("folders have times"));
        let frame = tokio::time::timeout(Duration::from_secs(5), feed.next_or_end()).await;
        assert!(
            matches!(frame, Ok(Some(_))),
            "after a jump of {jump} s the feed goes on: {frame:?}"
        );
        seen.frames += 1;
        assert!(
            is_open(&host, &session).await,
            "after a jump of {jump} s the console is open"
        );
        assert!(
            continues(&host, &upload).await,
            "after a jump of {jump} s the upload is there"
        );
        let module = Admin::of(&host).module("changing").await.expect("the module is live");
        assert!(module["calls"]["failed"] == 0, "{module}");
    }
    // The first jump was seen: nothing is newer, also after the clock was set back.
    assert!(
        latest.iter().all(|time| *time == latest[0]),
        "the clock did not jump: {latest:?}"
    );
    client
        .until(
            "the download ends",
            Duration::from_secs(60),
            "transferApi/listTasks",
            &tasks(),
            |answer| answer.data[0]["status"] == 4,
        )
        .await;
    // Later tasks have higher numbers, whatever the clock says.
    client
        .ok(
            "downloadStorageFileTask",
            json!({"hash": hash, "platform": 4, "taskId": "next"}),
        )
        .await;
    let listed = client.ok("transferApi/listTasks", tasks()).await;
    assert_eq!(listed[0]["taskId"], "next", "the newest task comes first: {listed}");
    assert!(!host.log().contains("panicked"), "{}", host.log());
    let host = host.restart().await;
    let folders = Client::new(host.address())
        .pages("getImFavoriteFolders", json!({}))
        .await;
    assert_eq!(folders.len(), 1 + 20 * seen.jumps);
    host.stop().await;
    Ok(seen)
}

fn set(file: &Path, seconds: i64) {
    let new = file.with_extension("new");
    fs::write(&new, format!("{seconds:+}\n")).expect("a writable directory");
    fs::rename(&new, file).expect("a writable directory");
}

fn tasks() -> Value {
    json!({"type": 1, "page": 1, "pageSize": 10})
}

/// Begins an upload in parts, and returns its path.
async fn begin_upload(host: &TestHost) -> String {
    let request = wire::request(Method::POST, host.address(), "/files/uploads")
        .header("tus-resumable", "1.0.0")
        .header("upload-length", "1000")
        // "a.bin" and "3".
        .header("upload-metadata", "filename YS5iaW4=,platform Mw==")
        .body(Full::default())
        .expect("a request");
    let reply = wire::send(host.address(), request).await;
    assert_eq!(reply.status, 201, "{:?}", reply.body);
    reply.headers["location"].to_str().expect("a path").to_owned()
}

/// Whether an upload in parts can be continued.
async fn continues(host: &TestHost, upload: &str) -> bool {
    let request = wire::request(Method::HEAD, host.address(), upload)
        .header("tus-resumable", "1.0.0")
        .body(Full::default())
        .expect("a request");
    wire::send(host.address(), request).await.status == 200
}

/// Whether a session of the console is valid.
async fn is_open(host: &TestHost, session: &str) -> bool {
    let (name, value) = console::bearer(session);
    console::get(host, "/admin/overview", &[(name, &value)]).await.status == 200
}
