//! Which backups go, and what stays with the others, with several programs at one place.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use stowage_backup::{Error, Made, Options, choose, host, list, newest_of};

use crate::scene::{Scene, backed_up, ids, put, restored, set_time, swept, try_back_up};

#[tokio::test(flavor = "multi_thread")]
async fn old_backups_go_and_what_the_others_name_stays() {
    let scene = Scene::new();
    let (source, other) = (scene.source("data"), scene.source("other"));
    put(&other.store, "rows", 0..2000, 77).await;
    let foreign = backed_up(&other, &scene.target()).await.manifest;
    let options = Options {
        keep: Some(2),
        grace: Duration::ZERO,
        ..Options::default()
    };
    let mut ids = Vec::new();
    for round in 0..5 {
        put(&source.store, "rows", 0..20_000, 1).await;
        put(&source.store, "changing", 0..5000, round).await;
        let made = try_back_up(&source, &scene.target(), options).await.unwrap();
        let pruned = made.pruned.unwrap().unwrap();
        assert_eq!(pruned.postponed, None);
        assert_eq!(pruned.backups.len(), usize::from(round >= 2), "round {round}");
        assert_eq!(pruned.objects > 0, round >= 2, "round {round}");
        ids.push(made.manifest.id);
    }
    let kept: Vec<_> = list(&scene.target())
        .await
        .unwrap()
        .backups
        .into_iter()
        .map(|b| b.id)
        .collect();
    assert_eq!(kept, [foreign.id.clone(), ids[3].clone(), ids[4].clone()]);
    for id in &kept {
        restored(&scene.target(), Some(id), &scene.path(id)).await;
    }
    // Of several hosts, one must be chosen.
    assert!(matches!(
        choose(&scene.target(), None).await,
        Err(Error::SeveralHosts { .. })
    ));
    // Nothing is left that no backup names.
    let pruned = swept(&scene, &host(&source.data), 2, Duration::ZERO).await.unwrap();
    assert_eq!((pruned.objects, pruned.backups.len()), (0, 0));
    source.store.close().await;
    other.store.close().await;
}

