//! What comes back, what is stored once, and where backups and restores may go.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use stowage_backup::{DATABASE, Error, Options, Progress, Target, back_up, choose, list, restore, summaries};
use stowage_storage::Error as StorageError;
use tokio_util::sync::CancellationToken;

use crate::scene::{Scene, backed_up, named, put, restored, try_back_up};

#[tokio::test(flavor = "multi_thread")]
async fn rows_counters_and_files_come_back_as_they_were() {
    let scene = Scene::new();
    let source = scene.source("data");
    put(&source.store, "rows", 0..5000, 1).await;
    source
        .store
        .update::<_, StorageError>(|tx| {
            tx.put("empty", b"k", Vec::new())?;
            tx.put("eight", b"k", vec![7; 8])?;
            tx.put("large", b"k", vec![7; 8 << 20])?;
            tx.add("counters", b"negative", -5)?;
            tx.add("counters", b"zero", 5)
        })
        .await
        .unwrap();
    source
        .store
        .update::<_, StorageError>(|tx| tx.add("counters", b"zero", -5))
        .await
        .unwrap();
    let large = vec![9; 20 << 20];
    let files = [
        named("modules", ".wasm", b"module"),
        named("temp", "", &large),
        named("staging", "", b""),
    ];
    for (path, bytes) in files.iter().zip([&b"module"[..], &large, b""]) {
        fs::write(source.data.join(path), bytes).unwrap();
    }
    let damaged = named("temp", "", b"what it should be");
    fs::write(source.data.join(&damaged), b"something else").unwrap();
    fs::write(source.data.join("temp/notes.txt"), b"not ours").unwrap();

    let made = backed_up(&source, &scene.target()).await;
    let before = summaries(&source.store).unwrap();
    assert_eq!(made.manifest.rows, 5000 + 1 + 3 + 2);
    assert_eq!(made.manifest.skipped.len(), 1);
    assert_eq!(made.manifest.skipped[0].path, damaged);
    let data = scene.path("restored");
    assert_eq!(restored(&scene.target(), None, &data).await, before);
    for (path, bytes) in files.iter().zip([&b"module"[..], &large, b""]) {
        assert!(fs::read(data.join(path)).unwrap() == bytes, "{path}");
    }
    assert!(!data.join(&damaged).exists() && !data.join("temp/notes.txt").exists());
    let left: Vec<_> = fs::read_dir(scene.path("."))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert!(
        !left.iter().any(|name| name.to_string_lossy().starts_with('.')),
        "{left:?}"
    );
    assert_eq!(scene.objects("marks"), Vec::<String>::new());
    source.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_change_is_stored_once() {
    let scene = Scene::new();
    let source = scene.source("data");
    put(&source.store, "rows", 0..20_000, 1).await;
    put(&source.store, "other", 0..20_000, 2).await;
    fs::write(source.data.join(named("temp", "", b"x")), b"x").unwrap();
    let first = backed_up(&source, &scene.target()).await.manifest;
    let chunks = scene.objects("chunks");
    assert!(chunks.len() > 30, "{}", chunks.len());
    assert_eq!((first.stored.chunks, first.stored.files), (chunks.len() as u64, 1));

    let second = backed_up(&source, &scene.target()).await.manifest;
    assert_eq!((second.stored.chunks, second.stored.files), (0, 0));
    assert_eq!(scene.objects("chunks"), chunks);

    put(&source.store, "rows", 700..701, 9).await;
    let third = backed_up(&source, &scene.target()).await.manifest;
    // The chunk of the row, and that of its counter.
    assert_eq!(third.stored.chunks, 2);
    assert_eq!(scene.objects("chunks").len(), chunks.len() + 2);

    let ids: Vec<_> = list(&scene.target())
        .await
        .unwrap()
        .backups
        .into_iter()
        .map(|b| b.id)
        .collect();
    assert_eq!(ids, [first.id.clone(), second.id.clone(), third.id.clone()]);
    for manifest in [&first, &third] {
        let found = restored(&scene.target(), Some(&manifest.id), &scene.path(&manifest.id)).await;
        let expected: Vec<_> = manifest.tables.iter().map(|table| table.summary.clone()).collect();
        assert_eq!(found, expected);
    }
    assert_ne!(first.digest, third.digest);
    source.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_needs_an_empty_directory_for_itself() {
    let scene = Scene::new();
    let source = scene.source("data");
    put(&source.store, "rows", 0..100, 1).await;
    backed_up(&source, &scene.target()).await;
    source.store.close().await;
    let manifest = choose(&scene.target(), None).await.unwrap();
    let attempt = async |data: &Path| restore(&scene.target(), &manifest, data, &Arc::new(Progress::default())).await;

    let refused = attempt(&source.data).await;
    assert!(matches!(refused, Err(Error::NotEmpty { .. })), "{refused:?}");
    let empty = scene.path("empty");
    fs::create_dir(&empty).unwrap();
    attempt(&empty).await.unwrap();
    assert!(empty.join(DATABASE).is_file());
    let deep = scene.path("a/b/c");
    attempt(&deep).await.unwrap();

    // Another restore works on it, and then it died.
    let busy = scene.path("busy");
    let draft = scene.path(".busy.restore");
    fs::DirBuilder::new().mode(0o700).create(&draft).unwrap();
    fs::write(draft.join("leftover"), b"x").unwrap();
    let lock = fs::File::create(draft.join("restore.lock")).unwrap();
    lock.lock().unwrap();
    let refused = attempt(&busy).await;
    assert!(matches!(refused, Err(Error::RestoreRuns { .. })), "{refused:?}");
    assert!(draft.join("leftover").exists(), "it is not ours to remove");
    drop(lock);
    attempt(&busy).await.unwrap();
    assert!(!draft.exists() && !busy.join("leftover").exists() && !busy.join("restore.lock").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_backup_leaves_no_backup_and_the_next_one_uses_its_chunks() {
    let scene = Scene::new();
    let source = scene.source("data");
    put(&source.store, "rows", 0..40_000, 1).await;
    let stop = CancellationToken::new();
    let progress = Arc::new(Progress::default());
    let (target, watched) = (scene.target(), Arc::clone(&progress));
    let cancelling = async {
        while watched.snapshot().moved_bytes < 300_000 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    let making = back_up(&source, &target, Options::default(), &progress, &stop);
    let (made, ()) = tokio::join!(making, cancelling);
    assert!(matches!(made, Err(Error::Cancelled)), "{made:?}");
    assert_eq!(list(&scene.target()).await.unwrap().backups, []);
    assert_eq!(scene.objects("marks"), Vec::<String>::new());
    let there = scene.objects("chunks").len() as u64;
    assert!(there > 0);
    let made = backed_up(&source, &scene.target()).await.manifest;
    let all = scene.objects("chunks").len() as u64;
    // A chunk that was being written may have come after it was counted.
    assert!(made.stored.chunks <= all - there, "{} of {all}", made.stored.chunks);
    source.store.close().await;
}

#[tokio::test]
async fn a_place_of_something_else_is_left_alone() {
    let scene = Scene::new();
    let place = scene.path("place");
    fs::create_dir(&place).unwrap();
    fs::write(place.join("photo.jpg"), b"x").unwrap();
    let source = scene.source("data");
    let made = try_back_up(&source, &scene.target(), Options::default()).await;
    assert!(matches!(made, Err(Error::Occupied { .. })), "{made:?}");
    assert!(matches!(list(&scene.target()).await, Err(Error::NoBackups { .. })));
    assert_eq!(fs::read_dir(&place).unwrap().count(), 1);

    fs::remove_file(place.join("photo.jpg")).unwrap();
    fs::write(place.join("stowage-backups.json"), b"{\"format\": 7}").unwrap();
    let made = try_back_up(&source, &scene.target(), Options::default()).await;
    assert!(matches!(made, Err(Error::NewerFormat { found: 7, .. })), "{made:?}");
    for url in ["", "ftp://x/y", "http://localhost/dav", "memory:///", "s3://"] {
        assert!(matches!(Target::open(url, false), Err(Error::Url { .. })), "{url}");
    }
    source.store.close().await;
}

/// A disk that is not mounted: the folder below is empty, or missing.
#[tokio::test]
async fn a_known_place_that_is_empty_gets_no_backup() {
    let scene = Scene::new();
    let source = scene.source("data");
    let options = Options {
        is_known: true,
        ..Options::default()
    };
    let made = try_back_up(&source, &scene.target(), options).await;
    assert!(matches!(made, Err(Error::NoBackups { .. })), "{made:?}");
    let place = scene.path("place");
    assert_eq!(fs::read_dir(&place).unwrap().count(), 0);
    fs::remove_dir(&place).unwrap();
    let missing = Target::open(&format!("file://{}", place.display()), false).unwrap();
    let made = try_back_up(&source, &missing, Options::default()).await;
    assert!(matches!(made, Err(Error::NoBackups { .. })), "{made:?}");
    assert!(!place.exists());

    backed_up(&source, &scene.target()).await;
    try_back_up(&source, &scene.target(), options).await.unwrap();
    source.store.close().await;
}
