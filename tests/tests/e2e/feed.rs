//! The progress feed, on real websockets.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use stowage_tests::feed::{Feed, handshake, rows, subscribe};
use stowage_tests::fixture::{SpaceFixture, hash_of, noise, stored_file};
use stowage_tests::host::TestHost;
use stowage_tests::scene::Scene;
use stowage_tests::wait::{until, within};
use tokio_tungstenite::tungstenite::Message;

fn stored(space: &SpaceFixture, collection: &str, n: u64, len_bytes: usize) {
    let bytes = noise(len_bytes, n);
    let hash = space.blob(&bytes);
    space.row(
        collection,
        &stored_file(&hash, &format!("{n}.bin"), bytes.len() as u64, 1),
    );
}

async fn download(host: &TestHost, n: u64, len_bytes: usize, platform: u8) -> String {
    let hash = hash_of(&noise(len_bytes, n));
    host.ok("downloadStorageFileTask", json!({"hash": hash, "platform": platform}))
        .await;
    hash
}

/// Checks that frames of a key count from 1 without gaps.
#[derive(Default)]
struct Sequence(u64);

impl Sequence {
    fn check(&mut self, frame: &Value) {
        assert_eq!(frame["seq"].as_u64(), Some(self.0 + 1), "{frame}");
        self.0 += 1;
    }
}

#[tokio::test]
async fn the_first_frame_is_a_snapshot_in_either_order() {
    let scene = Scene::with(|space| stored(space, "storage-files", 1, 1000)).await;
    let host = &scene.host;
    // Connected before the key is known.
    let mut early = Feed::connect(host, &["early"]).await;
    subscribe(host, "early", 1, 3, None).await;
    let frame = early.next().await;
    assert_eq!(
        (&frame["key"], &frame["data"], &frame["seq"]),
        (&json!("early"), &json!([]), &json!(1))
    );
    let hash = download(host, 1, 1000, 3).await;
    early.row(&hash, 4).await;
    // Subscribed before the connection.
    subscribe(host, "late", 1, 3, None).await;
    let mut late = Feed::connect(host, &["late"]).await;
    let frame = late.next().await;
    assert_eq!(
        (&frame["seq"], &rows(&frame)[0]["status"], rows(&frame).len()),
        (&json!(1), &json!(4), 1)
    );
    // A new connection starts again.
    drop(early);
    let mut again = Feed::connect(host, &["early"]).await;
    let frame = again.next().await;
    assert_eq!((&frame["seq"], &rows(&frame)[0]["hash"]), (&json!(1), &json!(hash)));
    // So does a new subscription of a key that is followed already.
    subscribe(host, "early", 1, 3, Some(5)).await;
    let frame = again
        .find("the new snapshot", |frame| {
            (rows(frame).is_empty()).then(|| frame.clone())
        })
        .await;
    assert_eq!(frame["key"], "early");
}

