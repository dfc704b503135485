//! Places of backups that refuse: full, without rights, damaged; and the commands beside a server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use stowage_tests::cli::Cli;
use stowage_tests::fixture::{hex_of, noise};
use stowage_tests::host::Launch;
use stowage_tests::scene::Scene;

use super::{backed_up, db, files_below, fill, restored, rows, shown, sound};

/// A small file system that is unmounted in the end.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// `None` if this machine does not let the test mount: the test ends, and stderr says so.
    fn mount(at: &'a Path, size: &str) -> Option<SmallDisk<'a>> {
        fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(at)
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(SmallDisk(at));
        }
        let required = std::env::var("STOWAGE_TEST_REQUIRE").is_ok_and(|value| value == "1");
        assert!(!required, "a full disk needs root and tmpfs");
        eprintln!("SKIPPED: a full disk of backups, because tmpfs cannot be mounted here");
        None
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // Lazily: a process may still have a file there.
        let _ = Command::new("umount").arg("-l").arg(self.0).output();
    }
}

/// A new space has no rows: a sync with it would remove those that were restored.
#[tokio::test]
async fn a_restored_directory_gets_no_new_space() {
    let dir = tempfile::tempdir().unwrap();
    let (data, place, new) = (
        dir.path().join("data"),
        dir.path().join("place"),
        dir.path().join("new"),
    );
    let host = Launch::new(&data).start().await;
    host.ok("createImFavoriteFolder", json!({"name": "kept"})).await;
    host.init().await;
    host.cli(["db", "backup", shown(&place)]).succeeds().await;
    host.stop().await;
    let printed = restored(&place, &new).await;
    assert!(printed.stdout.contains("--space SPACE"), "{printed}");
    let refused = Launch::new(&new).refused().await;
    let known = format!("{}/space", data.display());
    assert!(
        refused.stderr.contains(&known) && refused.stderr.contains("name it with --space"),
        "{refused}"
    );
    assert!(!new.join("space").exists());
    let host = Launch::new(&new).space(format!("file://{known}")).start().await;
    host.init().await;
    let folders = host
        .ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 10}))
        .await;
    assert!(folders.to_string().contains("kept"), "{folders}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_place_fails_the_backup_and_room_makes_it_succeed() {
    let dir = tempfile::tempdir().unwrap();
    let (data, disk) = (dir.path().join("data"), dir.path().join("disk"));
    super::kill::bulk(&data, 30_000).await;
    let Some(_disk) = SmallDisk::mount(&disk, "6m") else {
        return;
    };
    let place = disk.join("place");
    let host = Launch::new(&data).start().await;
    let failed = host.cli(["db", "backup", shown(&place), "--json"]).fails(1).await;
    let result = failed.json();
    assert_eq!(result["backup"], Value::Null, "{result:#}");
    assert!(result["error"].as_str().unwrap().contains("full"), "{result:#}");
    assert!(files_below(&place.join("backups")).is_empty());
    host.ok("createImFavoriteFolder", json!({"name": "the server goes on"}))
        .await;
    let launch = host.stop().await;
    let failed = db(["backup", shown(&place)], launch.data()).fails(2).await;
    assert!(failed.stderr.contains("full"), "{failed}");

    let grown = Command::new("mount")
        .args(["-o", "remount,size=64m"])
        .arg(&disk)
        .output()
        .unwrap();
    assert!(grown.status.success(), "{grown:?}");
    backed_up(launch.data(), &place).await;
    let again = dir.path().join("restored");
    restored(&place, &again).await;
    assert_eq!(rows(&again).await, rows(&data).await);
    let small = disk.join("too-small");
    fs::write(disk.join("filler"), vec![1; 40 << 20]).unwrap();
    let failed = db(["restore", shown(&place)], &small).fails(2).await;
    assert!(!small.exists() && !disk.join(".too-small.restore").exists(), "{failed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_cannot_be_used_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    super::kill::bulk(&data, 100).await;
    let file = dir.path().join("file");
    fs::write(&file, b"x").unwrap();
    for (place, text) in [
        (shown(&file).to_owned(), "file"),
        ("ftp://host/x".to_owned(), "s3://"),
        (shown(dir.path()).to_owned(), "holds other files"),
    ] {
        let failed = db(["backup", &place], &data).fails(2).await;
        assert!(failed.stderr.contains(text), "{failed}");
    }
    let none = Cli::new(["db", "backups", shown(&dir.path().join("nowhere"))])
        .fails(2)
        .await;
    assert!(none.stderr.contains("there are no backups"), "{none}");
    assert!(!dir.path().join("nowhere").exists(), "a question makes nothing");
    let place = dir.path().join("place");
    backed_up(&data, &place).await;
    let none = db(
        ["restore", shown(&place), "--id", "20200101T000000Z-000-00000000"],
        &dir.path().join("new"),
    )
    .fails(2)
    .await;
    assert!(none.stderr.contains("there is no backup"), "{none}");
    let missing = db(["backup", shown(&place)], &dir.path().join("no-data"))
        .fails(2)
        .await;
    assert!(missing.stderr.contains("there is no database"), "{missing}");
    assert!(!dir.path().join("no-data").exists());

    let mode = fs::metadata(&place).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700, "a folder of backups is for this user only");
}

