//! What is damaged or lies at a place.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use stowage_backup::{ContentHash, Error, Manifest, Progress, choose, list, restore};

use crate::scene::{Scene, backed_up, named, put, restored};

#[tokio::test(flavor = "multi_thread")]
async fn damage_at_the_place_is_named_and_leaves_nothing_half_restored() {
    let scene = Scene::new();
    let source = scene.source("data");
    put(&source.store, "rows", 0..5000, 1).await;
    let temp = named("temp", "", b"x");
    fs::write(source.data.join(&temp), b"x").unwrap();
    backed_up(&source, &scene.target()).await;
    source.store.close().await;
    let data = scene.path("restored");
    let manifest = choose(&scene.target(), None).await.unwrap();
    for object in [scene.objects("chunks").remove(1), scene.objects("files").remove(0)] {
        let good = fs::read(&object).unwrap();
        for damage in ["flipped", "shorter", "missing"] {
            match damage {
                "flipped" => {
                    let mut bytes = good.clone();
                    let at = bytes.len() / 2;
                    bytes[at] ^= 4;
                    fs::write(&object, bytes).unwrap();
                }
                "shorter" => fs::write(&object, &good[..good.len() - 1]).unwrap(),
                _ => fs::remove_file(&object).unwrap(),
            }
            let restoring = restore(&scene.target(), &manifest, &data, &Arc::new(Progress::default())).await;
            let name = object.rsplit('/').next().unwrap();
            match restoring {
                Err(Error::Damaged { object, .. }) if damage != "missing" => {
                    assert!(object.ends_with(name), "{damage}: {object}");
                }
                Err(Error::Missing { object, .. }) if damage == "missing" => {
                    assert!(object.ends_with(name), "{object}")
                }
                other => panic!("{damage} {object}: {other:?}"),
            }
            assert!(!data.exists(), "{damage} {object}");
            assert!(!scene.path(".restored.restore").exists());
        }
        fs::write(&object, &good).unwrap();
    }
    restored(&scene.target(), None, &data).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_lies_is_found_by_the_comparison() {
    let scene = Scene::new();
    let source = scene.source("data");
    put(&source.store, "rows", 0..3000, 1).await;
    put(&source.store, "more", 0..10, 1).await;
    let made = backed_up(&source, &scene.target()).await.manifest;
    source.store.close().await;
    let data = scene.path("restored");
    let refused = async |manifest: &stowage_backup::Manifest| {
        let restoring = restore(&scene.target(), manifest, &data, &Arc::new(Progress::default())).await;
        assert!(matches!(restoring, Err(Error::Differs { .. })), "{restoring:?}");
        assert!(!data.exists());
    };
    let mut without_chunk = made.clone();
    let last = without_chunk.tables.len() - 2;
    without_chunk.tables[last].chunks.pop();
    refused(&without_chunk).await;
    let mut without_table = made.clone();
    without_table.tables.remove(0);
    refused(&without_table).await;
    let mut other_name = made.clone();
    other_name.tables[0].summary.name = "renamed".into();
    refused(&other_name).await;
    let mut outside = made;
    outside.files.push(stowage_backup::File {
        path: "../outside".into(),
        size: 1,
        hash: ContentHash::of(b"x"),
    });
    let restoring = restore(&scene.target(), &outside, &data, &Arc::new(Progress::default())).await;
    assert!(matches!(restoring, Err(Error::Damaged { .. })), "{restoring:?}");
    assert!(!data.exists() && !scene.path("outside").exists());
}

/// Whoever writes to the place must not be able to fill the memory of the server.
#[tokio::test]
async fn an_object_that_is_too_long_is_damaged_and_not_read() {
    let scene = Scene::new();
    let source = scene.source("data");
    let made = backed_up(&source, &scene.target()).await.manifest;
    source.store.close().await;
    let sparse = |object: &str| {
        let file = fs::File::create(scene.path("place").join(object)).unwrap();
        file.set_len(200 << 30).unwrap();
    };
    let id = "20261201T021738Z-412-9f2c01ab";
    sparse(&format!("backups/{id}"));
    let listing = list(&scene.target()).await.unwrap();
    assert_eq!((listing.backups.len(), listing.unreadable.len()), (1, 1));
    assert_eq!(listing.unreadable[0].id, id);
    assert_eq!(choose(&scene.target(), Some(&made.id)).await.unwrap(), made);
    sparse("stowage-backups.json");
    let listing = list(&scene.target()).await;
    assert!(matches!(listing, Err(Error::Damaged { .. })), "{listing:?}");
}

#[tokio::test]
async fn a_manifest_that_lies_about_files_is_refused_before_anything_is_written() {
    let scene = Scene::new();
    let source = scene.source("data");
    put(&source.store, "rows", 0..100, 1).await;
    fs::write(source.data.join(named("temp", "", b"one")), b"one").unwrap();
    fs::write(source.data.join(named("temp", "", b"other")), b"other").unwrap();
    let made = backed_up(&source, &scene.target()).await.manifest;
    source.store.close().await;
    let data = scene.path("restored");
    let refused = async |change: &dyn Fn(&mut Manifest), what: &str| {
        let mut manifest = made.clone();
        change(&mut manifest);
        let restoring = restore(&scene.target(), &manifest, &data, &Arc::new(Progress::default())).await;
        match restoring {
            Err(Error::Damaged { reason, .. }) => assert!(reason.contains(what), "{reason}"),
            other => panic!("{what}: {other:?}"),
        }
        assert!(!data.exists());
    };
    refused(
        &|manifest| manifest.files[0].hash = manifest.files[1].hash,
        "another hash",
    )
    .await;
    refused(&|manifest| manifest.files.push(manifest.files[0].clone()), "twice").await;
    refused(
        &|manifest| manifest.files[0].path = "../outside".into(),
        "none of a backup",
    )
    .await;
    refused(&|manifest| manifest.files[0].size = 1, "bytes").await;
    restored(&scene.target(), None, &data).await;
}

/// Opening a pipe waits until somebody writes to it.

#[tokio::test]
async fn a_pipe_at_the_place_is_damage_and_no_wait() {
    let scene = Scene::new();
    let source = scene.source("data");
    backed_up(&source, &scene.target()).await;
    source.store.close().await;
    let pipe = |object: &str| {
        let path = scene.path("place").join(object);
        fs::remove_file(&path).ok();
        let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
    };
    let within = async |id: Option<&str>| {
        let choosing = async { choose(&scene.target(), id).await };
        tokio::time::timeout(Duration::from_secs(20), choosing).await.unwrap()
    };
    pipe("backups/pipe");
    let chosen = within(Some("pipe")).await;
    assert!(matches!(chosen, Err(Error::Damaged { .. })), "{chosen:?}");
    pipe("stowage-backups.json");
    let chosen = within(None).await;
    assert!(matches!(chosen, Err(Error::Damaged { .. })), "{chosen:?}");
}