#[tokio::test]
async fn a_filter_passes_only_what_matches() {
    let scene = Scene::with(|space| {
        stored(space, "storage-files", 1, 1000);
        stored(space, "dapp-files", 2, 1000);
        space.row("storage-files", &stored_file(&hash_of(b"gone"), "gone", 4, 1));
    })
    .await;
    let host = &scene.host;
    let mut complete = Feed::follow(host, "complete", 1, 3, Some(4)).await;
    let mut invalid = Feed::follow(host, "invalid", 1, 3, Some(0)).await;
    let mut dapp = Feed::follow(host, "dapp", 1, 4, None).await;
    let mut uploads = Feed::follow(host, "uploads", 0, 3, None).await;
    for feed in [&mut complete, &mut invalid, &mut dapp, &mut uploads] {
        assert_eq!(feed.next().await["data"], json!([]));
    }
    let stored = download(host, 1, 1000, 3).await;
    let dapped = download(host, 2, 1000, 4).await;
    host.ok(
        "downloadStorageFileTask",
        json!({"hash": hash_of(b"gone"), "platform": 3}),
    )
    .await;
    dapp.row(&dapped, 4).await;
    complete.row(&stored, 4).await;
    invalid.row(&hash_of(b"gone"), 0).await;
    // Each client saw only its own tasks: a new snapshot shows now what a later frame would show.
    for (key, direction, platform, status, found) in [
        ("a", 1, 3, None, vec![stored.clone(), hash_of(b"gone")]),
        ("b", 1, 3, Some(4), vec![stored.clone()]),
        ("c", 1, 4, None, vec![dapped.clone()]),
        ("d", 0, 3, None, vec![]),
        ("e", 1, 2, None, vec![]),
        ("f", 1, 3, Some(1), vec![]),
    ] {
        let mut feed = Feed::follow(host, key, direction, platform, status).await;
        let frame = feed.next().await;
        let hashes: BTreeSet<_> = rows(&frame)
            .iter()
            .map(|row| row["hash"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(hashes, found.into_iter().collect(), "{key}");
    }
}

#[tokio::test]
async fn a_row_that_stops_matching_is_sent_once_more() {
    let scene = Scene::with(|space| stored(space, "storage-files", 1, 1000)).await;
    let host = &scene.host;
    let hash = download(host, 1, 1000, 3).await;
    Feed::follow(host, "x", 1, 3, None).await.row(&hash, 4).await;
    let mut complete = Feed::follow(host, "complete", 1, 3, Some(4)).await;
    assert_eq!(rows(&complete.next().await).len(), 1);
    std::fs::remove_file(scene.downloads(3).join("1.bin")).unwrap();
    // A new snapshot checks the files.
    let mut all = Feed::follow(host, "all", 1, 3, None).await;
    all.row(&hash, 3).await;
    let row = complete.row(&hash, 3).await;
    assert_eq!(row["status"], 3);
}

#[tokio::test]
async fn a_connection_gets_its_keys_or_all_keys() {
    let scene = Scene::with(|space| stored(space, "storage-files", 1, 1000)).await;
    let host = &scene.host;
    for key in ["a", "我 key", "c"] {
        subscribe(host, key, 1, 3, None).await;
    }
    let mut two = Feed::connect(host, &["a", "%E6%88%91%20key"]).await;
    let mut all = Feed::connect(host, &[]).await;
    let hash = download(host, 1, 1000, 3).await;
    let seen = async |feed: &mut Feed, expected: usize| {
        let (mut done, mut keys) = (BTreeSet::new(), BTreeSet::new());
        let mut sequences = std::collections::BTreeMap::<String, Sequence>::new();
        feed.find("the end on every key", |frame| {
            let key = frame["key"].as_str().unwrap().to_owned();
            sequences.entry(key.clone()).or_default().check(frame);
            keys.insert(key.clone());
            if rows(frame).iter().any(|row| row["hash"] == hash && row["status"] == 4) {
                done.insert(key);
            }
            (done.len() == expected).then_some(())
        })
        .await;
        keys.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(seen(&mut two, 2).await, ["a", "我 key"]);
    assert_eq!(seen(&mut all, 3).await, ["a", "c", "我 key"]);
}

#[tokio::test]
async fn a_long_download_has_at_most_ten_frames_a_second() {
    const LEN: usize = 160 << 20;
    let scene = Scene::with(|space| stored(space, "storage-files", 1, LEN)).await;
    let mut feed = Feed::follow(&scene.host, "k", 1, 3, None).await;
    let mut sequence = Sequence::default();
    sequence.check(&feed.next().await);
    let hash = hash_of(
        &scene
            .space
            .read_blob(scene.space.read("storage-files")[0]["hash"].as_str().unwrap())
            .unwrap(),
    );
    let started = Instant::now();
    scene
        .host
        .ok("downloadStorageFileTask", json!({"hash": hash, "platform": 3}))
        .await;
    let (mut frames, mut progress) = (0u32, 0);
    let last = feed
        .find("the end of the download", |frame| {
            sequence.check(frame);
            frames += 1;
            let row = &rows(frame)[0];
            let now = row["progress"].as_u64().unwrap();
            assert!(
                now >= progress && (now < 100 || row["status"] == 4),
                "{progress} then {row}"
            );
            progress = now;
            (row["status"] == 4).then(|| row.clone())
        })
        .await;
    let elapsed = started.elapsed();
    assert_eq!(last["progress"], 100);
    let most = 10.0 * elapsed.as_secs_f64() + 3.0;
    assert!(f64::from(frames) <= most, "{frames} frames in {elapsed:?}");
}

fn resident_bytes(host: &TestHost) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{}/statm", host.pid())).unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[tokio::test]
async fn a_client_that_stops_reading_costs_little_and_blocks_nobody() {
    const FILES: u64 = 120;
    let scene = Scene::with(|space| (0..FILES).for_each(|n| stored(space, "storage-files", n, 500))).await;
    let host = &scene.host;
    // They connect, and never read a frame.
    let mut stuck = Vec::new();
    for n in 0..8 {
        stuck.push(Feed::follow(host, &format!("stuck{n}"), 1, 3, None).await);
    }
    let mut reader = Feed::follow(host, "reader", 1, 3, None).await;
    let before = resident_bytes(host);
    let mut done = BTreeSet::new();
    for n in 0..FILES {
        download(host, n, 500, 3).await;
    }
    let mut sequence = Sequence::default();
    reader
        .find("every final state", |frame| {
            sequence.check(frame);
            for row in rows(frame) {
                if row["status"] == 4 {
                    done.insert(row["id"].as_u64().unwrap());
                }
            }
            (done.len() == FILES as usize).then_some(())
        })
        .await;
    let grown = resident_bytes(host).saturating_sub(before);
    assert!(grown < 96 << 20, "{grown} bytes for {} readers", stuck.len());
    println!(
        "scorecard: H7 {} readers that never read, {FILES} downloads: memory grew by {} KiB in all; another reader saw every end",
        stuck.len(),
        grown >> 10
    );
    // A client that reads again gets a consistent last state.
    let mut late = BTreeSet::new();
    stuck[0]
        .find("every final state, late", |frame| {
            for row in rows(frame) {
                if row["status"] == 4 {
                    late.insert(row["id"].as_u64().unwrap());
                }
            }
            (late.len() == FILES as usize).then_some(())
        })
        .await;
}

#[tokio::test]
async fn messages_of_a_client_are_bounded_and_ignored() {
    let scene = Scene::new().await;
    let host = &scene.host;
    let mut feed = Feed::follow(host, "k", 1, 3, None).await;
    feed.next().await;
    let mut socket = feed.into_socket();
    for message in [
        Message::text("hello"),
        Message::text("{}"),
        Message::binary(vec![0u8; 1000]),
    ] {
        socket.send(message).await.unwrap();
    }
    socket
        .send(Message::Ping(bytes::Bytes::from_static(b"x")))
        .await
        .unwrap();
    let pong = within("a pong", async {
        loop {
            if let Message::Pong(payload) = socket.next().await.unwrap().unwrap() {
                return payload;
            }
        }
    })
    .await;
    assert_eq!(pong, bytes::Bytes::from_static(b"x"));
    let _ = socket.send(Message::binary(vec![0u8; 1 << 20])).await;
    within("the server hangs up", async {
        while let Some(Ok(_)) = socket.next().await {}
    })
    .await;
    assert_eq!(
        host.ok("createImFavoriteFolder", json!({"name": "still there"})).await,
        true
    );
}

#[tokio::test]
async fn a_malformed_handshake_is_refused() {
    let scene = Scene::new().await;
    let address = scene.host.address();
    for header in ["upgrade", "sec-websocket-key", "sec-websocket-version"] {
        let mut request = handshake(address, &["k"]).body(()).unwrap();
        request.headers_mut().remove(header);
        let mut head = "GET /ws?key=k HTTP/1.1\r\n".to_owned();
        for (name, value) in request.headers() {
            // The server then hangs up after its answer.
            let close = if name == "connection" { ", close" } else { "" };
            head.push_str(&format!("{name}: {}{close}\r\n", value.to_str().unwrap()));
        }
        let answer = stowage_tests::wire::raw(address, (head + "\r\n").as_bytes()).await;
        let status = stowage_tests::wire::raw_status(&answer);
        assert!((400..500).contains(&status), "without {header}: {answer}");
    }
    let many: Vec<String> = (0..65).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(
        Feed::status(address, handshake(address, &many).body(()).unwrap()).await,
        400
    );
    assert_eq!(
        Feed::status(address, handshake(address, &many[1..]).body(()).unwrap()).await,
        101
    );
}

#[tokio::test]
async fn a_server_that_stops_closes_its_websockets() {
    let scene = Scene::new().await;
    let mut feed = Feed::follow(&scene.host, "k", 1, 3, None).await;
    feed.next().await;
    let started = Instant::now();
    let (_, end) = tokio::join!(scene.host.stop(), within("the goodbye", feed.next_or_end()));
    assert_eq!(end, None);
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn uploads_and_downloads_have_their_own_numbers() {
    let scene = Scene::with(|space| stored(space, "storage-files", 1, 1000)).await;
    let hash = download(&scene.host, 1, 1000, 3).await;
    let mut feed = Feed::follow(&scene.host, "k", 1, 3, None).await;
    let first = feed.row(&hash, 4).await;
    download(&scene.host, 1, 1000, 3).await;
    let second = feed
        .find("the second task", |frame| {
            rows(frame)
                .iter()
                .find(|row| row["id"] != first["id"] && row["status"] == 4)
                .cloned()
        })
        .await;
    assert_ne!(first["taskId"], second["taskId"]);
    until("one file, or two with a number", || {
        (1..=2).contains(&std::fs::read_dir(scene.downloads(3)).unwrap().count())
    })
    .await;
}