/// What a restore makes is for this user only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_directory_is_private() {
    let scene = Scene::with(fill).await;
    scene.temp_bytes(&noise(1000, 1));
    let place = scene.dir.path().join("place");
    backed_up(scene.host.data(), &place).await;
    let data = scene.dir.path().join("restored");
    restored(&place, &data).await;
    for path in files_below(&data) {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert!(
            path.extension().is_some_and(|end| end == "redb" || end == "wal") || mode == 0o600,
            "{path:?} {mode:o}"
        );
    }
    assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_chunk_is_named_and_an_older_backup_is_still_there() {
    let scene = Scene::with(fill).await;
    let place = scene.dir.path().join("place");
    let first = backed_up(scene.host.data(), &place).await;
    let before: Vec<_> = files_below(&place.join("chunks"));
    scene.host.ok("createImFavoriteFolder", json!({"name": "later"})).await;
    backed_up(scene.host.data(), &place).await;
    let new = files_below(&place.join("chunks"))
        .into_iter()
        .find(|path| !before.contains(path))
        .unwrap();
    let mut bytes = fs::read(&new).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&new, bytes).unwrap();
    let data = scene.dir.path().join("restored");
    let failed = db(["restore", shown(&place)], &data).fails(2).await;
    assert!(
        failed.stderr.contains(new.file_name().unwrap().to_str().unwrap()),
        "{failed}"
    );
    assert!(failed.stderr.contains("--id") && !data.exists(), "{failed}");
    let id = first["backup"]["id"].as_str().unwrap();
    db(["restore", shown(&place), "--id", id], &data).succeeds().await;
    sound(&data).await;
}

