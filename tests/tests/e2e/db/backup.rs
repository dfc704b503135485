//! Backups of the real server: under load, incremental, to a folder and to S3.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stowage_tests::admin::Admin;
use stowage_tests::cli::Cli;
use stowage_tests::feed::Feed;
use stowage_tests::fixture::noise;
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::s3::{BUCKET, S3Server, settings, space_url};
use stowage_tests::scene::Scene;
use stowage_tests::wait::until;
use stowage_tests::wire;

use super::{backed_up, busy_scene, db, files_below, fill, folder_names, restored, rows, shown, sound};

const WRITERS: usize = 4;

/// What a writer did: names in order, each with whether it was acknowledged before the backup
/// began, and whether it was begun after the backup had ended.
struct Written {
    name: String,
    before: bool,
    after: bool,
}

/// Creates folders until the end. `phase`: 0 before the backup, 1 while it is made, 2 after it.
async fn write(
    host: &TestHost,
    writer: usize,
    phase: &AtomicU64,
    end: &AtomicBool,
    times: bool,
) -> (Vec<Written>, Vec<Duration>) {
    let (mut written, mut took) = (Vec::new(), Vec::new());
    for n in 0.. {
        if end.load(Ordering::SeqCst) {
            break;
        }
        let name = format!("writer {writer} {n:05}");
        let begun = phase.load(Ordering::SeqCst);
        let started = Instant::now();
        let request = wire::post(
            host.address(),
            "/createImFavoriteFolder",
            json!({"name": name}).to_string(),
        );
        let reply = wire::send(host.address(), request).await;
        assert_eq!(reply.code(), 200, "{:?}", reply.body);
        let ended = phase.load(Ordering::SeqCst);
        if times && begun == ended {
            took.push(started.elapsed());
        }
        written.push(Written {
            name,
            before: ended == 0,
            after: begun == 2,
        });
    }
    (written, took)
}

/// The restored state is one moment: it has all that was acknowledged before the backup began,
/// nothing that was begun after it, and of each writer the first so many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_one_moment() {
    let scene = Scene::with(fill).await;
    let place = scene.dir.path().join("place");
    let (phase, end) = (AtomicU64::new(0), AtomicBool::new(false));
    let backing_up = async {
        let count = async || folder_names(&scene.host).await.len();
        while count().await < 100 {
            tokio::task::yield_now().await;
        }
        phase.store(1, Ordering::SeqCst);
        let made = backed_up(scene.host.data(), &place).await;
        phase.store(2, Ordering::SeqCst);
        let there = count().await;
        while count().await < there + 20 {
            tokio::task::yield_now().await;
        }
        end.store(true, Ordering::SeqCst);
        made
    };
    let writers = (0..WRITERS).map(|writer| write(&scene.host, writer, &phase, &end, false));
    let (made, written) = tokio::join!(backing_up, futures_util::future::join_all(writers));
    assert_eq!(made["error"], Value::Null, "{made:#}");
    assert_eq!(made["backup"]["skipped"], 0, "{made:#}");
    let data = scene.dir.path().join("restored");
    restored(&place, &data).await;
    sound(&data).await;

    let (space, original) = (scene.space.url(), scene.host.stop().await);
    let host = Launch::new(&data).space(&space).start().await;
    let found = folder_names(&host).await;
    let mut while_made = 0;
    for (writer, (written, _)) in written.iter().enumerate() {
        let there: Vec<bool> = written.iter().map(|w| found.contains(&w.name)).collect();
        assert!(
            there.is_sorted_by(|a, b| a >= b),
            "writer {writer} has a hole: {there:?}"
        );
        for (written, there) in written.iter().zip(&there) {
            assert!(
                !written.before || *there,
                "{} was acknowledged before the backup",
                written.name
            );
            assert!(!written.after || !*there, "{} was begun after the backup", written.name);
            while_made += usize::from(!written.before && !written.after);
        }
    }
    assert!(while_made > 0, "writers were at work while the backup was made");
    host.stop().await;
    drop(original);
}

