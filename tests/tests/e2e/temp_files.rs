//! Local temp files: lists, search, uploads.

use serde_json::{Value, json};
use stowage_tests::fixture::{SpaceFixture, hash_of, temp_file, temp_folder};
use stowage_tests::scene::Scene;

fn conversations(space: &SpaceFixture) {
    space
        .row("temp-folders", &temp_folder("alice", 1000))
        .row("temp-folders", &temp_folder("bob", 2000));
    space.row("temp-folders", &temp_folder("nobody", 3000));
    for (unique, parent, name, size, time) in [
        ("a1", "alice", "holiday.jpg", 1024, 10),
        ("a2", "alice", "notes.txt", 512, 20),
        ("b1", "bob", "Holiday plan.txt", 4246, 30),
    ] {
        space.row(
            "temp-files",
            &temp_file(unique, parent, name, &hash_of(unique.as_bytes()), size, time),
        );
    }
}

fn uniques(rows: &Value) -> Vec<&str> {
    rows.as_array()
        .unwrap()
        .iter()
        .map(|row| row["unique"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn folders_and_files_come_newest_first() {
    let scene = Scene::with(conversations).await;
    let host = &scene.host;
    let folders = host
        .ok("getLocalTempFolderList", json!({"page": 1, "pageSize": 10}))
        .await;
    assert_eq!(uniques(&folders), ["nobody", "bob", "alice"]);
    assert_eq!(
        (&folders[0]["fileNum"], &folders[0]["size"]),
        (&json!(0), &json!("0 B"))
    );
    assert_eq!(
        (&folders[2]["fileNum"], &folders[2]["size"]),
        (&json!(2), &json!("1.5 KB"))
    );
    let files = host
        .ok(
            "getLocalTempFileList",
            json!({"unique": "alice", "type": 0, "page": 1, "pageSize": 10}),
        )
        .await;
    assert_eq!(uniques(&files), ["a2", "a1"]);
    let empty = host
        .ok(
            "getLocalTempFileList",
            json!({"unique": "nobody", "type": 0, "page": 1, "pageSize": 10}),
        )
        .await;
    assert_eq!(empty, json!([]));
    let unknown = json!({"unique": "carol", "type": 0, "page": 1, "pageSize": 10});
    assert_eq!(host.code("getLocalTempFileList", unknown).await, 60000);
}

#[tokio::test]
async fn a_search_finds_files_and_the_folders_that_hold_them() {
    let scene = Scene::with(conversations).await;
    for (keyword, folders, files) in [
        (json!("holiday"), vec!["alice", "bob"], vec!["a1", "b1"]),
        (json!("PLAN"), vec!["bob"], vec!["b1"]),
        (json!("nobody"), vec!["nobody"], vec![]),
        (json!("none such"), vec![], vec![]),
        (json!(""), vec!["alice", "bob", "nobody"], vec!["a1", "a2", "b1"]),
        (json!(null), vec!["alice", "bob", "nobody"], vec!["a1", "a2", "b1"]),
    ] {
        let found = scene
            .host
            .ok("searchLocalTempFile", json!({ "keyword": keyword }))
            .await;
        assert_eq!(uniques(&found["folders"]), folders, "{keyword}");
        assert_eq!(uniques(&found["files"]), files, "{keyword}");
    }
}

#[tokio::test]
async fn every_field_is_present_whatever_the_space_lacks() {
    let scene = Scene::with(|space| {
        space.line("temp-folders", "00", r#"{"unique":"t"}"#);
        space.line("temp-files", "00", r#"{"unique":"f","parent":"t"}"#);
    })
    .await;
    let files = scene
        .host
        .ok(
            "getLocalTempFileList",
            json!({"unique": "t", "type": 0, "page": 1, "pageSize": 10}),
        )
        .await;
    let expected = json!([{
        "unique": "f", "parent": "t", "hash": "", "msgId": "", "msgContent": "", "msgType": 0, "ext": ".other",
        "size": "0 B", "name": "", "time": 0,
    }]);
    assert_eq!(files, expected);
    let folders = scene
        .host
        .ok("getLocalTempFolderList", json!({"page": 1, "pageSize": 10}))
        .await;
    let expected = json!([{"unique": "t", "nodeAddress": "", "type": 0, "fileNum": 1, "time": 0, "size": "0 B"}]);
    assert_eq!(folders, expected);
}

#[tokio::test]
async fn uploads_are_all_or_nothing() {
    let scene = Scene::with(conversations).await;
    let host = &scene.host;
    let (known, unknown) = (hash_of(b"a1"), hash_of(b"unknown"));
    for method in ["localTempFileToStorage", "localTempFileToFavorite"] {
        assert_eq!(
            host.code(method, json!({"hashs": [known, unknown]})).await,
            60001,
            "{method}"
        );
        assert_eq!(
            host.code(method, json!({"hashs": ["not a hash"]})).await,
            60001,
            "{method}"
        );
    }
    for platform in [2, 3] {
        let mut feed = stowage_tests::feed::Feed::follow(host, &format!("k{platform}"), 0, platform, None).await;
        assert_eq!(feed.next().await["data"], json!([]), "no task was made");
    }
    assert_eq!(
        host.ok("localTempFileToStorage", json!({"hashs": [known, known]}))
            .await,
        true
    );
    let mut feed = stowage_tests::feed::Feed::follow(host, "again", 0, 3, None).await;
    let snapshot = feed.next().await;
    assert_eq!(
        snapshot["data"].as_array().unwrap().len(),
        1,
        "one task a file: {snapshot}"
    );
}
