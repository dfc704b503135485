//! Downloads: verified files with their final names, or a state that says what is wrong.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stowage_tests::feed::{Feed, rows};
use stowage_tests::fixture::{
    SpaceFixture, backup, backup_folder, favorite, hash_of, noise, stored_file, temp_file, temp_folder,
};
use stowage_tests::host::TestHost;
use stowage_tests::scene::Scene;
use stowage_tests::wait::until;

/// Adds a file of the cloud storage with its blob, and returns its hash.
fn stored(space: &SpaceFixture, name: &str, bytes: &[u8]) -> String {
    let hash = space.blob(bytes);
    space.row("storage-files", &stored_file(&hash, name, bytes.len() as u64, 1));
    hash
}

/// Adds a file of the cloud storage that a password opens, and returns its hash.
fn sealed(space: &SpaceFixture, name: &str, plaintext: &[u8], password: &str) -> String {
    let (hash, size) = space.sealed_blob(plaintext, password);
    let mut row = stored_file(&hash, name, size, 1);
    row["protected"] = json!(true);
    space.row("storage-files", &row);
    hash
}

async fn download(host: &TestHost, params: Value) {
    assert_eq!(host.ok("downloadStorageFileTask", params).await, Value::Null);
}

async fn follow(host: &TestHost) -> Feed {
    Feed::follow(host, "downloads", 1, 3, None).await
}

/// The rows of all downloads of the cloud storage.
async fn snapshot(host: &TestHost) -> Vec<Value> {
    let mut feed = Feed::follow(host, "snapshot", 1, 3, None).await;
    rows(&feed.next().await).to_vec()
}

