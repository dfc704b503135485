//! A space that is not there now, is broken, or is not the right one.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{CREATE, bounded, put};
use serde_json::json;
use stowage_cloud::{Cloud, Error, ErrorClass, Hash, Health, OpenOptions, Space};
use stowage_storage::{Config, Store};

use crate::common::Host;

/// A directory that is a mount point, and the disks that may be there.
struct MountPoint {
    root: tempfile::TempDir,
}

impl MountPoint {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("mounted")).unwrap();
        Self { root }
    }

    fn path(&self) -> PathBuf {
        self.root.path().join("mounted")
    }

    fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    /// Takes the disk away. An empty directory stays.
    fn unmount(&self, disk: &str) {
        fs::rename(self.path(), self.root.path().join(disk)).unwrap();
        fs::create_dir(self.path()).unwrap();
    }

    fn mount(&self, disk: &str) {
        assert_empty(&self.path());
        fs::remove_dir(self.path()).unwrap();
        fs::rename(self.root.path().join(disk), self.path()).unwrap();
    }
}

fn assert_empty(directory: &Path) {
    let names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        names.is_empty(),
        "nothing may be written into an empty mount point: {names:?}"
    );
}

fn in_memory() -> Store {
    Store::in_memory(Config::default())
}

fn is_out_of_reach(space: &Space) -> bool {
    matches!(space.health(), Health::OutOfReach { .. })
}

#[tokio::test]
async fn a_space_that_was_there_before_is_waited_for_and_nothing_is_written_in_its_place() {
    let (place, store) = (MountPoint::new(), in_memory());
    let url = place.url();
    assert!(!Cloud::knows(&store, &url).unwrap());
    let space = Space::open(&url, CREATE).await.unwrap();
    Cloud::open(space, store.clone()).await.unwrap();
    assert!(Cloud::knows(&store, &url).unwrap());
    assert!(Cloud::knows(&store, &format!("{url}/")).unwrap());
    assert!(!Cloud::knows(&store, "file:///elsewhere").unwrap());

    place.unmount("disk");
    let space = Space::open_known(&url).await.unwrap();
    let cloud = Cloud::open(space.clone(), store.clone()).await.unwrap();
    assert!(matches!(cloud.health(), Health::OutOfReach { .. }));
    assert_eq!(
        cloud.total_bytes(&mut store.begin()).unwrap(),
        1 << 30,
        "the last one known"
    );

    let host = Host::with_cloud(cloud.clone(), store.clone());
    host.change(&[put("favorites", "meanwhile", json!({ "name": "meanwhile" }))])
        .await;
    let (hash, bytes) = (Hash::of(b"bytes"), &b"bytes"[..]);
    for error in [
        space.put_blob(bytes, &hash, 5).await.unwrap_err(),
        space.head_blob(&hash).await.unwrap_err(),
        space.delete_blob(&hash).await.unwrap_err(),
        host.cloud.sync(host.sink.as_ref()).await.unwrap_err(),
    ] {
        assert_eq!(error.class(), ErrorClass::Unreachable, "{error}");
    }
    assert_empty(&place.path());

    place.mount("disk");
    let mut health = cloud.health_changes();
    bounded(
        "the space comes back",
        health.wait_for(|health| *health == Health::Reachable),
    )
    .await
    .unwrap();
    host.published().await;
    host.sync().await;
    assert_eq!(host.identities("favorites"), ["meanwhile"]);
    space.put_blob(bytes, &hash, 5).await.unwrap();
}

#[tokio::test]
async fn a_running_host_notices_that_its_space_went_away_and_came_back() {
    let (place, store) = (MountPoint::new(), in_memory());
    let space = Space::open(&place.url(), CREATE).await.unwrap();
    let hash = common::store_blob(&space, b"bytes").await;
    let cloud = Cloud::open(space.clone(), store.clone()).await.unwrap();
    let host = Host::with_cloud(cloud.clone(), store);
    host.change(&[put("favorites", "x", json!({ "name": "x" }))]).await;
    host.published().await;
    host.sync().await;

    place.unmount("disk");
    assert!(
        matches!(space.head_blob(&hash).await, Err(Error::Unreachable { .. })),
        "it is not gone"
    );
    assert!(is_out_of_reach(&space));
    assert!(host.cloud.sync(host.sink.as_ref()).await.is_err());
    assert_eq!(host.identities("favorites"), ["x"], "the rows stay");
    host.change(&[put("favorites", "y", json!({ "name": "y" }))]).await;

    place.mount("disk");
    host.published().await;
    host.sync().await;
    assert_eq!(host.identities("favorites"), ["x", "y"]);
    assert_eq!(space.health(), Health::Reachable);
}

