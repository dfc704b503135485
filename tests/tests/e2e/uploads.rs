//! Uploads of local temp files.

use serde_json::{Value, json};
use stowage_tests::feed::Feed;
use stowage_tests::fixture::{SpaceFixture, hash_of, noise, stored_file, temp_file, temp_folder};
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::scene::Scene;
use stowage_tests::wait::until;

const TIME_MS: i64 = 1_744_163_398_055;

fn source(space: &SpaceFixture, bytes: &[u8], name: &str) {
    let hash = hash_of(bytes);
    space.row(
        "temp-files",
        &temp_file(
            &format!("temp-{hash}"),
            "conversation",
            name,
            &hash,
            bytes.len() as u64,
            TIME_MS,
        ),
    );
}

async fn scene(files: &[(&str, &[u8])]) -> Scene {
    let scene = Scene::with(|space| {
        space.row("temp-folders", &temp_folder("conversation", TIME_MS));
        for (name, bytes) in files {
            source(space, bytes, name);
        }
    })
    .await;
    for (_, bytes) in files {
        scene.temp_bytes(bytes);
    }
    scene
}

async fn upload(host: &TestHost, method: &str, bytes: &[u8]) {
    assert_eq!(host.ok(method, json!({"hashs": [hash_of(bytes)]})).await, true);
}

#[tokio::test]
async fn an_upload_to_storage_reaches_the_space() {
    let bytes = noise(3_000_000, 1);
    let scene = scene(&[("照片.JPG", &bytes)]).await;
    let mut feed = Feed::follow(&scene.host, "k", 0, 3, None).await;
    upload(&scene.host, "localTempFileToStorage", &bytes).await;
    let row = feed.row(&hash_of(&bytes), 1).await;
    assert_eq!(
        (
            &row["progress"],
            &row["code"],
            &row["type"],
            &row["shareIndex"],
            &row["name"],
            &row["size"]
        ),
        (
            &json!(100),
            &json!(0),
            &json!(0),
            &json!(3),
            &json!("照片.JPG"),
            &json!(3_000_000)
        )
    );
    assert!(
        row["sourcePath"]
            .as_str()
            .unwrap()
            .ends_with(&stowage_tests::fixture::hex_of(&hash_of(&bytes)))
    );
    assert_eq!(scene.space.read_blob(&hash_of(&bytes)), Some(bytes.clone()));
    until("the row is in the space", || {
        scene.space.find("storage-files", &hash_of(&bytes)).is_some()
    })
    .await;
    let stored = scene.space.find("storage-files", &hash_of(&bytes)).unwrap();
    assert_eq!(
        (&stored["name"], &stored["size"]),
        (&json!("照片.JPG"), &json!(3_000_000))
    );
    assert!(stored["time"].as_i64().unwrap() > TIME_MS, "milliseconds: {stored}");
    let info = scene.host.ok("getStorageSpaceInfo", json!({})).await;
    assert_eq!(
        (&info["storageSize"], &info["tempFilesSize"]),
        (&json!("2.86 MB"), &json!("2.86 MB"))
    );
    // A second upload makes no second file.
    upload(&scene.host, "localTempFileToStorage", &bytes).await;
    feed.row(&hash_of(&bytes), 1).await;
    assert_eq!(
        scene.host.ok("getStorageSpaceInfo", json!({})).await["storageSize"],
        "2.86 MB"
    );
}

#[tokio::test]
async fn an_upload_to_favourites_is_in_the_default_folder() {
    let bytes = noise(1000, 2);
    let scene = scene(&[("report.pdf", &bytes)]).await;
    let mut feed = Feed::follow(&scene.host, "k", 0, 2, None).await;
    upload(&scene.host, "localTempFileToFavorite", &bytes).await;
    feed.row(&hash_of(&bytes), 1).await;
    let list = json!({"favId": "1", "type": 2, "page": 1, "pageSize": 10});
    let rows = scene.host.ok("getImFavoriteList", list.clone()).await;
    let row = &rows[0];
    assert_eq!(
        (&row["name"], &row["hash"]),
        (&json!("report.pdf"), &json!(hash_of(&bytes)))
    );
    assert_eq!(
        (&row["nodeAddress"], &row["msgType"]),
        (&json!("conversation"), &json!(6))
    );
    assert!(
        (1_600_000_000..100_000_000_000).contains(&row["time"].as_i64().unwrap()),
        "seconds: {row}"
    );
    let unique = row["unique"].as_str().unwrap();
    until("the row is in the space", || {
        scene.space.find("favorites", unique).is_some()
    })
    .await;
    assert_eq!(scene.space.find("favorites", unique).unwrap()["folder"], "1");
    upload(&scene.host, "localTempFileToFavorite", &bytes).await;
    feed.row(&hash_of(&bytes), 1).await;
    assert_eq!(
        scene.host.ok("getImFavoriteList", list).await,
        rows,
        "one file of one message is one favourite"
    );
}

