//! How the space is used.

use serde_json::json;
use stowage_tests::fixture::{
    SpaceFixture, backup, backup_folder, favorite, hash_of, stored_file, temp_file, temp_folder,
};
use stowage_tests::host::Launch;
use stowage_tests::scene::Scene;

#[tokio::test]
async fn sizes_are_text_and_shares_are_rounded_up() {
    let scene = Scene::with(|space| {
        space.row("storage-files", &stored_file(&hash_of(b"s"), "s", (10 << 30) / 100, 1));
        space.row("favorites", &favorite("f", "1", "f", "x", (10 << 30) / 100 + 1, 1));
        space
            .row("backup-folders", &backup_folder("b", "", 1))
            .row("backups", &backup("b", "b", "b", "x", 1, 1));
        space.row("dapp-files", &stored_file(&hash_of(b"d"), "d", 1023, 1));
        space
            .row("temp-folders", &temp_folder("t", 1))
            .row("temp-files", &temp_file("t", "t", "t", "x", 1024, 1));
    })
    .await;
    let info = scene.host.ok("getStorageSpaceInfo", json!({})).await;
    let expected = json!({
        "storageSize": "102.4 MB", "storageScale": 1.0, "collectSize": "102.4 MB", "collectScale": 2.0,
        "backupsSize": "1 B", "backupsScale": 1.0, "dappSize": "1023 B", "tempFilesSize": "1 KB",
        "occupySize": "204.8 MB", "remainingSize": "9.8 GB", "totalSize": "10 GB", "remainingScale": 96.0,
    });
    assert_eq!(info, expected);
    for field in ["storageScale", "collectScale", "backupsScale", "remainingScale"] {
        assert!(info[field].is_f64(), "{field} is a double on the wire");
    }
}

#[tokio::test]
async fn an_empty_space_has_all_its_room() {
    let scene = Scene::new().await;
    let expected = json!({
        "storageSize": "0 B", "storageScale": 0.0, "collectSize": "0 B", "collectScale": 0.0, "backupsSize": "0 B",
        "backupsScale": 0.0, "dappSize": "0 B", "tempFilesSize": "0 B", "occupySize": "0 B", "remainingSize": "10 GB",
        "totalSize": "10 GB", "remainingScale": 100.0,
    });
    assert_eq!(scene.host.ok("getStorageSpaceInfo", json!({})).await, expected);
}

#[tokio::test]
async fn an_overfull_space_has_no_room_left() {
    let dir = tempfile::tempdir().unwrap();
    let space = SpaceFixture::sized(&dir.path().join("space"), 1000);
    space.row("storage-files", &stored_file(&hash_of(b"s"), "s", 5000, 1));
    let mut absurd = stored_file(&hash_of(b"absurd"), "absurd", 0, 1);
    absurd["size"] = json!(-7);
    space.row("storage-files", &absurd);
    let host = Launch::new(dir.path().join("data")).space(space.url()).start().await;
    host.init().await;
    let info = host.ok("getStorageSpaceInfo", json!({})).await;
    assert_eq!(info["remainingSize"], "0 B");
    assert_eq!(info["remainingScale"], 0.0);
    assert_eq!(info["totalSize"], "1000 B");
}