/// The names of the files in a directory, temporary ones included.
fn files(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_download_is_a_verified_file_in_the_platforms_folder() {
    let bytes = noise(5_000_000, 1);
    let scene = Scene::with(|space| {
        stored(space, "照片 (final).tar.gz", &bytes);
    })
    .await;
    let mut feed = follow(&scene.host).await;
    assert_eq!(feed.next().await["data"], json!([]));
    download(&scene.host, json!({"hash": hash_of(&bytes), "platform": 3})).await;
    let row = feed.row(&hash_of(&bytes), 4).await;
    let file = scene.downloads(3).join("照片 (final).tar.gz");
    assert_eq!(fs::read(&file).unwrap(), bytes);
    assert_eq!(
        files(&scene.downloads(3)),
        ["照片 (final).tar.gz"],
        "nothing temporary is left"
    );
    let mut fields: Vec<_> = row.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    let documented = [
        "code",
        "ext",
        "folderPath",
        "hash",
        "id",
        "isCrypt",
        "name",
        "path",
        "priority",
        "progress",
        "remaining",
        "shareIndex",
        "size",
        "sourcePath",
        "speed",
        "status",
        "taskId",
        "thumb",
        "time",
        "type",
        "view",
    ];
    assert_eq!(fields, documented);
    for (field, value) in [
        ("name", json!("照片 (final).tar.gz")),
        ("isCrypt", json!(0)),
        ("size", json!(5_000_000)),
        ("type", json!(1)),
        ("progress", json!(100)),
        ("view", json!(0)),
        ("code", json!(0)),
        ("shareIndex", json!(3)),
        ("ext", json!(".bin")),
    ] {
        assert_eq!(row[field], value, "{field}");
    }
    assert!(row["id"].is_u64() && row["time"].as_i64().unwrap() > 1_600_000_000_000);
    let path = PathBuf::from(row["folderPath"].as_str().unwrap());
    assert!(path == file || path == scene.downloads(3), "{}", path.display());
    uuid::Uuid::parse_str(row["taskId"].as_str().unwrap()).expect("a task without an identifier gets a UUID");
}

#[tokio::test]
async fn each_platform_looks_the_hash_up_in_its_own_files() {
    let bytes: Vec<_> = (0..5).map(|n| noise(1000, n)).collect();
    let scene = Scene::with(|space| {
        for bytes in &bytes {
            space.blob(bytes);
        }
        let hash = |n: usize| hash_of(&bytes[n]);
        space
            .row("backup-folders", &backup_folder("b", "", 1))
            .row("backups", &backup("b", "b", "0.bin", &hash(0), 1000, 1));
        space
            .row("temp-folders", &temp_folder("t", 1))
            .row("temp-files", &temp_file("t", "t", "1.bin", &hash(1), 1000, 1));
        space.row("favorites", &favorite("f", "1", "2.bin", &hash(2), 1000, 1));
        space.row("storage-files", &stored_file(&hash(3), "3.bin", 1000, 1));
        space.row("dapp-files", &stored_file(&hash(4), "4.bin", 1000, 1));
    })
    .await;
    for platform in 0..5u8 {
        for (n, bytes) in bytes.iter().enumerate() {
            let params = json!({"hash": hash_of(bytes), "platform": platform});
            let expected = if n == usize::from(platform) { 200 } else { 60001 };
            assert_eq!(
                scene.host.code("downloadStorageFileTask", params).await,
                expected,
                "{platform} {n}"
            );
        }
        let file = scene.downloads(platform).join(format!("{platform}.bin"));
        until("the file is there", || {
            fs::read(&file).is_ok_and(|b| b == bytes[usize::from(platform)])
        })
        .await;
    }
    for hash in ["", "x", "not base58 0OIl"] {
        assert_eq!(
            scene
                .host
                .code("downloadStorageFileTask", json!({"hash": hash, "platform": 3}))
                .await,
            60001,
            "{hash}"
        );
    }
}

#[tokio::test]
async fn a_name_that_is_taken_gets_a_number_before_its_extension() {
    let contents: Vec<_> = (0..3).map(|n| noise(2000, 10 + n)).collect();
    let scene = Scene::with(|space| {
        for bytes in &contents {
            stored(space, "report.pdf", bytes);
        }
    })
    .await;
    let mut feed = follow(&scene.host).await;
    for bytes in &contents {
        download(&scene.host, json!({"hash": hash_of(bytes), "platform": 3})).await;
        feed.row(&hash_of(bytes), 4).await;
    }
    let dir = scene.downloads(3);
    assert_eq!(files(&dir), ["report (1).pdf", "report (2).pdf", "report.pdf"]);
    for (name, bytes) in ["report.pdf", "report (1).pdf", "report (2).pdf"].iter().zip(&contents) {
        assert_eq!(&fs::read(dir.join(name)).unwrap(), bytes, "{name}");
    }
}

#[tokio::test]
async fn a_hostile_name_stays_in_the_folder() {
    let names = [
        "../../escape.txt",
        "/etc/passwd",
        "..",
        "a/b\\c.txt",
        "",
        "nul\u{0}.txt",
        "CON",
        "x\u{202e}gpj.exe",
    ];
    let scene = Scene::with(|space| {
        for (n, name) in names.iter().enumerate() {
            stored(space, name, &noise(100, 30 + n as u64));
        }
    })
    .await;
    let mut feed = follow(&scene.host).await;
    for n in 0..names.len() {
        let hash = hash_of(&noise(100, 30 + n as u64));
        download(&scene.host, json!({"hash": hash, "platform": 3})).await;
        feed.row(&hash, 4).await;
    }
    assert_eq!(
        files(&scene.downloads(3)).len(),
        names.len(),
        "{:?}",
        files(&scene.downloads(3))
    );
    assert!(!scene.dir.path().join("escape.txt").exists() && !scene.host.data().join("escape.txt").exists());
    assert_eq!(files(&scene.host.data().join("downloads")), ["3"]);
}

#[tokio::test]
async fn a_missing_blob_is_status_0_and_a_wrong_one_is_never_stored() {
    let (gone, wrong) = (noise(1000, 50), noise(1000, 51));
    let scene = Scene::with(|space| {
        let gone = stored(space, "gone.bin", &gone);
        let wrong = stored(space, "wrong.bin", &wrong);
        fs::remove_file(space.blob_path(&gone)).unwrap();
        fs::write(space.blob_path(&wrong), noise(1000, 52)).unwrap();
    })
    .await;
    let mut feed = follow(&scene.host).await;
    download(
        &scene.host,
        json!({"hash": hash_of(&gone), "platform": 3, "taskId": "gone"}),
    )
    .await;
    let row = feed.row(&hash_of(&gone), 0).await;
    assert_eq!(row["taskId"], "gone");
    assert_ne!(row["progress"], 100);
    download(&scene.host, json!({"hash": hash_of(&wrong), "platform": 3})).await;
    let row = feed.row(&hash_of(&wrong), 5).await;
    assert_ne!(row["code"], 0);
    assert_eq!(files(&scene.downloads(3)), Vec::<String>::new());
    // The blob is back: the same task completes.
    scene.space.blob(&gone);
    download(
        &scene.host,
        json!({"hash": hash_of(&gone), "platform": 3, "taskId": "gone"}),
    )
    .await;
    feed.row(&hash_of(&gone), 4).await;
    assert_eq!(fs::read(scene.downloads(3).join("gone.bin")).unwrap(), gone);
    assert_eq!(snapshot(&scene.host).await.len(), 2);
}

#[tokio::test]
async fn a_file_that_was_deleted_here_is_status_3_and_can_be_fetched_again() {
    let bytes = noise(1000, 60);
    let scene = Scene::with(|space| {
        stored(space, "a.bin", &bytes);
    })
    .await;
    let params = json!({"hash": hash_of(&bytes), "platform": 3, "taskId": "t"});
    let mut feed = follow(&scene.host).await;
    download(&scene.host, params.clone()).await;
    feed.row(&hash_of(&bytes), 4).await;
    let file = scene.downloads(3).join("a.bin");
    fs::remove_file(&file).unwrap();
    let snapshot = snapshot(&scene.host).await;
    assert_eq!((&snapshot[0]["status"], snapshot.len()), (&json!(3), 1));
    let Scene {
        host,
        space: _space,
        dir: _dir,
    } = scene;
    let host = host.restart().await;
    let mut feed = follow(&host).await;
    assert_eq!(rows(&feed.next().await)[0]["status"], 3, "after a restart too");
    download(&host, params).await;
    feed.row(&hash_of(&bytes), 4).await;
    assert_eq!(fs::read(file).unwrap(), bytes);
}

#[tokio::test]
async fn repeating_a_call_with_its_task_is_harmless() {
    let bytes = noise(200_000, 70);
    let other = noise(10, 71);
    let scene = Scene::with(|space| {
        stored(space, "a.bin", &bytes);
        stored(space, "other.bin", &other);
        space.row("dapp-files", &stored_file(&hash_of(&bytes), "a.bin", 200_000, 1));
    })
    .await;
    let host = &scene.host;
    let params = json!({"hash": hash_of(&bytes), "platform": 3, "taskId": "任务 1"});
    let mut feed = follow(host).await;
    for _ in 0..5 {
        download(host, params.clone()).await;
    }
    let row = feed.row(&hash_of(&bytes), 4).await;
    assert_eq!(row["taskId"], "任务 1");
    download(host, params.clone()).await;
    let all = snapshot(host).await;
    assert_eq!(
        (all.len(), &all[0]["status"], &all[0]["id"]),
        (1, &json!(4), &row["id"])
    );
    assert_eq!(files(&scene.downloads(3)), ["a.bin"]);
    // A task belongs to one file on one platform.
    for wrong in [
        json!({"hash": hash_of(&other), "platform": 3, "taskId": "任务 1"}),
        json!({"hash": hash_of(&bytes), "platform": 4, "taskId": "任务 1"}),
    ] {
        assert_eq!(host.code("downloadStorageFileTask", wrong).await, 600);
    }
    // An empty and an absent identifier are a new task each.
    for absent in [json!(""), json!(null)] {
        download(host, json!({"hash": hash_of(&other), "platform": 3, "taskId": absent})).await;
        feed.row(&hash_of(&other), 4).await;
    }
    assert_eq!(snapshot(host).await.len(), 3);
}

#[tokio::test]
async fn a_protected_file_needs_its_password() {
    let plaintext = noise(300_000, 80);
    let mut hash = String::new();
    let scene = Scene::with(|space| hash = sealed(space, "secret.txt", &plaintext, "correct horse 马")).await;
    let host = &scene.host;
    for wrong in [
        json!(null),
        json!(""),
        json!("wrong"),
        json!("correct horse 马 "),
        json!("correct horse"),
    ] {
        let params = json!({"hash": hash, "platform": 3, "filePassword": wrong});
        let answer = host.call("downloadStorageFileTask", params).await;
        assert_eq!(
            (&answer["code"], &answer["data"]),
            (&json!(60004), &Value::Null),
            "{wrong}"
        );
    }
    assert_eq!(snapshot(host).await, Vec::<Value>::new(), "no task was made");
    let mut feed = follow(host).await;
    download(
        host,
        json!({"hash": hash, "platform": 3, "filePassword": "correct horse 马"}),
    )
    .await;
    let row = feed.row(&hash, 4).await;
    assert_eq!((&row["isCrypt"], &row["progress"]), (&json!(1), &json!(100)));
    assert_eq!(fs::read(scene.downloads(3).join("secret.txt")).unwrap(), plaintext);
    assert_eq!(files(&scene.downloads(3)), ["secret.txt"]);
    assert!(!host.log().contains("correct horse"), "passwords are not in the log");
    for file in ["stowage.redb", "stowage.wal"] {
        let bytes = fs::read(host.data().join(file)).unwrap();
        assert!(!bytes.windows(13).any(|w| w == b"correct horse"), "nor in {file}");
    }
}

#[tokio::test]
async fn a_damaged_protected_file_is_never_stored() {
    let plaintext = noise(300_000, 81);
    let (mut damaged, mut cut, mut plain) = (String::new(), String::new(), String::new());
    let scene = Scene::with(|space| {
        // Damaged before it was hashed: the blob is as its hash says, the file in it is not.
        let mut bytes = stowage_tests::fixture::seal(&plaintext, "p");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        for (hash, bytes, name) in [
            (&mut damaged, bytes.clone(), "damaged.txt"),
            (
                &mut cut,
                stowage_tests::fixture::seal(&plaintext, "p")[..200_000].to_vec(),
                "cut.txt",
            ),
            (&mut plain, noise(1000, 82), "plain.txt"),
        ] {
            *hash = space.blob(&bytes);
            let mut row = stored_file(hash, name, bytes.len() as u64, 1);
            row["protected"] = json!(true);
            space.row("storage-files", &row);
        }
    })
    .await;
    let host = &scene.host;
    let mut feed = follow(host).await;
    for hash in [&damaged, &cut] {
        download(host, json!({"hash": hash, "platform": 3, "filePassword": "p"})).await;
        assert_ne!(feed.row(hash, 5).await["code"], 0);
    }
    let code = host
        .code(
            "downloadStorageFileTask",
            json!({"hash": plain, "platform": 3, "filePassword": "p"}),
        )
        .await;
    assert!(code != 200, "what is no protected file has no password");
    let landed: Vec<_> = files(&scene.downloads(3))
        .into_iter()
        .filter(|name| !name.starts_with('.'))
        .collect();
    assert_eq!(landed, Vec::<String>::new());
}

#[tokio::test]
async fn a_download_path_lies_inside_the_allowed_directories() {
    let bytes: Vec<_> = (0..4).map(|n| noise(100, 90 + n)).collect();
    let extra = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), extra.path().join("link")).unwrap();
    let root = extra.path().display().to_string();
    let scene = Scene::launched(
        |space| {
            for (n, bytes) in bytes.iter().enumerate() {
                stored(space, &format!("{n}.bin"), bytes);
            }
        },
        |launch| launch.args(["--download-root", &root]),
    )
    .await;
    let host = &scene.host;
    let outside_text = outside.path().display().to_string();
    for refused in [
        "/etc",
        "/",
        "..",
        "../3",
        "a/../../..",
        &outside_text,
        &format!("{root}/../x"),
        &format!("{root}x"),
        "a\u{0}b",
    ] {
        let params = json!({"hash": hash_of(&bytes[0]), "platform": 3, "downloadPath": refused});
        let answer = host.call("downloadStorageFileTask", params).await;
        assert_eq!(answer["code"], 600, "{refused}: {answer}");
        assert!(
            answer["message"].as_str().unwrap().starts_with("downloadPath"),
            "{answer}"
        );
    }
    assert_eq!(snapshot(host).await, Vec::<Value>::new());
    let mut feed = follow(host).await;
    for (n, (path, lands)) in [
        (root.clone(), extra.path().join("0.bin")),
        (format!("{root}/new/folder"), extra.path().join("new/folder/1.bin")),
        (
            "我的 folder/x".to_owned(),
            scene.downloads(3).join("我的 folder/x/2.bin"),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let hash = hash_of(&bytes[n]);
        download(host, json!({"hash": hash, "platform": 3, "downloadPath": path})).await;
        feed.row(&hash, 4).await;
        assert_eq!(fs::read(&lands).unwrap(), bytes[n], "{}", lands.display());
    }
    // A link out of the root is not followed. The host may find it at once or when it opens the
    // file.
    let through_link = json!({"hash": hash_of(&bytes[3]), "platform": 3, "downloadPath": format!("{root}/link")});
    if host.code("downloadStorageFileTask", through_link).await == 200 {
        feed.row(&hash_of(&bytes[3]), 5).await;
    }
    assert_eq!(files(outside.path()), Vec::<String>::new());
}

#[tokio::test]
async fn identical_downloads_at_the_same_time_all_complete() {
    let bytes = noise(4_000_000, 100);
    let scene = Scene::with(|space| {
        stored(space, "same.bin", &bytes);
    })
    .await;
    let mut feed = follow(&scene.host).await;
    for n in 0..6 {
        download(
            &scene.host,
            json!({"hash": hash_of(&bytes), "platform": 3, "taskId": format!("t{n}")}),
        )
        .await;
    }
    let mut done = std::collections::BTreeSet::new();
    feed.find("all six are complete", |frame| {
        for row in rows(frame) {
            if row["status"] == 4 {
                done.insert(row["taskId"].as_str().unwrap().to_owned());
            }
        }
        (done.len() == 6).then_some(())
    })
    .await;
    for name in files(&scene.downloads(3)) {
        assert_eq!(fs::read(scene.downloads(3).join(&name)).unwrap(), bytes, "{name}");
    }
}
