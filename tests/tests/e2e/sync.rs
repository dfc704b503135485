//! Sync: local changes are published to the space, and changes of others are taken over.

use std::collections::BTreeSet;
use std::fs;

use futures_util::future::join_all;
use serde_json::{Value, json};
use stowage_tests::fixture::{
    backup, backup_folder, favorite, favorite_folder, hash_of, stored_file, temp_file, temp_folder,
};
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::scene::Scene;
use stowage_tests::wait::until;

async fn folder_names(host: &TestHost) -> BTreeSet<String> {
    let rows = host
        .ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 1000}))
        .await;
    let names: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap().to_owned())
        .collect();
    let set: BTreeSet<_> = names.iter().cloned().collect();
    assert_eq!(set.len(), names.len(), "no name twice: {names:?}");
    set
}

#[tokio::test]
async fn local_changes_reach_the_space_and_keep_unknown_fields() {
    let mut row = favorite_folder("f", "before", 1000);
    row["colour"] = json!({"r": 1, "deep": [null, 1.5, "我"]});
    let scene = Scene::with(|space| {
        space.row("favorite-folders", &row);
    })
    .await;
    scene
        .host
        .ok("renameImFavoriteFolder", json!({"id": "f", "newName": "after"}))
        .await;
    row["name"] = json!("after");
    until("the new name is in the space", || {
        scene.space.find("favorite-folders", "f") == Some(row.clone())
    })
    .await;
    scene.host.ok("createImFavoriteFolder", json!({"name": "图片"})).await;
    let created = || {
        scene
            .space
            .read("favorite-folders")
            .into_iter()
            .find(|row| row["name"] == "图片")
    };
    until("the new folder is in the space", || created().is_some()).await;
    let created = created().unwrap();
    assert!(
        created["time"].as_i64().unwrap() > 1_600_000_000_000,
        "milliseconds: {created}"
    );
    // New rows are in the segment where other writers look for them.
    let id = created["id"].as_str().unwrap();
    let segment = &stowage_tests::fixture::hex_of(&hash_of(id.as_bytes()))[..2];
    let file = scene
        .space
        .dir()
        .join(format!("lists/favorite-folders/{segment}.ndjson"));
    assert!(fs::read_to_string(file).unwrap().contains(id));
    scene.host.ok("deleteImFavoriteFolder", json!({"id": "f"})).await;
    until("the folder is gone from the space", || {
        scene.space.find("favorite-folders", "f").is_none()
    })
    .await;
}

#[tokio::test]
async fn another_host_sees_a_change_after_its_own_sync() {
    let scene = Scene::new().await;
    let other = scene.another("other").await;
    other.init().await;
    scene.host.ok("createImFavoriteFolder", json!({"name": "图片"})).await;
    // A sync publishes what is staged first.
    scene.host.init().await;
    assert!(
        !folder_names(&other).await.contains("图片"),
        "nothing moves without a sync"
    );
    other.init().await;
    assert!(folder_names(&other).await.contains("图片"));
    let rows = other
        .ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 10}))
        .await;
    let id = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["name"] == "图片")
        .unwrap()["id"]
        .clone();
    other.ok("deleteImFavoriteFolder", json!({ "id": id })).await;
    other.init().await;
    scene.host.init().await;
    assert!(
        !folder_names(&scene.host).await.contains("图片"),
        "what the cloud removed is removed here"
    );
}

#[tokio::test]
async fn two_hosts_that_write_at_once_lose_nothing() {
    let scene = Scene::new().await;
    let other = scene.another("other").await;
    other.init().await;
    let names = |host: &str| (0..40).map(|n| format!("{host} {n}")).collect::<Vec<_>>();
    let create = async |host: &TestHost, name: String| {
        assert_eq!(host.code("createImFavoriteFolder", json!({ "name": name })).await, 200);
    };
    let (ours, theirs) = (names("ours"), names("theirs"));
    tokio::join!(
        join_all(ours.iter().map(|name| create(&scene.host, name.clone()))),
        join_all(theirs.iter().map(|name| create(&other, name.clone()))),
    );
    tokio::join!(scene.host.init(), other.init());
    tokio::join!(scene.host.init(), other.init());
    let mut expected: BTreeSet<String> = ours.into_iter().chain(theirs).collect();
    expected.insert("我的收藏".into());
    assert_eq!(folder_names(&scene.host).await, expected);
    assert_eq!(folder_names(&other).await, expected);
    let in_space: Vec<_> = scene.space.read("favorite-folders");
    assert!(
        in_space.iter().filter(|row| row["id"] != "1").count() == 80,
        "{}",
        in_space.len()
    );
}

