//! Chat backups.

use serde_json::{Value, json};
use stowage_tests::fixture::{SpaceFixture, backup, backup_folder};
use stowage_tests::scene::Scene;
use stowage_tests::wait::until;

fn tree(space: &SpaceFixture) {
    for (unique, parent, time) in [
        ("top", "", 10),
        ("inner", "top", 20),
        ("deep", "inner", 30),
        ("other", "", 40),
    ] {
        space.row("backup-folders", &backup_folder(unique, parent, time));
    }
    for (unique, parent, name) in [
        ("t", "top", "top.txt"),
        ("i", "inner", "inner.txt"),
        ("d", "deep", "deep.txt"),
        ("o", "other", "o.txt"),
    ] {
        space.row("backups", &backup(unique, parent, name, "x", 1000, 5));
    }
    let mut group = backup("g", "top", "group.txt", "x", 24, 6);
    group["type"] = json!(2);
    group["messageNum"] = json!(100);
    space.row("backups", &group);
}

fn uniques(rows: &Value) -> Vec<&str> {
    rows.as_array()
        .unwrap()
        .iter()
        .map(|row| row["unique"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn folders_are_all_or_those_of_a_parent() {
    let scene = Scene::with(tree).await;
    let host = &scene.host;
    for all in [json!({}), json!({"parent": ""}), json!({"parent": null})] {
        let folders = host.ok("getImBackupsFolderList", all).await;
        assert_eq!(uniques(&folders), ["top", "inner", "deep", "other"]);
    }
    assert_eq!(
        uniques(&host.ok("getImBackupsFolderList", json!({"parent": "top"})).await),
        ["inner"]
    );
    assert_eq!(
        host.ok("getImBackupsFolderList", json!({"parent": "deep"})).await,
        json!([])
    );
    let newest_first = host
        .ok(
            "getImBackupsFolderList",
            json!({"order": "desc", "page": 1, "pageSize": 2}),
        )
        .await;
    assert_eq!(uniques(&newest_first), ["other", "deep"]);
    let top = &host.ok("getImBackupsFolderList", json!({"pageSize": 1})).await[0];
    assert_eq!(
        (&top["size"], &top["singleChatNum"], &top["groupChatNum"]),
        (&json!("1 KB"), &json!(3), &json!(100))
    );
    assert_eq!(
        host.code("getImBackupsFileList", json!({"parent": "none such"})).await,
        60000
    );
}

#[tokio::test]
async fn a_delete_removes_a_file_or_a_folder_with_its_contents() {
    let scene = Scene::with(tree).await;
    let host = &scene.host;
    for (params, code) in [
        (json!({"unique": "none such", "isFolder": false}), 60001),
        (json!({"unique": "top", "isFolder": false}), 60001),
        (json!({"unique": "none such", "isFolder": true}), 60000),
        (json!({"unique": "t", "isFolder": true}), 60000),
        (json!({"unique": "t", "isFolder": false}), 200),
        (json!({"unique": "t", "isFolder": false}), 60001),
    ] {
        assert_eq!(host.code("deleteImBackups", params.clone()).await, code, "{params}");
    }
    assert_eq!(
        uniques(&host.ok("getImBackupsFileList", json!({"parent": "top"})).await),
        ["g"]
    );
    assert_eq!(
        host.ok("deleteImBackups", json!({"unique": "top", "isFolder": true}))
            .await,
        true
    );
    assert_eq!(uniques(&host.ok("getImBackupsFolderList", json!({})).await), ["other"]);
    let found = host.ok("searchImBackupsList", json!({"keyword": ""})).await;
    assert_eq!(
        (uniques(&found["folders"]), uniques(&found["files"])),
        (vec!["other"], vec!["o"])
    );
    assert_eq!(host.ok("getStorageSpaceInfo", json!({})).await["backupsSize"], "1000 B");
    until("the space forgets them", || scene.space.read("backups").len() == 1).await;
    until("the space forgets the folders", || {
        scene.space.read("backup-folders").len() == 1
    })
    .await;
}

#[tokio::test]
async fn a_search_finds_by_file_and_by_folder_name() {
    let scene = Scene::with(tree).await;
    for (keyword, folders, files) in [
        ("INNER", vec!["inner"], vec!["i"]),
        ("oth", vec!["other"], vec![]),
        (
            ".txt",
            vec!["top", "inner", "deep", "other"],
            vec!["d", "i", "o", "t", "g"],
        ),
        ("nick", vec![], vec![]),
    ] {
        let found = scene
            .host
            .ok("searchImBackupsList", json!({ "keyword": keyword }))
            .await;
        assert_eq!(uniques(&found["folders"]), folders, "{keyword}");
        assert_eq!(uniques(&found["files"]), files, "{keyword}");
    }
}

/// Others write to the space, too: a folder may contain itself.
#[tokio::test]
async fn folders_in_a_circle_are_deleted_like_any() {
    let scene = Scene::with(|space| {
        for (unique, parent) in [("a", "b"), ("b", "a"), ("self", "self")] {
            space.row("backup-folders", &backup_folder(unique, parent, 1));
            space.row("backups", &backup(&format!("in-{unique}"), unique, "x.txt", "x", 1, 1));
        }
    })
    .await;
    let host = &scene.host;
    assert_eq!(
        host.ok("deleteImBackups", json!({"unique": "a", "isFolder": true}))
            .await,
        true
    );
    assert_eq!(
        host.ok("deleteImBackups", json!({"unique": "self", "isFolder": true}))
            .await,
        true
    );
    assert_eq!(
        host.ok("searchImBackupsList", json!({})).await,
        json!({"folders": [], "files": []})
    );
}
