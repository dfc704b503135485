//! What was written in each released format is opened by every later build: data directories, cloud
//! spaces, recordings, and a module. `tests/fixtures/formats/N` has the files of database format N,
//! with the answers that the build of then gave. docs/formats.md tells how they are made.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use redb::TableDefinition;
use serde_json::{Value, json};
use stowage_tests::admin::Admin;
use stowage_tests::changing::{changing, plain};
use stowage_tests::cli::Cli;
use stowage_tests::fixture::{
    SpaceFixture, backup, backup_folder, favorite, favorite_folder, hash_of, stored_file, temp_file, temp_folder,
};
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::modules::{module_file, version};

/// The password of the protected blob.
const PASSWORD: &str = "format";
/// Folders that are created before the kill.
const KILLED_FOLDERS: usize = 20;

/// The questions whose answers are kept. Together they show every row of a space.
fn questions() -> Vec<(&'static str, Value)> {
    let page = json!({"page": 1, "pageSize": 100});
    let with = |more: Value| {
        let mut params = page.clone();
        for (name, value) in more.as_object().expect("fields") {
            params[name] = value.clone();
        }
        params
    };
    vec![
        ("getImFavoriteFolders", page.clone()),
        ("getImFavoriteList", with(json!({"favId": "1", "type": 0}))),
        ("getImFavoriteList", with(json!({"favId": "f", "type": 0}))),
        ("getLocalTempFolderList", page.clone()),
        ("getLocalTempFileList", with(json!({"unique": "t", "type": 0}))),
        ("getImBackupsFolderList", page.clone()),
        ("getImBackupsFileList", with(json!({"parent": "b"}))),
        ("searchImBackupsList", with(json!({"keyword": "b.txt"}))),
        ("transferApi/listStorageFiles", with(json!({"path": ""}))),
        ("transferApi/listStorageFiles", with(json!({"path": "s"}))),
        ("getStorageSpaceInfo", json!({})),
    ]
}

/// The answers to all questions, in their order.
async fn answers(host: &TestHost) -> Value {
    let mut answers = Vec::new();
    for (method, params) in questions() {
        answers.push(json!([method, params, host.ok(method, params.clone()).await]));
    }
    Value::Array(answers)
}

/// The directory of a format's fixtures.
fn fixtures(format: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/formats")
        .join(format)
}