#[tokio::test]
async fn a_sync_takes_what_changed_and_drops_what_is_gone() {
    let scene = Scene::with(|space| {
        space.row("favorite-folders", &favorite_folder("f", "folder", 1));
        space
            .row("favorites", &favorite("a", "f", "a.txt", "x", 10, 1))
            .row("favorites", &favorite("b", "f", "b.txt", "x", 10, 2));
    })
    .await;
    let host = &scene.host;
    scene.space.remove("favorites", "a").remove("favorites", "b");
    let mut moved = favorite("b", "1", "renamed.txt", "x", 30, 3);
    moved["extra"] = json!(1);
    scene
        .space
        .row("favorites", &moved)
        .row("favorites", &favorite("c", "f", "c.txt", "x", 5, 4));
    host.init().await;
    let list = async |folder: &str| -> Vec<Value> {
        let params = json!({"favId": folder, "type": 0, "page": 1, "pageSize": 10});
        let rows = host.ok("getImFavoriteList", params).await;
        rows.as_array().unwrap().iter().map(|row| row["name"].clone()).collect()
    };
    assert_eq!(list("f").await, ["c.txt"]);
    assert_eq!(list("1").await, ["renamed.txt"]);
    assert_eq!(host.ok("getStorageSpaceInfo", json!({})).await["collectSize"], "35 B");
    fs::remove_dir_all(scene.space.dir().join("lists")).unwrap();
    host.init().await;
    assert_eq!(list("1").await, Vec::<Value>::new());
    assert_eq!(folder_names(host).await.len(), 1, "the default folder alone stays");
    assert_eq!(host.ok("getStorageSpaceInfo", json!({})).await["occupySize"], "0 B");
}

#[tokio::test]
async fn a_malformed_line_is_ignored_and_kept() {
    let lines = [
        "",
        "not json",
        "[]",
        "{\"id\":5}",
        "{}",
        "{\"id\":\"\"}",
        "{\"id\":\"x\",\"name\":7}",
        "{\"id\":\"\u{fffd}\"",
    ];
    let scene = Scene::with(|space| {
        let segment = &stowage_tests::fixture::hex_of(&hash_of(b"good"))[..2];
        for line in lines {
            space.line("favorite-folders", segment, line);
        }
        space.row("favorite-folders", &favorite_folder("good", "good", 1));
        space.line(
            "favorites",
            "zz-not-hex",
            &favorite("f", "good", "f.txt", "x", 1, 1).to_string(),
        );
        space.line("no-such-collection", "00", "{}");
    })
    .await;
    assert!(folder_names(&scene.host).await.contains("good"));
    let params = json!({"favId": "good", "type": 0, "page": 1, "pageSize": 10});
    assert_eq!(scene.host.ok("getImFavoriteList", params).await[0]["name"], "f.txt");
    scene
        .host
        .ok("renameImFavoriteFolder", json!({"id": "good", "newName": "better"}))
        .await;
    scene.host.init().await;
    let segment = &stowage_tests::fixture::hex_of(&hash_of(b"good"))[..2];
    let text = fs::read_to_string(
        scene
            .space
            .dir()
            .join(format!("lists/favorite-folders/{segment}.ndjson")),
    )
    .unwrap();
    assert!(text.contains("better"));
    for line in &lines[1..] {
        assert!(
            text.lines().any(|kept| kept == *line),
            "{line:?} was somebody else's: {text}"
        );
    }
}

#[tokio::test]
async fn a_file_may_come_before_its_folder() {
    let scene = Scene::with(|space| {
        space.row("backups", &backup("b", "later", "b.txt", "x", 2048, 1));
        space.row("temp-files", &temp_file("t", "later", "t.txt", "x", 2048, 1));
        space.row("favorites", &favorite("f", "later", "f.txt", "x", 2048, 1));
    })
    .await;
    let host = &scene.host;
    assert_eq!(
        host.code("getImBackupsFileList", json!({"parent": "later"})).await,
        60000
    );
    scene.space.row("backup-folders", &backup_folder("later", "", 1));
    scene
        .space
        .row("temp-folders", &temp_folder("later", 1))
        .row("favorite-folders", &favorite_folder("later", "later", 1));
    host.init().await;
    assert_eq!(host.ok("getImBackupsFolderList", json!({})).await[0]["size"], "2 KB");
    assert_eq!(
        host.ok("getLocalTempFolderList", json!({"page": 1, "pageSize": 1}))
            .await[0]["fileNum"],
        1
    );
    let params = json!({"favId": "later", "type": 0, "page": 1, "pageSize": 10});
    assert_eq!(host.ok("getImFavoriteList", params).await[0]["name"], "f.txt");
}

