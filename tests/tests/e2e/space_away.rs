//! A space that is away when the server starts, or that is not the right one.

use std::fs;
use std::path::Path;

use serde_json::json;
use stowage_tests::fixture::{SpaceFixture, favorite_folder};
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::wait::until;

async fn folders(host: &TestHost) -> usize {
    let rows = host
        .ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 1000}))
        .await;
    rows.as_array().unwrap().len()
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).unwrap().next().is_none()
}

#[tokio::test]
async fn a_server_starts_without_the_disk_of_its_space_and_goes_on_when_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let (mounted, disk) = (dir.path().join("mounted"), dir.path().join("disk"));
    let space = SpaceFixture::create(&mounted);
    space.row("favorite-folders", &favorite_folder("f", "folder", 1));
    let launch = Launch::new(dir.path().join("data")).space(space.url());
    let host = launch.clone().start().await;
    host.init().await;
    host.stop().await;

    fs::rename(&mounted, &disk).unwrap();
    fs::create_dir(&mounted).unwrap();
    let host = launch.start().await;
    assert_eq!(folders(&host).await, 2, "lists come from the local database");
    host.ok("createImFavoriteFolder", json!({"name": "meanwhile"})).await;
    assert_eq!(host.code("initStorage$IMDataFromSdk", json!({})).await, 500);
    assert!(is_empty(&mounted), "nothing is written into the empty mount point");

    fs::remove_dir(&mounted).unwrap();
    fs::rename(&disk, &mounted).unwrap();
    until("the change is published", || {
        let rows = space.read("favorite-folders");
        rows.iter().any(|row| row["name"] == "meanwhile")
    })
    .await;
    host.init().await;
    assert_eq!(folders(&host).await, 3);
}

#[tokio::test]
async fn a_space_that_cannot_be_used_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let space = dir.path().join("space");
    let url = format!("file://{}", space.display());
    let launch = Launch::new(dir.path().join("data")).space(&url);
    let refused = launch.refused().await;
    assert!(refused.stderr.contains("stowage space init"), "{refused}");

    fs::create_dir(&space).unwrap();
    fs::write(space.join("space.json"), "{\"format\": 1, ").unwrap();
    let refused = launch.refused().await;
    assert!(
        refused.stderr.contains("space.json") && refused.stderr.contains("restore it from a copy"),
        "{refused}"
    );

    fs::write(space.join("space.json"), "{\"format\": 2, \"totalBytes\": 1}").unwrap();
    let refused = launch.refused().await;
    assert!(refused.stderr.contains("update this program"), "{refused}");

    // A server that knows a space does not take another one in its place.
    let id = |id: &str| json!({"format": 1, "totalBytes": 1 << 30, "id": id}).to_string();
    fs::write(space.join("space.json"), id("one")).unwrap();
    let host = launch.clone().start().await;
    host.stop().await;
    fs::write(space.join("space.json"), id("other")).unwrap();
    let refused = launch.refused().await;
    assert!(refused.stderr.contains("another space"), "{refused}");
}