/// Compaction and salvage work on the files, and refuse beside a server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compaction_makes_the_file_smaller_and_needs_a_stopped_server() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    super::kill::bulk(&data, 40_000).await;
    {
        let store = stowage_storage::Store::open(&data.join("stowage.redb"), Default::default()).unwrap();
        let range = stowage_storage::KeyRange {
            start: Some(1000_u32.to_be_bytes().to_vec()),
            end: None,
        };
        store
            .update::<_, stowage_storage::Error>(|tx| tx.delete_range("bulk", &range).map(drop))
            .await
            .unwrap();
        store.close().await;
    }
    let host = Launch::new(&data).start().await;
    for words in [&["compact"][..], &["salvage", "--to", "/nowhere"]] {
        let refused = db(words.iter().copied(), &data).fails(2).await;
        assert!(refused.stderr.contains("stop it first"), "{refused}");
    }
    host.stop().await;
    let before = rows(&data).await;
    let compacted = db(["compact", "--json"], &data).succeeds().await.json();
    let (from, to) = (
        compacted["before"].as_u64().unwrap(),
        compacted["after"].as_u64().unwrap(),
    );
    assert!(to * 4 < from, "{compacted}");
    assert_eq!(fs::metadata(data.join("stowage.redb")).unwrap().len(), to);
    assert_eq!(rows(&data).await, before);
    sound(&data).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn salvage_saves_what_can_be_read_and_says_what_is_lost() {
    let scene = Scene::with(fill).await;
    let temp = scene.temp_bytes(&noise(5000, 1));
    let launch = scene.host.stop().await;
    let data = launch.data().to_owned();
    let whole = rows(&data).await;
    let saved_at = |name: &str| scene.dir.path().join(name);
    let saved = db(["salvage", "--to", shown(&saved_at("whole")), "--json"], &data)
        .succeeds()
        .await
        .json();
    assert_eq!(saved["rows"], whole.len(), "{saved:#}");
    assert_eq!(rows(&saved_at("whole")).await, whole);

    // A hole in the middle of the database, and a damaged temp file.
    let database = data.join("stowage.redb");
    let mut bytes = fs::read(&database).unwrap();
    let len = bytes.len();
    bytes[len / 2..len / 2 + 16_384].fill(0xaa);
    fs::write(&database, &bytes).unwrap();
    let temp = data.join("temp").join(hex_of(&temp));
    fs::write(&temp, b"other bytes").unwrap();
    let before = fs::read(&database).unwrap();
    let checked = db(["check", "--json"], &data).run().await;
    assert_eq!(checked.status, 1, "{checked}");
    let saved = db(["salvage", "--to", shown(&saved_at("saved")), "--json"], &data)
        .fails(1)
        .await
        .json();
    assert!(fs::read(&database).unwrap() == before, "the source is not written");
    assert_eq!(saved["lostFiles"].as_array().unwrap().len(), 1, "{saved:#}");
    let is_whole = saved["rows"] == whole.len() && saved["gapCount"] == 0;
    let found = rows(&saved_at("saved")).await;
    assert!(
        found.iter().all(|row| whole.contains(row)),
        "no row is other than it was"
    );
    assert!(is_whole || found.len() < whole.len());
    assert!(!found.is_empty(), "{saved:#}");
    let refused = db(["salvage", "--to", shown(&saved_at("saved"))], &data).fails(2).await;
    assert!(refused.stderr.contains("is not empty"), "{refused}");
    let host = Launch::new(saved_at("saved")).space(scene.space.url()).start().await;
    host.init().await;
    host.stop().await;
}

/// Who loses the data directory would lose its backups.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_in_the_data_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let inside = data.join("inside");
    let host = Launch::new(&data).start().await;
    let refused = host.cli(["db", "backup", shown(&inside)]).fails(1).await;
    assert!(refused.stderr.contains("in the data directory"), "{refused}");
    let refused = host.cli(["db", "backup", ""]).fails(2).await;
    assert!(refused.stderr.contains("<TO>"), "{refused}");
    let refused = host.cli(["db", "dump", "--table", "none"]).fails(1).await;
    assert!(refused.stderr.contains("there is no table"), "{refused}");
    let launch = host.stop().await;
    let refused = db(["backup", shown(&inside)], &data).fails(2).await;
    assert!(refused.stderr.contains("in the data directory"), "{refused}");
    drop(launch);
    let scheduled = ["--backup-every", "1h", "--backup-to", shown(&inside)];
    let refused = Launch::new(&data).args(scheduled).refused().await;
    assert!(refused.stderr.contains("in the data directory"), "{refused}");
    assert!(!inside.exists());
    for command in ["compact", "salvage"] {
        let help = Cli::new(["db", command, "--help"]).succeeds().await.stdout;
        assert!(help.contains("--data") && !help.contains("--server"), "{help}");
    }
}