#[tokio::test]
async fn a_blob_leaves_the_space_with_its_last_row() {
    let (shared, single) = (b"a blob of two rows".as_slice(), b"a blob of one row".as_slice());
    let scene = Scene::with(|space| {
        for bytes in [shared, single] {
            space.blob(bytes);
        }
        space.row("favorite-folders", &favorite_folder("f", "folder", 1));
        space.row("favorites", &favorite("u", "f", "a", &hash_of(shared), 18, 1));
        space.row("favorites", &favorite("v", "f", "b", &hash_of(single), 17, 1));
        space.row("backup-folders", &backup_folder("b", "", 1));
        space.row("backups", &backup("b", "b", "b", &hash_of(shared), 18, 1));
    })
    .await;
    scene.host.ok("deleteImFavoriteFolder", json!({"id": "f"})).await;
    until("the blob of one row is gone", || {
        !scene.space.blob_path(&hash_of(single)).exists()
    })
    .await;
    assert!(
        scene.space.blob_path(&hash_of(shared)).exists(),
        "a backup still names it"
    );
    scene
        .host
        .ok("deleteImBackups", json!({"unique": "b", "isFolder": false}))
        .await;
    until("the other blob is gone", || {
        !scene.space.blob_path(&hash_of(shared)).exists()
    })
    .await;
}

/// Another device's row may name a blob before it is known here.
#[tokio::test]
async fn a_blob_that_another_device_names_stays() {
    let bytes = b"named by somebody else, too";
    let scene = Scene::with(|space| {
        space.blob(bytes);
        space.blob(b"a marker");
        space.row("backup-folders", &backup_folder("b", "", 1));
        space.row("backups", &backup("u", "b", "u", &hash_of(bytes), 27, 1));
        space.row("backups", &backup("m", "b", "m", &hash_of(b"a marker"), 8, 1));
    })
    .await;
    scene
        .space
        .row("storage-files", &stored_file(&hash_of(bytes), "theirs", 27, 1));
    scene
        .host
        .ok("deleteImBackups", json!({"unique": "u", "isFolder": false}))
        .await;
    scene
        .host
        .ok("deleteImBackups", json!({"unique": "m", "isFolder": false}))
        .await;
    until("the marker is gone", || {
        !scene.space.blob_path(&hash_of(b"a marker")).exists()
    })
    .await;
    assert!(scene.space.blob_path(&hash_of(bytes)).exists());
}

/// A disk was removed. Changes used to be published into a new directory in its place, counted as
/// published, and were dropped by the first sync after the disk was back.
#[tokio::test]
async fn a_space_out_of_reach_is_code_500_and_loses_nothing() {
    let scene = Scene::with(|space| {
        space.row("favorite-folders", &favorite_folder("f", "folder", 1));
    })
    .await;
    let away = scene.dir.path().join("away");
    fs::rename(scene.space.dir(), &away).unwrap();
    scene
        .host
        .ok("createImFavoriteFolder", json!({"name": "meanwhile"}))
        .await;
    assert_eq!(scene.host.code("initStorage$IMDataFromSdk", json!({})).await, 500);
    assert_eq!(
        folder_names(&scene.host).await.len(),
        3,
        "the lists of the last sync stay"
    );
    assert!(!scene.space.dir().exists(), "a space is not made by losing it");
    fs::rename(&away, scene.space.dir()).unwrap();
    scene.host.init().await;
    assert!(folder_names(&scene.host).await.contains("meanwhile"));
    let rows = scene.space.read("favorite-folders");
    assert!(
        rows.iter().any(|row| row["name"] == "meanwhile"),
        "made up for: {rows:?}"
    );
}

#[tokio::test]
async fn a_space_of_another_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("space.json"), r#"{"format": 2, "totalBytes": 1}"#).unwrap();
    let launch = Launch::new(dir.path().join("data")).space(format!("file://{}", dir.path().display()));
    let refused = launch.refused().await;
    assert!(refused.stderr.contains("format"), "{refused}");
}