/// A prune that did not see a backup would remove chunks that the backup reuses.

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn backups_and_prunes_at_one_place_never_lose_a_chunk() {
    let scene = Arc::new(Scene::new());
    let hosts = 3;
    let rounds = 8;
    let mut running = tokio::task::JoinSet::new();
    for number in 0..hosts {
        let scene = Arc::clone(&scene);
        running.spawn(async move {
            let source = scene.source(&format!("data-{number}"));
            let (mut made, mut waited) = (0, 0);
            for round in 0..rounds {
                // All hosts have the same rows at some time, so they share chunks.
                put(&source.store, "rows", 0..3000, (round + number) % 3).await;
                let options = Options {
                    keep: Some(1),
                    grace: Duration::ZERO,
                    ..Options::default()
                };
                match try_back_up(&source, &scene.target(), options).await {
                    Ok(Made { pruned, .. }) => {
                        made += 1;
                        if let Some(Err(error)) = pruned {
                            assert!(error.is_transient(), "{error}");
                        }
                    }
                    Err(error) => {
                        assert!(error.is_transient(), "{error}");
                        waited += 1;
                    }
                }
                let manifests = list(&scene.target()).await.unwrap();
                assert_eq!(manifests.unreadable, []);
            }
            source.store.close().await;
            (made, waited)
        });
    }
    let mut made = 0;
    while let Some(ended) = running.join_next().await {
        made += ended.unwrap().0;
    }
    assert!(made >= usize::from(hosts), "{made} backups");
    let left = list(&scene.target()).await.unwrap().backups;
    assert!(left.len() >= usize::from(hosts), "{left:?}");
    for backup in left {
        restored(&scene.target(), Some(&backup.id), &scene.path(&backup.id)).await;
    }
    assert_eq!(scene.objects("marks"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_backup_is_made_no_chunk_is_removed() {
    let scene = Scene::new();
    let source = scene.source("data");
    put(&source.store, "rows", 0..2000, 1).await;
    backed_up(&source, &scene.target()).await;
    // Another program's backup, and one that died long ago.
    let marks = scene.path("place/marks");
    fs::create_dir_all(&marks).unwrap();
    let orphan = scene.objects("chunks")[0].replace("/chunks/", "/x/");
    let orphan = orphan.replace("/x/", "/chunks/").replace(
        scene.objects("chunks")[0].rsplit('/').next().unwrap(),
        &format!(
            "{}{}",
            &scene.objects("chunks")[0].rsplit('/').next().unwrap()[..2],
            "0".repeat(62)
        ),
    );
    fs::write(&orphan, b"unused").unwrap();
    fs::write(marks.join("backup-0123456789abcdef-other"), b"{}").unwrap();
    let by = host(&source.data);
    let pruned = swept(&scene, &by, 1, Duration::ZERO).await.unwrap();
    assert!(pruned.postponed.is_some() && pruned.objects == 0, "{pruned:?}");
    assert!(Path::new(&orphan).exists());

    let old = std::time::SystemTime::now() - Duration::from_secs(2 * 60 * 60);
    let mark = fs::File::options()
        .write(true)
        .open(marks.join("backup-0123456789abcdef-other"))
        .unwrap();
    mark.set_modified(old).unwrap();
    let pruned = swept(&scene, &by, 1, Duration::from_secs(3600)).await.unwrap();
    assert_eq!(
        (pruned.objects, pruned.postponed),
        (0, None),
        "the orphan is younger than an hour"
    );
    let pruned = swept(&scene, &by, 1, Duration::ZERO).await.unwrap();
    assert_eq!((pruned.objects, pruned.postponed), (1, None));
    assert!(!Path::new(&orphan).exists());
    assert_eq!(scene.objects("marks"), Vec::<String>::new());
    source.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_mark_was_taken_away_is_withdrawn() {
    let scene = Arc::new(Scene::new());
    let source = scene.source("data");
    put(&source.store, "rows", 0..30_000, 1).await;
    let marks = scene.path("place/marks");
    let over = Arc::new(AtomicBool::new(false));
    let is_over = Arc::clone(&over);
    // Again and again: the backup writes its mark twice before it begins.
    let taking = tokio::task::spawn_blocking(move || {
        while !is_over.load(Ordering::Relaxed) {
            for entry in fs::read_dir(&marks).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                // With `#`, it is still being written under another name.
                if name.starts_with("backup-") && !name.contains('#') {
                    let _ = fs::remove_file(entry.path());
                }
            }
            std::thread::yield_now();
        }
    });
    let made = try_back_up(&source, &scene.target(), Options::default()).await;
    over.store(true, Ordering::Relaxed);
    taking.await.unwrap();
    assert!(matches!(made, Err(Error::Lost { .. })), "{made:?}");
    assert_eq!(list(&scene.target()).await.unwrap().backups, []);
    source.store.close().await;
}

#[tokio::test]
async fn a_backup_of_the_future_takes_the_place_of_no_other() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let scene = Scene::new();
    let source = scene.source("data");
    put(&source.store, "rows", 0..100, 1).await;
    let by = host(&source.data);
    let wrong = backed_up(&source, &scene.target()).await.manifest;
    let wrong = set_time(&scene, &wrong, SystemTime::now() + 40 * DAY);
    // Nothing else is there.
    let chosen = choose(&scene.target(), None).await;
    assert!(
        matches!(&chosen, Err(Error::OfFuture { id, .. }) if *id == wrong),
        "{chosen:?}"
    );
    assert_eq!(newest_of(&scene.target(), &by).await.unwrap(), None);

    let options = Options {
        keep: Some(1),
        grace: Duration::ZERO,
        ..Options::default()
    };
    for round in 0..3 {
        put(&source.store, "rows", 0..100, round).await;
        let made = try_back_up(&source, &scene.target(), options).await.unwrap();
        assert_eq!(
            ids(&scene).await,
            [made.manifest.id.clone(), wrong.clone()],
            "round {round}"
        );
        let newest = newest_of(&scene.target(), &by).await.unwrap();
        assert_eq!(newest, Some(made.manifest.at));
    }
    // Which one is the newest is for a person to say.
    let chosen = choose(&scene.target(), None).await;
    assert!(
        matches!(&chosen, Err(Error::OfFuture { id, .. }) if *id == wrong),
        "{chosen:?}"
    );
    restored(&scene.target(), Some(&wrong), &scene.path("restored")).await;
    source.store.close().await;
}

/// A clock that is behind must not remove the backup that it has just made.

#[tokio::test]
async fn the_backup_that_was_made_is_kept_although_others_seem_newer() {
    let scene = Scene::new();
    let source = scene.source("data");
    let newer = backed_up(&source, &scene.target()).await.manifest;
    let newer = set_time(&scene, &newer, SystemTime::now() + Duration::from_secs(60));
    let options = Options {
        keep: Some(1),
        grace: Duration::ZERO,
        ..Options::default()
    };
    let made = try_back_up(&source, &scene.target(), options).await.unwrap();
    assert_eq!(made.pruned.unwrap().unwrap().backups, [newer]);
    assert_eq!(ids(&scene).await, [made.manifest.id]);
    source.store.close().await;
}

#[tokio::test]
async fn what_a_killed_backup_was_writing_is_removed_some_day() {
    let scene = Scene::new();
    let source = scene.source("data");
    put(&source.store, "rows", 0..100, 1).await;
    backed_up(&source, &scene.target()).await;
    let chunk = scene.objects("chunks").remove(0);
    let parts = [format!("{chunk}#1"), format!("{chunk}#2")];
    let backups = scene.path("place/backups").join("20261201T021738Z-412-9f2c01ab#7");
    for path in parts.iter().map(Path::new).chain([&*backups]) {
        fs::write(path, b"half").unwrap();
    }
    let old = SystemTime::now() - Duration::from_secs(2 * 60 * 60);
    for path in [Path::new(&parts[0]), &backups] {
        fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(old)
            .unwrap();
    }
    let pruned = swept(&scene, &host(&source.data), 1, Duration::ZERO).await.unwrap();
    assert_eq!((pruned.objects, pruned.bytes, pruned.backups.len()), (2, 8, 0));
    assert!(!Path::new(&parts[0]).exists() && !backups.exists());
    assert!(Path::new(&parts[1]).exists(), "it may still be written");
    assert!(Path::new(&chunk).exists());
    source.store.close().await;
}

#[tokio::test]
async fn a_name_that_no_object_has_makes_nothing_fail() {
    let scene = Scene::new();
    let source = scene.source("data");
    put(&source.store, "rows", 0..100, 1).await;
    backed_up(&source, &scene.target()).await;
    for folder in ["backups", "chunks", "marks", "files"] {
        let folder = scene.path("place").join(folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("line\nbreak"), b"x").unwrap();
    }
    let options = Options {
        keep: Some(1),
        grace: Duration::ZERO,
        ..Options::default()
    };
    let made = try_back_up(&source, &scene.target(), options).await.unwrap();
    assert_eq!(made.pruned.unwrap().unwrap().postponed, None);
    assert_eq!(ids(&scene).await, [made.manifest.id]);
    source.store.close().await;
}