/// The formats that have fixtures.
fn formats() -> Vec<String> {
    let entries = fs::read_dir(fixtures("")).expect("the fixtures");
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

fn expected(format: &str, name: &str) -> Value {
    let file = fixtures(format).join(name);
    serde_json::from_str(&fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
        .unwrap()
}

/// Unpacks a data directory with its space.
fn unpack(format: &str, name: &str, to: &Path) {
    tar(&["-xzf", &fixtures(format).join(name).display().to_string()], to);
}

fn tar(args: &[&str], dir: &Path) {
    let status = Command::new("tar").args(args).current_dir(dir).status();
    assert!(status.expect("tar is installed").success(), "tar {args:?}");
}

/// The server of an unpacked directory.
fn launch(dir: &Path) -> Launch {
    Launch::new(dir.join("data")).space(format!("file://{}", dir.join("space").display()))
}

/// An older program must still be able to open what was only looked at.
#[tokio::test]
async fn commands_that_look_at_an_older_format_leave_it_alone() {
    let dir = tempfile::tempdir().unwrap();
    unpack("1", "killed.tar.gz", dir.path());
    let (data, place) = (dir.path().join("data"), dir.path().join("place"));
    let files = || ["stowage.redb", "stowage.wal"].map(|name| fs::read(data.join(name)).unwrap());
    let before = files();
    let backup = ["backup", place.to_str().unwrap()];
    for words in [&["check"][..], &["dump"], &backup] {
        let refused = Cli::new([&["db"], words].concat()).data(&data).fails(2).await;
        assert!(
            refused.stderr.contains("has the old format 1: start the server once"),
            "{refused}"
        );
        assert!(files() == before, "{words:?} changed the files");
    }
    assert_eq!(
        answers(&launch(dir.path()).start().await).await,
        expected("1", "killed.json")
    );
}

/// A space with rows of every collection.
fn fill(dir: &Path) {
    let space = SpaceFixture::create(dir);
    // A space with an identifier may move to another place.
    let description = json!({"format": 1, "totalBytes": 10_u64 << 30, "id": "the space of a fixture"});
    fs::write(dir.join("space.json"), description.to_string()).unwrap();
    let text = space.blob(b"a text in the space");
    let (sealed, sealed_size) = space.sealed_blob(b"a protected text", PASSWORD);
    let mut protected = stored_file(&sealed, "protected.txt", sealed_size, 6000);
    protected["protected"] = json!(true);
    let mut inner = stored_file(&hash_of(b"inner"), "inner.bin", 7, 7000);
    inner["path"] = json!("s");
    let folder = json!({"id": "s", "name": "a folder", "time": 1000, "path": ""});
    let mut unknown = favorite("u2", "f", "with a field of others.txt", &hash_of(b"u2"), 22, 20);
    unknown["fieldOfOthers"] = json!({"kept": true});
    space
        .row("favorite-folders", &favorite_folder("f", "a folder 文件夹", 1000))
        .row("favorites", &favorite("u1", "1", "a file.txt", &text, 19, 10))
        .row("favorites", &unknown)
        .row("temp-folders", &temp_folder("t", 2000))
        .row(
            "temp-files",
            &temp_file("x1", "t", "temp.png", &hash_of(b"x1"), 11, 3000),
        )
        .row("backup-folders", &backup_folder("b", "", 40))
        .row("backups", &backup("k1", "b", "b.txt", &hash_of(b"k1"), 44, 50))
        .row("storage-folders", &folder)
        .row("storage-files", &stored_file(&text, "text.txt", 19, 5000))
        .row("storage-files", &protected)
        .row("storage-files", &inner)
        .row("dapp-files", &stored_file(&hash_of(b"d1"), "dapp.bin", 8, 8000));
}

/// The version of the module that a fixture was swapped to.
fn swapped() -> Vec<u8> {
    changing(plain('f'))
}

/// Makes the fixtures of the format that `STOWAGE_BIN` writes. docs/formats.md tells when and how.
#[tokio::test]
#[ignore = "it writes fixtures: STOWAGE_FORMAT=N STOWAGE_BIN=… cargo test … formats -- --ignored"]
async fn the_fixtures_of_a_format_are_made() {
    let format = std::env::var("STOWAGE_FORMAT").expect("STOWAGE_FORMAT=N");
    let to = fixtures(&format);
    fs::create_dir_all(&to).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fill(&root.join("space"));
    let host = launch(root).start().await;
    host.init().await;
    let recording = root.join("calls.ndjson");
    let admin = Admin::of(&host);
    let begun =
        json!({"file": recording, "methods": ["createImFavoriteFolder", "getImFavoriteFolders", "getImFavoriteList"]});
    assert_eq!(admin.post("record", begun).await.0, 200);
    host.ok("createImFavoriteFolder", json!({"name": "created before the end"}))
        .await;
    let closed = answers(&host).await;
    assert_eq!(host.cli(["record", "--stop"]).succeeds().await.status, 0);
    admin.swap(&[("changing", &swapped())]).await;
    assert_eq!(host.ok("tests/work", json!({"key": "k"})).await, 1);
    stowage_tests::wait::until("the folder is in the space", || {
        SpaceFixture::existing(&root.join("space"))
            .read("favorite-folders")
            .len()
            == 2
    })
    .await;
    let stopped = host.stop().await;
    write(&to, "closed.json", &closed);
    fs::copy(&recording, to.join("calls.ndjson")).unwrap();
    pack(root, &to.join("closed.tar.gz"));

    // What it writes now is only in the log when it is killed.
    let host = stopped.start().await;
    for n in 0..KILLED_FOLDERS {
        host.ok("createImFavoriteFolder", json!({"name": format!("acknowledged {n}")}))
            .await;
    }
    let killed = answers(&host).await;
    host.kill().await;
    write(&to, "killed.json", &killed);
    pack(root, &to.join("killed.tar.gz"));
}

fn write(dir: &Path, name: &str, value: &Value) {
    let text = serde_json::to_string_pretty(value).unwrap() + "\n";
    fs::write(dir.join(name), text).unwrap();
}

/// Packs the data directory and its space, without what a start makes again: compiled code, the
/// token, the address, and the bytes of built-in modules.
fn pack(root: &Path, to: &Path) {
    let kept = format!("data/modules/{}.wasm", version(&swapped()));
    tar(
        &[
            "-czf",
            &to.display().to_string(),
            "--sort=name",
            "--owner=0",
            "--group=0",
            "--numeric-owner",
            "--mtime=@0",
            "--sparse",
            "data/stowage.redb",
            "data/stowage.wal",
            &kept,
            "space",
        ],
        root,
    );
}

/// The rows of a closed data directory, its history and its module are as they were.
#[tokio::test]
async fn a_closed_data_directory_of_each_format_is_opened() {
    for format in formats() {
        let dir = tempfile::tempdir().unwrap();
        unpack(&format, "closed.tar.gz", dir.path());
        let host = launch(dir.path()).start().await;
        assert_eq!(
            answers(&host).await,
            expected(&format, "closed.json"),
            "format {format}"
        );
        host.init().await;
        assert_eq!(
            answers(&host).await,
            expected(&format, "closed.json"),
            "format {format}, after a sync"
        );
        assert_eq!(host.ok("tests/label", json!({})).await, "f", "its module still runs");
        assert_eq!(
            host.ok("tests/work", json!({"key": "k"})).await,
            2,
            "its rows are there"
        );
        let history = Admin::of(&host).get("history").await.1;
        let entries = history["history"].as_array().unwrap();
        let actions: Vec<_> = entries
            .iter()
            .rev()
            .map(|entry| entry["action"].as_str().unwrap())
            .collect();
        assert_eq!(actions[..2], ["start", "swap"], "{history:#}");
        let swap = &entries[entries.len() - 2];
        assert!(
            swap["modules"].to_string().contains(&version(&swapped_then(&format))),
            "{swap}"
        );
        // It goes on working: what is written now is there after a restart.
        host.ok("createImFavoriteFolder", json!({"name": "created later"}))
            .await;
        let host = host.restart().await;
        let folders = host
            .ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 100}))
            .await;
        assert!(folders.to_string().contains("created later"), "{folders}");
        host.stop().await;
    }
}

