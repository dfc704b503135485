//! The watched directory.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::Value;
use stowage_tests::admin::Admin;
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::modules::{module, put, variant, version};
use stowage_tests::scene::Scene;
use stowage_tests::wait::until;
use tempfile::TempDir;

/// A server that watches a directory.
struct Watching {
    host: TestHost,
    watched: PathBuf,
    dir: TempDir,
}

impl Watching {
    async fn new(fill: impl FnOnce(&std::path::Path)) -> Watching {
        let dir = tempfile::tempdir().unwrap();
        let watched = dir.path().join("watched");
        fs::create_dir(&watched).unwrap();
        fill(&watched);
        let launch = Launch::new(dir.path().join("data")).args(["--watch-modules", &watched.display().to_string()]);
        Watching {
            host: launch.start().await,
            watched,
            dir,
        }
    }

    fn admin(&self) -> Admin {
        Admin::of(&self.host)
    }

    /// Puts a file, and waits until the server has logged that it is refused.
    async fn put_refused(&self, name: &str, bytes: &[u8]) {
        put(&self.watched, name, bytes);
        let version = version(bytes);
        until("the file is refused", || self.refusals(&version) == 1).await;
    }

    /// How often the log says that a version was refused.
    fn refusals(&self, version: &str) -> usize {
        let log = self.host.log();
        let lines = log.lines().filter(|line| line.contains("ignored until"));
        lines.filter(|line| line.contains(version)).count()
    }
}

