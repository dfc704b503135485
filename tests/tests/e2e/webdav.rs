//! A space on a WebDAV server.

use std::fs;

use serde_json::json;
use stowage_tests::feed::Feed;
use stowage_tests::fixture::{SpaceFixture, hash_of, hex_of, noise, stored_file, temp_file, temp_folder};
use stowage_tests::host::Launch;
use stowage_tests::wait::until;
use stowage_tests::webdav::WebDav;

#[tokio::test]
async fn files_and_rows_are_read_and_written() {
    let dir = tempfile::tempdir().unwrap();
    let space = SpaceFixture::create(&dir.path().join("space"));
    let (down, up) = (noise(20_000_000, 1), noise(12_000_000, 2));
    let down_hash = space.blob(&down);
    space.row(
        "storage-files",
        &stored_file(&down_hash, "down.bin", down.len() as u64, 1),
    );
    let up_hash = hash_of(&up);
    space.row("temp-folders", &temp_folder("t", 1));
    space.row(
        "temp-files",
        &temp_file("t", "t", "up.bin", &up_hash, up.len() as u64, 1),
    );
    let Some(server) = WebDav::start(space.dir(), "a space on a WebDAV server").await else {
        return;
    };
    let host = Launch::new(dir.path().join("data")).space(server.url()).start().await;
    host.init().await;

    let mut downloads = Feed::follow(&host, "d", 1, 3, None).await;
    host.ok("downloadStorageFileTask", json!({"hash": down_hash, "platform": 3}))
        .await;
    downloads.row(&down_hash, 4).await;
    let landed = fs::read(host.data().join("downloads/3/down.bin")).unwrap();
    assert!(landed == down, "{} bytes", landed.len());

    fs::write(host.data().join("temp").join(hex_of(&up_hash)), &up).unwrap();
    let mut uploads = Feed::follow(&host, "u", 0, 3, None).await;
    host.ok("localTempFileToStorage", json!({"hashs": [up_hash]})).await;
    uploads.row(&up_hash, 1).await;
    assert!(space.read_blob(&up_hash).is_some_and(|bytes| bytes == up));
    until("the row is in the space", || {
        space.find("storage-files", &up_hash).is_some()
    })
    .await;

    // A second host reads what the first wrote.
    host.ok("createImFavoriteFolder", json!({"name": "shared"})).await;
    host.init().await;
    let other = Launch::new(dir.path().join("other")).space(server.url()).start().await;
    other.init().await;
    let folders = other
        .ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 10}))
        .await;
    assert_eq!(folders[1]["name"], "shared", "{folders}");
    let mut downloads = Feed::follow(&other, "d", 1, 3, None).await;
    other
        .ok("downloadStorageFileTask", json!({"hash": up_hash, "platform": 3}))
        .await;
    downloads.row(&up_hash, 4).await;
    let landed = fs::read(other.data().join("downloads/3/up.bin")).unwrap();
    assert!(landed == up, "{} bytes", landed.len());
}