/// The bytes of the module of a fixture: those of the build of then, whatever `changing` is now.
fn swapped_then(format: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    unpack(format, "closed.tar.gz", dir.path());
    let mut modules = fs::read_dir(dir.path().join("data/modules")).unwrap();
    fs::read(modules.next().expect("one module").unwrap().path()).unwrap()
}

/// What was acknowledged before a kill is in the log of the format, and comes from there.
#[tokio::test]
async fn the_log_of_each_format_is_replayed() {
    for format in formats() {
        let dir = tempfile::tempdir().unwrap();
        unpack(&format, "killed.tar.gz", dir.path());
        let host = launch(dir.path()).start().await;
        let found = answers(&host).await;
        assert_eq!(found, expected(&format, "killed.json"), "format {format}");
        assert_eq!(found.to_string().matches("acknowledged ").count(), KILLED_FOLDERS);
        host.stop().await;
        // Without the log they are not there, so it is the log that has them.
        let dir = tempfile::tempdir().unwrap();
        unpack(&format, "killed.tar.gz", dir.path());
        fs::remove_file(dir.path().join("data/stowage.wal")).unwrap();
        let host = launch(dir.path()).start().await;
        let found = answers(&host).await.to_string();
        assert!(found.matches("acknowledged ").count() < KILLED_FOLDERS, "{found}");
        host.stop().await;
    }
}