async fn history(admin: &Admin) -> Vec<Value> {
    let (status, history) = admin.get("history").await;
    assert_eq!(status, 200);
    history["history"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_file_goes_live_once_however_often_it_is_written() {
    let scene = Watching::new(|_| {}).await;
    let admin = scene.admin();
    let first = admin.generation().await;
    let one = variant(&module("favorites"), "one");
    put(&scene.watched, "favorites", &one);
    admin.until_live("favorites", &one).await;
    let status = admin.module("favorites").await.unwrap();
    assert_eq!(status["by"], "watch");
    let file = fs::canonicalize(scene.watched.join("favorites.wasm")).unwrap();
    assert_eq!(status["source"], file.display().to_string());

    put(&scene.watched, "favorites", &one);
    fs::write(scene.watched.join("favorites.wasm"), &one).unwrap();
    fs::write(scene.watched.join(".hidden.wasm"), b"not looked at").unwrap();
    fs::write(scene.watched.join("notes.txt"), b"nor this").unwrap();
    let two = variant(&module("common"), "two");
    put(&scene.watched, "common", &two);
    admin.until_live("common", &two).await;
    assert_eq!(
        admin.generation().await,
        first + 2,
        "the second writing of the first was nothing new"
    );
    assert_eq!(scene.refusals(""), 0);
}

#[tokio::test]
async fn a_bad_file_is_reported_once_and_ignored_until_it_changes() {
    let scene = Watching::new(|_| {}).await;
    let admin = scene.admin();
    let first = admin.generation().await;
    let bad = b"no module at all";
    scene.put_refused("favorites", bad).await;
    assert_eq!(admin.generation().await, first);
    put(&scene.watched, "favorites", bad);
    let good = variant(&module("common"), "good");
    put(&scene.watched, "common", &good);
    admin.until_live("common", &good).await;
    assert_eq!(scene.refusals(&version(bad)), 1, "{}", scene.host.log());
    let mended = variant(&module("favorites"), "mended");
    put(&scene.watched, "favorites", &mended);
    admin.until_live("favorites", &mended).await;
    assert_eq!(admin.generation().await, first + 2);
}

#[tokio::test]
async fn a_file_that_is_still_being_written_is_awaited() {
    let scene = Watching::new(|_| {}).await;
    let admin = scene.admin();
    let whole = variant(&module("favorites"), "whole");
    let (head, tail) = whole.split_at(whole.len() / 2);
    // Written in place, with a pause in the middle that is shorter than the settling time.
    let mut file = File::create(scene.watched.join("favorites.wasm")).unwrap();
    file.write_all(head).unwrap();
    file.sync_all().unwrap();
    file.write_all(tail).unwrap();
    drop(file);
    admin.until_live("favorites", &whole).await;
    assert_eq!(scene.refusals(""), 0, "{}", scene.host.log());

    // With a longer pause the half is refused. The whole file still goes live.
    let whole = variant(&module("favorites"), "whole again");
    let (head, tail) = whole.split_at(whole.len() / 2);
    let path = scene.watched.join("favorites.wasm");
    fs::write(&path, head).unwrap();
    until("the half is refused", || scene.refusals(&version(head)) == 1).await;
    File::options()
        .append(true)
        .open(&path)
        .unwrap()
        .write_all(tail)
        .unwrap();
    admin.until_live("favorites", &whole).await;
}

#[tokio::test]
async fn files_that_change_together_are_one_generation_or_none() {
    let scene = Watching::new(|_| {}).await;
    let admin = scene.admin();
    let first = admin.generation().await;
    let (favorites, common) = (module("favorites"), module("common"));
    let (one, two) = (variant(&favorites, "one"), variant(&common, "two"));
    put(&scene.watched, "favorites", &one);
    put(&scene.watched, "common", &two);
    admin.until_live("common", &two).await;
    assert_eq!(admin.version("favorites").await, Some(version(&one)));
    assert_eq!(admin.generation().await, first + 1);

    let next = variant(&common, "next");
    put(&scene.watched, "common", &next);
    scene.put_refused("favorites", b"bad").await;
    assert_eq!(
        admin.version("common").await,
        Some(version(&two)),
        "it waits for the other"
    );
    let mended = variant(&favorites, "mended");
    put(&scene.watched, "favorites", &mended);
    admin.until_live("favorites", &mended).await;
    assert_eq!(admin.version("common").await, Some(version(&next)));
    assert_eq!(admin.generation().await, first + 2);
}

#[tokio::test]
async fn a_removed_file_changes_nothing_and_a_replaced_version_stays_replaced() {
    let scene = Watching::new(|_| {}).await;
    let admin = scene.admin();
    let one = variant(&module("favorites"), "one");
    put(&scene.watched, "favorites", &one);
    admin.until_live("favorites", &one).await;
    // Rolled back by hand: neither the file nor a restart brings it back.
    assert_eq!(admin.post("modules/rollback", serde_json::json!({})).await.0, 200);
    let Watching { host, watched, dir } = scene;
    let host = host.restart().await;
    let admin = Admin::of(&host);
    until("the file is left aside", || host.log().contains("has been replaced")).await;
    let two = variant(&module("common"), "two");
    put(&watched, "common", &two);
    admin.until_live("common", &two).await;
    assert_eq!(admin.version("favorites").await, Some(version(&module("favorites"))));
    assert_eq!(history(&admin).await[0]["by"], "watch");

    let generation = admin.generation().await;
    fs::remove_file(watched.join("common.wasm")).unwrap();
    until("the removal is noticed", || {
        host.log().contains("has left the watched directory")
    })
    .await;
    assert_eq!(admin.generation().await, generation);
    assert_eq!(admin.version("common").await, Some(version(&two)));
    drop(dir);
}

#[tokio::test]
async fn modules_in_the_directory_at_the_start_go_live() {
    let one = variant(&module("favorites"), "one");
    let scene = Watching::new(|watched| put(watched, "favorites", &one)).await;
    scene.admin().until_live("favorites", &one).await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_watched_is_refused_at_start() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let scene = Scene::new().await;
    let own = scene.host.data().join("modules").display().to_string();
    let stopped = scene.host.stop().await;
    for launch in [
        Launch::new(&data).args(["--watch-modules", "/no/such/directory"]),
        Launch::new(&data).args(["--watch-modules", "/dev/null"]),
        stopped.args(["--watch-modules", &own]),
    ] {
        let refused = launch.refused().await;
        assert_eq!(refused.status, 2, "{refused}");
        assert!(refused.stderr.contains("--watch-modules"), "{refused}");
    }
}
