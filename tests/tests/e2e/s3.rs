//! A space in an S3 store.

use std::fs;

use serde_json::json;
use stowage_tests::feed::Feed;
use stowage_tests::fixture::{
    SpaceFixture, favorite, favorite_folder, hash_of, hex_of, noise, stored_file, temp_file, temp_folder,
};
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::s3::{BUCKET, S3Server};
use stowage_tests::wait::until;
use tempfile::TempDir;

struct Cloud {
    server: S3Server,
    space: SpaceFixture,
    dir: TempDir,
}

impl Cloud {
    async fn new() -> Cloud {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("s3");
        let server = S3Server::start(&root).await;
        let space = SpaceFixture::create(&root.join(BUCKET).join("devices/one"));
        Cloud { server, space, dir }
    }

    async fn host(&self, name: &str) -> TestHost {
        self.server
            .launch(Launch::new(self.dir.path().join(name)), "devices/one")
            .start()
            .await
    }
}

#[tokio::test]
async fn rows_and_blobs_are_written_and_read() {
    let cloud = Cloud::new().await;
    let (down, up) = (noise(9_000_000, 1), noise(7_000_000, 2));
    let hash = cloud.space.blob(&down);
    cloud
        .space
        .row("storage-files", &stored_file(&hash, "down.bin", down.len() as u64, 1));
    cloud.space.row("favorite-folders", &favorite_folder("f", "folder", 1));
    cloud.space.row("favorites", &favorite("u", "f", "u.txt", "x", 5, 1));
    cloud.space.row("temp-folders", &temp_folder("t", 1));
    cloud.space.row(
        "temp-files",
        &temp_file("t", "t", "up.bin", &hash_of(&up), up.len() as u64, 1),
    );
    let host = cloud.host("data").await;
    host.init().await;
    let list = json!({"favId": "f", "type": 0, "page": 1, "pageSize": 10});
    assert_eq!(host.ok("getImFavoriteList", list).await[0]["name"], "u.txt");

    let mut downloads = Feed::follow(&host, "d", 1, 3, None).await;
    host.ok("downloadStorageFileTask", json!({"hash": hash, "platform": 3}))
        .await;
    downloads.row(&hash, 4).await;
    assert_eq!(fs::read(host.data().join("downloads/3/down.bin")).unwrap(), down);

    fs::write(host.data().join("temp").join(hex_of(&hash_of(&up))), &up).unwrap();
    let mut uploads = Feed::follow(&host, "u", 0, 3, None).await;
    host.ok("localTempFileToStorage", json!({"hashs": [hash_of(&up)]}))
        .await;
    uploads.row(&hash_of(&up), 1).await;
    assert_eq!(cloud.space.read_blob(&hash_of(&up)), Some(up.clone()));
    until("the row is in the space", || {
        cloud.space.find("storage-files", &hash_of(&up)).is_some()
    })
    .await;

    host.ok("deleteImFavoriteFolder", json!({"id": "f"})).await;
    host.init().await;
    assert_eq!(cloud.space.find("favorites", "u"), None);
    let host = host.restart().await;
    host.init().await;
    assert_eq!(
        host.ok("getStorageSpaceInfo", json!({})).await["storageSize"],
        "15.26 MB"
    );
}

#[tokio::test]
async fn two_hosts_that_write_at_once_lose_nothing() {
    let cloud = Cloud::new().await;
    let (one, two) = tokio::join!(cloud.host("one"), cloud.host("two"));
    let create = async |host: &TestHost, side: &str| {
        for n in 0..12 {
            host.ok("createImFavoriteFolder", json!({"name": format!("{side} {n}")}))
                .await;
        }
        host.init().await;
    };
    tokio::join!(create(&one, "one"), create(&two, "two"));
    tokio::join!(one.init(), two.init());
    for host in [&one, &two] {
        let rows = host
            .ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 100}))
            .await;
        assert_eq!(rows.as_array().unwrap().len(), 25, "{rows}");
    }
}

#[tokio::test]
async fn a_store_that_refuses_us_is_code_500() {
    let cloud = Cloud::new().await;
    let launch = cloud
        .server
        .launch(Launch::new(cloud.dir.path().join("data")), "devices/one");
    let host = launch.env("AWS_SECRET_ACCESS_KEY", "wrong").start().await;
    let answer = host.call("initStorage$IMDataFromSdk", json!({})).await;
    assert_eq!(answer["code"], 500, "{answer}");
    assert!(!host.log().contains("test-secret"));
    assert_eq!(
        host.ok("createImFavoriteFolder", json!({"name": "meanwhile"})).await,
        true
    );
    host.stop().await;
}