#[tokio::test]
async fn a_blob_that_the_space_has_needs_no_local_file() {
    let bytes = noise(1000, 3);
    let scene = Scene::with(|space| {
        space.row("temp-folders", &temp_folder("conversation", TIME_MS));
        source(space, &bytes, "a.bin");
        space.blob(&bytes);
    })
    .await;
    let mut feed = Feed::follow(&scene.host, "k", 0, 3, None).await;
    upload(&scene.host, "localTempFileToStorage", &bytes).await;
    feed.row(&hash_of(&bytes), 1).await;
}

#[tokio::test]
async fn an_upload_without_its_bytes_fails_and_leaves_no_row() {
    let bytes = noise(1000, 4);
    let scene = Scene::with(|space| {
        space.row("temp-folders", &temp_folder("conversation", TIME_MS));
        source(space, &bytes, "a.bin");
    })
    .await;
    let mut feed = Feed::follow(&scene.host, "k", 0, 3, None).await;
    upload(&scene.host, "localTempFileToStorage", &bytes).await;
    let row = feed.row(&hash_of(&bytes), 3).await;
    assert_eq!(row["code"], 60001);
    assert_eq!(
        scene.host.ok("getStorageSpaceInfo", json!({})).await["storageSize"],
        "0 B"
    );
    assert_eq!(scene.space.read("storage-files"), Vec::<Value>::new());
}

#[tokio::test]
async fn bytes_with_another_hash_never_reach_the_space() {
    let bytes = noise(1000, 5);
    let scene = scene(&[("a.bin", &bytes)]).await;
    let wrong = scene
        .host
        .data()
        .join("temp")
        .join(stowage_tests::fixture::hex_of(&hash_of(&bytes)));
    std::fs::write(wrong, noise(1000, 6)).unwrap();
    let mut feed = Feed::follow(&scene.host, "k", 0, 3, None).await;
    upload(&scene.host, "localTempFileToStorage", &bytes).await;
    let row = feed.row(&hash_of(&bytes), 3).await;
    assert_ne!(row["code"], 0);
    assert_eq!(scene.space.read_blob(&hash_of(&bytes)), None);
    assert_eq!(scene.space.read("storage-files"), Vec::<Value>::new());
}

#[tokio::test]
async fn a_space_without_room_is_status_5() {
    let dir = tempfile::tempdir().unwrap();
    let (fits, large) = (noise(300, 7), noise(900, 8));
    // The temp files count 1200 of the 1700 bytes and the other file 100.
    let space = SpaceFixture::sized(&dir.path().join("space"), 1700);
    space.row("temp-folders", &temp_folder("conversation", TIME_MS));
    for bytes in [&fits, &large] {
        source(&space, bytes, "a.bin");
    }
    space.row("storage-files", &stored_file(&hash_of(b"other"), "other", 100, 1));
    let host = Launch::new(dir.path().join("data")).space(space.url()).start().await;
    host.init().await;
    let scene = Scene { host, space, dir };
    scene.temp_bytes(&fits);
    scene.temp_bytes(&large);
    let mut feed = Feed::follow(&scene.host, "k", 0, 3, None).await;
    upload(&scene.host, "localTempFileToStorage", &large).await;
    feed.row(&hash_of(&large), 5).await;
    assert_eq!(scene.space.read_blob(&hash_of(&large)), None);
    upload(&scene.host, "localTempFileToStorage", &fits).await;
    feed.row(&hash_of(&fits), 1).await;
    assert_eq!(
        scene.host.ok("getStorageSpaceInfo", json!({})).await["remainingSize"],
        "100 B"
    );
}

#[tokio::test]
async fn an_upload_continues_after_a_restart() {
    let files: Vec<_> = (0..20).map(|n| noise(200_000, 100 + n)).collect();
    let named: Vec<_> = files.iter().map(|bytes| ("a.bin", bytes.as_slice())).collect();
    let scene = scene(&named).await;
    let hashes: Vec<_> = files.iter().map(|bytes| hash_of(bytes)).collect();
    assert_eq!(
        scene
            .host
            .ok("localTempFileToStorage", json!({ "hashs": hashes }))
            .await,
        true
    );
    let Scene { host, space, dir: _dir } = scene;
    let host = host.kill().await.start().await;
    let mut feed = Feed::follow(&host, "k", 0, 3, Some(1)).await;
    let mut done = std::collections::BTreeSet::new();
    feed.find("all uploads are complete", |frame| {
        for row in stowage_tests::feed::rows(frame) {
            if row["status"] == 1 {
                done.insert(row["hash"].as_str().unwrap().to_owned());
            }
        }
        (done.len() == hashes.len()).then_some(())
    })
    .await;
    for (hash, bytes) in hashes.iter().zip(&files) {
        assert_eq!(space.read_blob(hash).as_ref(), Some(bytes));
    }
    until("all rows are in the space", || space.read("storage-files").len() == 20).await;
}