/// Nothing that a server needs is missing in a restored one: lists, blobs, modules and their
/// history, the outbox, tasks and the files that they upload.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_server_goes_on_where_the_backup_was() {
    let (scene, waiting) = busy_scene().await;
    let place = scene.dir.path().join("place");
    let admin = Admin::of(&scene.host);
    let history_before = admin.get("history?limit=10").await.1;
    backed_up(scene.host.data(), &place).await;
    let data = scene.dir.path().join("restored");
    restored(&place, &data).await;

    let (space, launch) = (scene.space.url(), scene.host.data().to_owned());
    let folders = folder_names(&scene.host).await;
    let Scene {
        host,
        space: fixture,
        dir,
    } = scene;
    host.kill().await;
    std::fs::rename(dir.path().join("away"), fixture.dir()).unwrap();
    // The original is gone.
    std::fs::remove_dir_all(&launch).unwrap();

    let host = Launch::new(&data).space(&space).start().await;
    assert_eq!(folder_names(&host).await, folders);
    let history = Admin::of(&host).get("history?limit=10").await.1;
    assert_eq!(
        history["history"][0]["modules"],
        history_before["history"][0]["modules"]
    );
    let mut feed = Feed::follow(&host, "k", 0, 3, None).await;
    feed.row(&waiting, 1).await;
    assert_eq!(fixture.read_blob(&waiting), Some(noise(200_000, 78)));
    until("the outbox reaches the space", || {
        let rows = fixture.read("favorite-folders");
        rows.iter().any(|row| row["name"] == "waits for the space")
    })
    .await;
    host.init().await;
    let info = host.ok("getStorageSpaceInfo", json!({})).await;
    assert!(info["storageSize"].is_string(), "{info}");
    host.stop().await;
    sound(&data).await;
}

