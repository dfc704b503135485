//! Parameters: what is refused, with the field in the message.

use serde_json::{Value, json};
use stowage_tests::fixture::{backup_folder, temp_file, temp_folder};
use stowage_tests::scene::Scene;

#[tokio::test]
async fn a_wrong_parameter_is_code_600_and_named() {
    let scene = Scene::with(|space| {
        space
            .row("temp-folders", &temp_folder("t", 1))
            .row("backup-folders", &backup_folder("b", "", 1));
        let hash = stowage_tests::fixture::hash_of(b"x");
        space.row("temp-files", &temp_file("f", "t", "f", &hash, 1, 1));
    })
    .await;
    let list = json!({"favId": "1", "type": 0, "page": 1, "pageSize": 10});
    let temp = json!({"unique": "t", "type": 0, "page": 1, "pageSize": 10});
    let pages = json!({"page": 1, "pageSize": 10});
    let files = json!({"parent": "b", "page": 1, "pageSize": 10});
    let feed = json!({"type": 0, "platform": 3, "key": "k"});
    let download = json!({"hash": stowage_tests::fixture::hash_of(b"x"), "platform": 1});
    let bad_page = [
        json!(0),
        json!(-1),
        json!(1.5),
        json!("x"),
        json!(true),
        json!([]),
        json!(4_294_967_296u64),
    ];
    let bad_size = [json!(0), json!(1001), json!(-1), json!("1e9")];
    let mut cases: Vec<(&str, Value, &str, Value)> = Vec::new();
    for (method, params) in [
        ("getImFavoriteList", &list),
        ("getLocalTempFileList", &temp),
        ("getImFavoriteFolders", &pages),
        ("getLocalTempFolderList", &pages),
        ("getImBackupsFileList", &files),
        ("getImBackupsFolderList", &pages),
    ] {
        cases.extend(bad_page.iter().map(|bad| (method, params.clone(), "page", bad.clone())));
        cases.extend(
            bad_size
                .iter()
                .map(|bad| (method, params.clone(), "pageSize", bad.clone())),
        );
        cases.extend([json!("up"), json!(1), json!("ASC")].map(|bad| (method, params.clone(), "order", bad)));
    }
    // Where paging is not optional, its absence is an error.
    for (method, params) in [("getImFavoriteList", &list), ("getLocalTempFolderList", &pages)] {
        for field in ["page", "pageSize"] {
            cases.push((method, params.clone(), field, Value::Null));
        }
    }
    for bad in [json!(5), json!(-1), json!(null), json!("x")] {
        cases.push(("getImFavoriteList", list.clone(), "type", bad.clone()));
        cases.push(("getLocalTempFileList", temp.clone(), "type", bad));
    }
    for bad in [json!("soon"), json!(1.5), json!([])] {
        cases.push(("getImFavoriteList", list.clone(), "startTime", bad.clone()));
        cases.push(("getImBackupsFolderList", pages.clone(), "endTime", bad));
    }
    for bad in [json!([]), json!(null), json!("x"), json!({}), json!(vec!["x"; 5000])] {
        cases.push(("localTempFileToStorage", json!({}), "hashs", bad.clone()));
        cases.push(("localTempFileToFavorite", json!({}), "hashs", bad));
    }
    cases.push(("deleteImBackups", json!({"unique": "b"}), "isFolder", json!(null)));
    cases.push(("deleteImBackups", json!({"isFolder": true}), "unique", json!(null)));
    cases.push(("deleteImFavoriteFolder", json!({}), "id", json!(null)));
    cases.push(("renameImFavoriteFolder", json!({"newName": "x"}), "id", json!(null)));
    cases.push(("getImFavoriteList", list.clone(), "favId", json!(null)));
    cases.push(("getLocalTempFileList", temp.clone(), "unique", json!(null)));
    cases.push(("getImBackupsFileList", files.clone(), "parent", json!(null)));
    for bad in [json!(2), json!(-1), json!(null)] {
        cases.push(("getAllDownloadOrUploadFileProgress", feed.clone(), "type", bad));
    }
    for bad in [json!(5), json!(null), json!("cloud")] {
        cases.push((
            "getAllDownloadOrUploadFileProgress",
            feed.clone(),
            "platform",
            bad.clone(),
        ));
        cases.push(("downloadStorageFileTask", download.clone(), "platform", bad));
    }
    for bad in [json!(""), json!("k".repeat(129)), json!(null), json!([])] {
        cases.push(("getAllDownloadOrUploadFileProgress", feed.clone(), "key", bad));
    }
    for bad in [json!(6), json!(-2), json!("done")] {
        cases.push(("getAllDownloadOrUploadFileProgress", feed.clone(), "status", bad));
    }
    cases.push(("downloadStorageFileTask", download.clone(), "hash", json!(null)));
    cases.push((
        "downloadStorageFileTask",
        download.clone(),
        "taskId",
        json!("t".repeat(129)),
    ));
    let mut wrong = Vec::new();
    for (method, mut params, field, bad) in cases {
        params[field] = bad.clone();
        let answer = scene.host.call(method, params).await;
        let message = answer["message"].as_str().unwrap_or_default();
        // An item of a list is named with its index.
        let named = message
            .strip_prefix(field)
            .is_some_and(|rest| rest.starts_with([':', '[']));
        let shown: String = bad.to_string().chars().take(40).collect();
        if answer["code"] != 600 || !named || !answer["data"].is_null() {
            wrong.push(format!("{method} {field} = {shown}: {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn numbers_and_their_texts_are_equivalent() {
    let scene = Scene::new().await;
    for (page, size, kind) in [
        (json!("1"), json!("10"), json!("0")),
        (json!(1.0), json!(1e1), json!(" 0 ")),
    ] {
        let params = json!({"favId": 1, "type": kind, "page": page, "pageSize": size});
        assert_eq!(scene.host.ok("getImFavoriteList", params).await, json!([]));
    }
    for platform in [json!(3), json!("3")] {
        let params = json!({"type": "0", "platform": platform, "key": 12345, "unknown": {"ignored": []}});
        assert_eq!(
            scene.host.ok("getAllDownloadOrUploadFileProgress", params).await,
            Value::Null
        );
    }
    let longest = json!({"type": 0, "platform": 0, "key": "我".repeat(128)});
    assert_eq!(
        scene.host.ok("getAllDownloadOrUploadFileProgress", longest).await,
        Value::Null
    );
}
