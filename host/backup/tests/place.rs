//! Backups of stores in a folder: what comes back, what is stored once, and several programs at one
//! place.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stowage_backup::{
    ContentHash, DATABASE, Error, Host, Made, Manifest, Options, Progress, Pruned, Source, TableSummary, Target,
    back_up, choose, host, list, newest_of, prune, restore, summaries,
};
use stowage_storage::{Config, Error as StorageError, Store};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A place, and directories for data.
struct Scene {
    dir: TempDir,
}

impl Scene {
    fn new() -> Scene {
        Scene {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn target(&self) -> Target {
        Target::open(&format!("file://{}", self.path("place").display()), true).unwrap()
    }

    /// A data directory with files.
    fn source(&self, name: &str) -> Source {
        let data = self.path(name);
        for folder in ["modules", "temp", "staging"] {
            fs::create_dir_all(data.join(folder)).unwrap();
        }
        Source {
            store: Store::open(&data.join(DATABASE), Config::default()).unwrap(),
            data,
        }
    }

    /// The names of all objects in a folder of the place.
    fn objects(&self, folder: &str) -> Vec<String> {
        fn walk(dir: &Path, found: &mut Vec<String>) {
            for entry in fs::read_dir(dir).into_iter().flatten() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => walk(&path, found),
                    false => found.push(path.display().to_string()),
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.path("place").join(folder), &mut found);
        found.sort();
        found
    }
}

async fn backed_up(source: &Source, target: &Target) -> Made {
    try_back_up(source, target, Options::default()).await.unwrap()
}

async fn try_back_up(source: &Source, target: &Target, options: Options) -> Result<Made, Error> {
    back_up(source, target, options, &Arc::default(), &CancellationToken::new()).await
}

async fn put(store: &Store, table: &str, rows: std::ops::Range<u32>, seed: u8) {
    store
        .update::<_, StorageError>(|tx| {
            for n in rows.clone() {
                // Bytes that do not compress.
                let value = ContentHash::of(&[&n.to_be_bytes()[..], &[seed]].concat())
                    .to_string()
                    .repeat(3);
                tx.put(table, &n.to_be_bytes(), value.into_bytes())?;
                tx.add("totals", table.as_bytes(), 1)?;
            }
            Ok(())
        })
        .await
        .unwrap();
}

async fn swept(scene: &Scene, by: &Host, keep: usize, grace: Duration) -> Result<Pruned, Error> {
    prune(&scene.target(), by, keep, None, grace, &CancellationToken::new()).await
}

fn named(folder: &str, end: &str, bytes: &[u8]) -> String {
    format!("{folder}/{}{end}", ContentHash::of(bytes))
}

async fn restored(target: &Target, id: Option<&str>, data: &Path) -> Vec<TableSummary> {
    let manifest = choose(target, id).await.unwrap();
    restore(target, &manifest, data, &Arc::new(Progress::default()))
        .await
        .unwrap();
    let store = Store::open(&data.join(DATABASE), Config::default()).unwrap();
    let found = summaries(&store).unwrap();
    store.close().await;
    found
}

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
    let left: Vec<_> = fs::read_dir(scene.dir.path())
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
    assert_eq!(made.stored.chunks, all - there);
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

/// Makes the newest backup one of another time, as a wrong clock does.
fn set_time(scene: &Scene, manifest: &Manifest, to: SystemTime) -> String {
    let backups = scene.path("place/backups");
    let at = u64::try_from(to.duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let time = humantime::format_rfc3339_seconds(to).to_string();
    let time: String = time.chars().filter(char::is_ascii_alphanumeric).collect();
    let moved = Manifest {
        id: format!("{time}-000-00000000"),
        at,
        finished: at,
        ..manifest.clone()
    };
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    serde_json::to_writer(&mut encoder, &moved).unwrap();
    fs::write(backups.join(&moved.id), encoder.finish().unwrap()).unwrap();
    fs::remove_file(backups.join(&manifest.id)).unwrap();
    moved.id
}

async fn ids(scene: &Scene) -> Vec<String> {
    let listed = list(&scene.target()).await.unwrap();
    assert_eq!(listed.unreadable, []);
    listed.backups.into_iter().map(|backup| backup.id).collect()
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