/// Every row of the restored database is that of the original, byte for byte.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_comes_back_and_the_second_backup_stores_what_changed() {
    let (scene, _) = busy_scene().await;
    let place = scene.dir.path().join("place");
    let first = backed_up(scene.host.data(), &place).await;
    let chunks = || files_below(&place.join("chunks")).len() as u64;
    assert_eq!(first["backup"]["stored"]["chunks"], chunks(), "{first:#}");
    assert!(
        first["backup"]["files"].as_u64().unwrap() >= 8,
        "six modules, a temp file, a staged file: {first:#}"
    );
    let second = backed_up(scene.host.data(), &place).await;
    assert_eq!(
        second["backup"]["stored"],
        json!({"chunks": 0, "chunkBytes": 0, "files": 0, "fileBytes": 0})
    );

    scene
        .host
        .ok("createImFavoriteFolder", json!({"name": "one more"}))
        .await;
    let before = chunks();
    let third = backed_up(scene.host.data(), &place).await;
    let new = third["backup"]["stored"]["chunks"].as_u64().unwrap();
    assert!(new > 0 && new <= 12, "the tables that the call wrote: {third:#}");
    assert_eq!(chunks(), before + new);
    assert_eq!(third["backup"]["stored"]["files"], 0);

    let listed = Cli::new(["db", "backups", shown(&place), "--json"])
        .succeeds()
        .await
        .json();
    let ids: Vec<_> = listed["backups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["id"].clone())
        .collect();
    assert_eq!(ids, [&first, &second, &third].map(|made| made["backup"]["id"].clone()));
    let same = db(["backup", shown(&place), "--list", "--json"], scene.host.data())
        .succeeds()
        .await
        .json();
    assert_eq!(same, listed);

    let launch = scene.host.stop().await;
    backed_up(launch.data(), &place).await;
    let data = scene.dir.path().join("restored");
    let said = restored(&place, &data).await;
    assert!(said.stdout.contains("every row compared"), "{said}");
    assert_eq!(rows(&data).await, rows(launch.data()).await);
    for folder in ["modules", "temp"] {
        for file in files_below(&launch.data().join(folder)) {
            let name = file.strip_prefix(launch.data()).unwrap();
            assert!(
                std::fs::read(&file).unwrap() == std::fs::read(data.join(name)).unwrap(),
                "{name:?}"
            );
        }
    }
    // An older one by its name.
    let data = scene.dir.path().join("older");
    let id = second["backup"]["id"].as_str().unwrap();
    db(["restore", shown(&place), "--id", id], &data).succeeds().await;
    let older: BTreeSet<_> = rows(&data).await.into_iter().collect();
    assert!(!older.iter().any(|row| row.contains("one more")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_goes_to_s3_and_comes_back_from_there() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("s3");
    let server = S3Server::start(&root).await;
    let launch = server.launch(Launch::new(dir.path().join("data")), "spaces/one");
    stowage_tests::fixture::SpaceFixture::create(&root.join(BUCKET).join("spaces/one"));
    let host = launch.start().await;
    host.init().await;
    // Longer than one part.
    let large = noise(20_000_000, 5);
    let hash = stowage_tests::fixture::hash_of(&large);
    let temp = host.data().join("temp").join(stowage_tests::fixture::hex_of(&hash));
    std::fs::write(&temp, &large).unwrap();
    host.ok("createImFavoriteFolder", json!({"name": "to the cloud"})).await;
    let to = space_url("backups/one");
    let made = host
        .cli(["db", "backup", &to, "--keep", "2", "--json"])
        .succeeds()
        .await
        .json();
    assert_eq!((&made["to"], &made["error"]), (&json!(to), &Value::Null), "{made:#}");
    let objects = files_below(&root.join(BUCKET).join("backups/one"));
    assert!(
        objects.iter().any(|path| path.ends_with("stowage-backups.json")),
        "{objects:?}"
    );
    let launch = host.stop().await;
    let expected = rows(launch.data()).await;

    let data = dir.path().join("restored");
    let with_settings = |cli: Cli| {
        settings(server.address())
            .iter()
            .fold(cli, |cli, (name, value)| cli.env(name, value))
    };
    // The server has written its stop since; so one more backup, from the files.
    let words = ["db", "backup", &to, "--json"];
    let again = with_settings(Cli::new(words).data(launch.data()))
        .succeeds()
        .await
        .json();
    assert_eq!(again["backup"]["stored"]["files"], 0, "{again:#}");
    with_settings(Cli::new(["db", "restore", &to]).data(&data))
        .succeeds()
        .await;
    assert_eq!(rows(&data).await, expected);
    assert!(std::fs::read(data.join("temp").join(temp.file_name().unwrap())).unwrap() == large);

    let refused = Cli::new(["db", "backups", &to])
        .env("AWS_ENDPOINT", format!("http://{}", server.address()))
        .env("AWS_ACCESS_KEY_ID", "nobody")
        .env("AWS_SECRET_ACCESS_KEY", "wrong")
        .fails(2)
        .await;
    assert!(refused.stderr.contains("credentials"), "{refused}");
}

/// What a backup costs writers. The figure is printed; nothing is asserted of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_go_on_while_a_backup_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    super::kill::bulk(&data, 60_000).await;
    let host = Launch::new(&data).start().await;
    host.init().await;
    let place = dir.path().join("place");
    let p99 = |mut took: Vec<Duration>| {
        took.sort();
        took[took.len() * 99 / 100]
    };
    let mut measured = Vec::new();
    for with_backup in [false, true] {
        let (phase, end) = (AtomicU64::new(u64::from(with_backup)), AtomicBool::new(false));
        let timing = async {
            if with_backup {
                for n in 0..3 {
                    // Each goes to a new place, so that all chunks are stored.
                    backed_up(&data, &place.join(n.to_string())).await;
                }
            } else {
                let (started, enough) = (Instant::now(), Duration::from_secs(3));
                while started.elapsed() < enough {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            end.store(true, Ordering::SeqCst);
        };
        let first = usize::from(with_backup) * 10;
        let writers = (0..2).map(|writer| write(&host, first + writer, &phase, &end, true));
        let ((), written) = tokio::join!(timing, futures_util::future::join_all(writers));
        let took: Vec<_> = written.into_iter().flat_map(|(_, took)| took).collect();
        assert!(took.len() > 20, "{} calls", took.len());
        measured.push((took.len(), p99(took)));
    }
    let (alone, beside) = (&measured[0], &measured[1]);
    println!(
        "scorecard: R8 writer p99 {:.1} ms alone ({} calls), {:.1} ms while backups are made ({} calls); restored state is one moment, every row compared",
        alone.1.as_secs_f64() * 1e3,
        alone.0,
        beside.1.as_secs_f64() * 1e3,
        beside.0
    );
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_api_makes_one_backup_at_a_time_and_tells_how_far_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    super::kill::bulk(&data, 30_000).await;
    let host = Launch::new(&data).start().await;
    let admin = Admin::of(&host);
    assert_eq!(admin.get("backup").await, (200, json!({"running": null, "last": null})));
    let to = format!("file://{}", dir.path().join("place").display());
    for (body, name) in [
        (json!({}), "to"),
        (json!({"to": "relative"}), "to"),
        (json!({"to": "ftp://x/y"}), "to"),
        (json!({"to": to, "keep": 0}), "keep"),
        (json!({"to": to, "often": true}), "often"),
    ] {
        let (status, answer) = admin.post("backup", body.clone()).await;
        assert_eq!(status, 400, "{body}: {answer}");
        assert!(
            answer["error"]["message"].as_str().unwrap().starts_with(name),
            "{answer}"
        );
    }
    assert_eq!(
        admin.post("backup", json!({"to": to})).await,
        (200, json!({"number": 1}))
    );
    let (status, refused) = admin.post("backup", json!({"to": to})).await;
    let running = admin.get("backup").await.1;
    // It may have ended already; then the second one began.
    if status == 409 {
        assert!(
            refused["error"]["message"].as_str().unwrap().contains("being made"),
            "{refused}"
        );
    }
    if running["running"].is_object() {
        assert!(running["running"]["progress"]["phase"].is_string(), "{running}");
    }
    let ended = stowage_tests::wait::eventually("the backup ends", || async {
        let status = admin.get("backup").await.1;
        (status["running"].is_null() && status["last"]["number"].is_number()).then_some(status)
    })
    .await;
    assert!(ended["last"]["backup"]["rows"].as_u64().unwrap() >= 30_000, "{ended:#}");
    let (_, overview) = admin.get("overview").await;
    assert_eq!(
        overview["backup"]["last"]["id"], ended["last"]["backup"]["id"],
        "{overview:#}"
    );
    assert_eq!(overview["backup"]["failure"], Value::Null);

    // Cancelled: no backup of it is there.
    let before = files_below(&dir.path().join("place/backups")).len();
    let elsewhere = format!("file://{}", dir.path().join("elsewhere").display());
    let (status, _) = admin.post("backup", json!({"to": elsewhere})).await;
    assert_eq!(status, 200);
    let cancelled = admin_delete(&admin).await;
    let ended = stowage_tests::wait::eventually("the backup ends", || async {
        let status = admin.get("backup").await.1;
        status["running"].is_null().then_some(status)
    })
    .await;
    if cancelled == 200 && ended["last"]["backup"].is_null() {
        assert!(files_below(&dir.path().join("elsewhere/backups")).is_empty());
        assert!(
            ended["last"]["error"].as_str().unwrap().contains("cancelled"),
            "{ended:#}"
        );
    }
    assert_eq!(files_below(&dir.path().join("place/backups")).len(), before);
    host.stop().await;
}

async fn admin_delete(admin: &Admin) -> u16 {
    let request = wire::request(http::Method::DELETE, admin.address(), "/admin/backup")
        .header("authorization", format!("Bearer {}", admin.token()));
    let reply = wire::send(admin.address(), request.body(http_body_util::Full::default()).unwrap()).await;
    reply.status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_a_backup_and_the_next_start_makes_it_anew() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    super::kill::bulk(&data, 60_000).await;
    let place = dir.path().join("place");
    let host = Launch::new(&data).start().await;
    let to = format!("file://{}", place.display());
    assert_eq!(Admin::of(&host).post("backup", json!({"to": to})).await.0, 200);
    let launch = host.stop().await;
    let complete = files_below(&place.join("backups")).len();
    assert!(files_below(&place.join("marks")).is_empty(), "it has cleaned up");
    let host = launch.start().await;
    let made = backed_up(&data, &place).await;
    assert_eq!(made["error"], Value::Null, "{made:#}");
    assert_eq!(files_below(&place.join("backups")).len(), complete + 1);
    host.stop().await;
}