#[tokio::test]
async fn another_space_in_the_same_place_is_not_mixed_with_the_one_that_is_known() {
    let (place, store) = (MountPoint::new(), in_memory());
    let url = place.url();
    let space = Space::open(&url, CREATE).await.unwrap();
    let cloud = Cloud::open(space.clone(), store.clone()).await.unwrap();
    let host = Host::with_cloud(cloud, store.clone());
    host.change(&[put("favorites", "mine", json!({ "name": "mine" }))])
        .await;
    host.published().await;
    host.sync().await;
    place.unmount("mine");

    // It comes while the host runs.
    Space::open(&url, CREATE).await.unwrap();
    let before = fs::read_dir(place.path()).unwrap().count();
    host.change(&[put("favorites", "later", json!({ "name": "later" }))])
        .await;
    for error in [
        host.cloud.sync(host.sink.as_ref()).await.unwrap_err(),
        space.put_blob(&b"bytes"[..], &Hash::of(b"bytes"), 5).await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::OtherSpace { .. }), "{error}");
    }
    assert!(is_out_of_reach(&space));
    assert_eq!(host.identities("favorites"), ["later", "mine"], "the rows stay");
    assert_eq!(
        fs::read_dir(place.path()).unwrap().count(),
        before,
        "and the other space too"
    );

    // It is there when the host starts.
    let found = match Space::open_known(&url).await {
        Ok(space) => Cloud::open(space, store.clone()).await.map(drop),
        Err(error) => Err(error),
    };
    assert!(matches!(found, Err(Error::OtherSpace { .. })), "{found:?}");

    fs::remove_dir_all(place.path()).unwrap();
    fs::create_dir(place.path()).unwrap();
    place.mount("mine");
    host.published().await;
    host.sync().await;
    assert_eq!(host.identities("favorites"), ["later", "mine"]);
}

#[tokio::test]
async fn changes_for_one_space_are_not_published_in_another() {
    let (one, other, store) = (MountPoint::new(), MountPoint::new(), in_memory());
    let space = Space::open(&one.url(), CREATE).await.unwrap();
    let cloud = Cloud::open(space, store.clone()).await.unwrap();
    let mut tx = store.begin();
    cloud
        .stage(&mut tx, &put("favorites", "x", json!({ "name": "x" })))
        .unwrap();
    store.commit(tx).await.unwrap();

    let elsewhere = Space::open(&other.url(), CREATE).await.unwrap();
    let refused = Cloud::open(elsewhere.clone(), store.clone()).await;
    assert!(
        matches!(&refused, Err(Error::ChangesWait { url }) if *url == one.url()),
        "{refused:?}"
    );

    // The same space at another URL is the same space.
    fs::copy(one.path().join("space.json"), other.path().join("space.json")).unwrap();
    let moved = Space::open(&other.url(), OpenOptions::default()).await.unwrap();
    Cloud::open(moved, store.clone()).await.unwrap();
    assert!(Cloud::knows(&store, &other.url()).unwrap());
}

#[tokio::test]
async fn a_torn_or_newer_space_json_ends_the_start_also_of_a_known_space() {
    let place = MountPoint::new();
    for text in ["", "{\"format\": 1, \"tot"] {
        fs::write(place.path().join("space.json"), text).unwrap();
        let opened = Space::open_known(&place.url()).await;
        assert!(matches!(opened, Err(Error::Malformed { .. })), "{opened:?}");
    }
    fs::write(place.path().join("space.json"), "{\"format\": 2}").unwrap();
    let opened = Space::open_known(&place.url()).await;
    assert!(matches!(opened, Err(Error::NewerFormat { found: 2 })), "{opened:?}");
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_made_only_when_asked() {
    let root = tempfile::tempdir().unwrap();
    let url = format!("file://{}/new/space", root.path().display());
    let opened = Space::open(&url, OpenOptions::default()).await;
    assert!(matches!(opened, Err(Error::Missing { .. })), "{opened:?}");
    assert_empty(root.path());
    Space::open(&url, CREATE).await.unwrap();
}