/// A space of each format is synced into a new data directory, and its protected file is opened.
#[tokio::test]
async fn a_space_of_each_format_is_synced() {
    for format in formats() {
        let dir = tempfile::tempdir().unwrap();
        unpack(&format, "closed.tar.gz", dir.path());
        fs::remove_dir_all(dir.path().join("data")).unwrap();
        let host = launch(dir.path()).start().await;
        host.init().await;
        let (mut found, mut wanted) = (answers(&host).await, expected(&format, "closed.json"));
        for answers in [&mut found, &mut wanted] {
            // The default folder is made with the data directory, and is not in the space.
            let default = &mut answers[0][2][0];
            assert_eq!(default["id"], "1");
            default["time"] = Value::Null;
        }
        assert_eq!(found, wanted, "format {format}");
        let space = SpaceFixture::existing(&dir.path().join("space"));
        let sealed = protected(&space);
        host.ok(
            "downloadStorageFileTask",
            json!({"hash": sealed, "platform": 3, "taskId": "protected", "filePassword": PASSWORD}),
        )
        .await;
        let file = dir.path().join("data/downloads/3/protected.txt");
        stowage_tests::wait::until("the protected file is there", || file.is_file()).await;
        assert_eq!(fs::read(&file).unwrap(), b"a protected text");
        // A row keeps the fields of others when it is written again.
        host.ok("transferApi/moveImFavorites", json!({"uniques": ["u2"], "favId": "1"}))
            .await;
        stowage_tests::wait::until("the row is moved in the space", || {
            space.find("favorites", "u2").is_some_and(|row| row["folder"] == "1")
        })
        .await;
        assert_eq!(
            space.find("favorites", "u2").unwrap()["fieldOfOthers"],
            json!({"kept": true})
        );
        host.stop().await;
    }
}

/// The hash of the protected file of a space.
fn protected(space: &SpaceFixture) -> String {
    let rows = space.read("storage-files");
    let row = rows
        .iter()
        .find(|row| row["protected"] == true)
        .expect("a protected file");
    row["hash"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_recording_of_each_format_is_replayed() {
    for format in formats() {
        let recording = fixtures(&format).join("calls.ndjson");
        let report = Cli::new([Path::new("replay"), &module_file("favorites"), &recording])
            .args(["--json"])
            .succeeds()
            .await
            .json();
        assert!(report["replayed"].as_u64().unwrap() >= 4, "{report}");
    }
}

/// What a newer program wrote is refused, and the text says what to do. Nothing is changed.
#[tokio::test]
async fn a_newer_format_of_each_kind_is_refused_with_a_clear_text() {
    const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
    let format = formats().pop().expect("a format");
    let dir = tempfile::tempdir().unwrap();
    unpack(&format, "closed.tar.gz", dir.path());

    let database = dir.path().join("data/stowage.redb");
    let raise = |to: u64| {
        let db = redb::Database::open(&database).unwrap();
        let write = db.begin_write().unwrap();
        let before = write
            .open_table(META)
            .unwrap()
            .insert("format", to)
            .unwrap()
            .map(|value| value.value());
        write.commit().unwrap();
        before.expect("the database has a format")
    };
    let before = raise(99);
    let refused = launch(dir.path()).refused().await;
    assert!(
        refused.stderr.contains("format 99") && refused.stderr.contains("newer version"),
        "{refused}"
    );
    {
        let db = redb::Database::open(&database).unwrap();
        let read = redb::ReadableDatabase::begin_read(&db).unwrap();
        let meta = read.open_table(META).unwrap();
        assert_eq!(
            meta.get("format").unwrap().map(|value| value.value()),
            Some(99),
            "nothing is changed"
        );
    }
    raise(before);

    let description = dir.path().join("space/space.json");
    let text = fs::read_to_string(&description).unwrap();
    fs::write(&description, text.replace("\"format\":1", "\"format\":99")).unwrap();
    fs::remove_dir_all(dir.path().join("data")).unwrap();
    let refused = launch(dir.path()).refused().await;
    assert!(
        refused.stderr.contains("format 99") && refused.stderr.contains("update"),
        "{refused}"
    );

    let text = fs::read_to_string(fixtures(&format).join("calls.ndjson")).unwrap();
    let newer = dir.path().join("newer.ndjson");
    fs::write(&newer, text.replacen("\"format\":1", "\"format\":99", 1)).unwrap();
    let refused = Cli::new([Path::new("replay"), &module_file("favorites"), &newer])
        .fails(2)
        .await;
    assert!(
        refused.stderr.contains("format 99") && refused.stderr.contains("update"),
        "{refused}"
    );
}
