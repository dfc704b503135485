//! `stowage doctor`: each check is shown a real fault, and finds nothing where all is well.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use stowage_storage::{Config, Store};
use stowage_tests::careless_store::CarelessStore;
use stowage_tests::cli::{Cli, CliOutput};
use stowage_tests::fixture::SpaceFixture;
use stowage_tests::host::Launch;
use stowage_tests::modules::{module, version};
use stowage_tests::scene::Scene;
use tempfile::TempDir;

/// Checks whose outcome is a matter of the machine that runs the tests.
const OF_THE_MACHINE: [&str; 4] = ["disk", "file-system", "sync", "open-files"];

/// All checks, in the order in which they are told.
const ALL: [&str; 17] = [
    "settings",
    "data-directory",
    "admin-token",
    "disk",
    "file-system",
    "sync",
    "open-files",
    "clock",
    "server",
    "database",
    "port",
    "tls",
    "space",
    "modules",
    "watched-modules",
    "kept-modules",
    "compiled-modules",
];

/// A diagnosis of a data directory, on a free port.
fn doctor(data: &Path) -> Cli {
    Cli::new(["doctor", "--json"]).data(data)
}

/// The outcome of a check, and all that it says.
fn verdict(output: &CliOutput, id: &str) -> (String, String) {
    let diagnosis = output.json();
    let checks = diagnosis["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["id"] == id).unwrap();
    let text = |field: &str| check[field].as_str().unwrap_or_default().to_owned();
    (text("outcome"), format!("{} → {}", text("found"), text("action")))
}

/// Asserts that a check finds this, and names these words.
fn assert_found(output: &CliOutput, id: &str, outcome: &str, words: &[&str]) {
    let (found, text) = verdict(output, id);
    assert_eq!(found, outcome, "{id}: {text}");
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
    if outcome == "error" {
        assert_eq!(
            (output.status, &output.json()["outcome"]),
            (1, &"error".into()),
            "{output}"
        );
    }
    if outcome == "error" || outcome == "warning" {
        assert!(!text.ends_with("→ "), "{id} says what to do: {text}");
    }
    assert_eq!(output.stderr, "", "what is found is on stdout alone");
}

/// Asserts that nothing is wrong, but for what the machine of the test may lack.
fn assert_well(output: &CliOutput) {
    assert_eq!(output.status, 0, "{output}");
    for id in ALL.iter().filter(|id| !OF_THE_MACHINE.contains(id)) {
        let (outcome, text) = verdict(output, id);
        assert!(outcome == "ok" || outcome == "skipped", "{id} is {outcome}: {text}");
    }
}

/// All files of a directory, with their content.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(contents(&path)),
            false => found.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

/// The data directory of a server that was stopped in order, with its space.
async fn stopped() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    Launch::new(&data).start().await.stop().await;
    (dir, data)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn all_is_well_before_the_first_start_and_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("new");
    let output = doctor(&data).args(["--listen", "127.0.0.1:0"]).run().await;
    assert_well(&output);
    let diagnosis = output.json();
    let ids: Vec<_> = diagnosis["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| &check["id"])
        .collect();
    assert_eq!(ids, ALL);
    assert!(!data.exists(), "a look changes nothing");
}

#[tokio::test]
async fn all_is_well_beside_a_running_server_and_after_its_end() {
    let scene = Scene::new().await;
    let data = scene.host.data().to_owned();
    let (address, pid) = (scene.host.address().to_string(), scene.host.pid().to_string());
    let space = scene.space.url();
    let look = || doctor(&data).args(["--space", &space, "--listen", &address]);
    let output = look().run().await;
    assert_well(&output);
    assert_found(&output, "server", "ok", &[&address, &pid, "6 modules"]);
    assert_found(&output, "port", "ok", &["server of this data directory"]);
    assert_found(&output, "database", "ok", &["open in a process"]);
    assert_found(&output, "space", "ok", &["10 GB", "file lock"]);
    scene.host.ok("getStorageSpaceInfo", serde_json::json!({})).await;

    scene.host.stop().await;
    let before = contents(&data);
    let output = look().run().await;
    assert_well(&output);
    assert_found(&output, "server", "ok", &["no server"]);
    assert_found(&output, "database", "ok", &["format 2", "closed in order"]);
    assert_found(&output, "compiled-modules", "ok", &[]);
    assert!(contents(&data) == before, "a look changes nothing");
}

#[tokio::test]
async fn a_person_reads_what_was_found_and_what_to_do() {
    let (_dir, data) = stopped().await;
    set_mode(&data, 0o777);
    let output = Cli::new(["doctor", "--listen", "127.0.0.1:0"])
        .data(&data)
        .fails(1)
        .await;
    let shown = format!("others may write into {} (mode 777)\n", data.display());
    assert!(output.stdout.contains("ERROR    data-directory    "), "{output}");
    assert!(output.stdout.contains(&shown), "{output}");
    assert!(
        output.stdout.contains(&format!("→ chmod 700 {}\n", data.display())),
        "{output}"
    );
    assert!(output.stdout.lines().last().unwrap().starts_with("1 error"), "{output}");
    assert!(!output.stdout.contains('\u{1b}'), "no colours in a pipe");
}

#[tokio::test]
async fn a_data_directory_that_others_can_use_or_nobody_can_is_found() {
    let (dir, data) = stopped().await;
    let look = async |data: &Path| doctor(data).args(["--listen", "127.0.0.1:0"]).run().await;
    set_mode(&data, 0o755);
    assert_found(
        &look(&data).await,
        "data-directory",
        "warning",
        &["others may read", "chmod 700"],
    );
    set_mode(&data, 0o700);

    let token = data.join("admin.token");
    set_mode(&token, 0o644);
    assert_found(&look(&data).await, "admin-token", "error", &["644", "remove"]);
    set_mode(&token, 0o600);
    fs::write(&token, "no token").unwrap();
    assert_found(&look(&data).await, "admin-token", "error", &["does not hold a token"]);

    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    assert_found(&look(&file).await, "data-directory", "error", &["is not a directory"]);
    assert_found(&look(&file.join("x")).await, "data-directory", "error", &["--data"]);
    fs::create_dir_all(data.join("downloads")).unwrap();
    fs::remove_dir(data.join("downloads")).unwrap();
    fs::write(data.join("downloads"), "").unwrap();
    assert_found(
        &look(&data).await,
        "data-directory",
        "error",
        &["downloads", "is not a directory"],
    );
}

#[tokio::test]
async fn a_port_of_another_process_is_found_with_its_process() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let look = async |listen: &str| doctor(&dir.path().join("data")).args(["--listen", listen]).run().await;
    let pid = std::process::id().to_string();
    assert_found(
        &look(&address).await,
        "port",
        "error",
        &[&address, "taken by", &pid, "--listen"],
    );
    drop(listener);
    assert_found(&look(&address).await, "port", "ok", &["is free"]);
    assert_found(&look("192.0.2.1:1").await, "port", "error", &["192.0.2.1"]);
}

#[tokio::test]
async fn a_server_file_that_a_killed_server_left_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let host = Launch::new(&data).start().await;
    let pid = host.pid().to_string();
    let look = async || doctor(&data).args(["--listen", "127.0.0.1:0"]).run().await;
    let launch = host.kill().await;
    let output = look().await;
    assert_found(&output, "server", "warning", &[&pid, "is gone", "start the server"]);
    assert_found(&output, "database", "warning", &["was not closed", "repairs"]);
    assert_eq!(output.status, 0, "a warning is no error");

    // The number of the process was given to another one.
    let file = data.join("server.json");
    let ours = std::process::id();
    fs::write(&file, format!("{{\"address\":\"http://127.0.0.1:1\",\"pid\":{ours}}}")).unwrap();
    assert_found(
        &look().await,
        "server",
        "warning",
        &[&ours.to_string(), "is now that of"],
    );
    fs::write(&file, "{").unwrap();
    assert_found(&look().await, "server", "error", &["server.json", "remove"]);
    launch.start().await.stop().await;
    assert_well(&look().await);
}

#[tokio::test]
async fn a_process_that_has_the_database_open_and_is_no_server_is_found() {
    let (_dir, data) = stopped().await;
    let open = Store::open(&data.join("stowage.redb"), Config::default()).unwrap();
    let pid = std::process::id();
    let look = async || doctor(&data).args(["--listen", "127.0.0.1:0"]).run().await;
    assert_found(&look().await, "server", "warning", &[&format!("process {pid} (")]);
    // A server that hangs: nobody answers at its address.
    fs::write(
        data.join("server.json"),
        format!("{{\"address\":\"http://127.0.0.1:1\",\"pid\":{pid}}}"),
    )
    .unwrap();
    assert_found(&look().await, "server", "error", &["gives no answer", "127.0.0.1:1"]);
    open.close().await;
}

#[tokio::test]
async fn a_database_of_a_newer_version_or_of_another_program_is_found() {
    let (_dir, data) = stopped().await;
    let file = data.join("stowage.redb");
    let look = async || doctor(&data).args(["--listen", "127.0.0.1:0"]).run().await;
    fs::remove_file(&file).unwrap();
    {
        let db = redb::Database::create(&file).unwrap();
        let write = db.begin_write().unwrap();
        let meta = redb::TableDefinition::<&str, u64>::new("meta");
        write.open_table(meta).unwrap().insert("format", 99).unwrap();
        write.commit().unwrap();
    }
    assert_found(&look().await, "database", "error", &["format 99", "newer"]);
    fs::write(&file, vec![7; 10_000]).unwrap();
    assert_found(
        &look().await,
        "database",
        "error",
        &["is not a Stowage database", "copy"],
    );
}

#[tokio::test]
async fn a_clock_that_went_back_is_found() {
    let (_dir, data) = stopped().await;
    let later = std::time::SystemTime::now() + Duration::from_secs(3600);
    let log = fs::File::options()
        .append(true)
        .open(data.join("stowage.redb"))
        .unwrap();
    log.set_modified(later).unwrap();
    let output = doctor(&data).args(["--listen", "127.0.0.1:0"]).run().await;
    assert_found(&output, "clock", "error", &["went back", "timedatectl"]);
}

#[tokio::test]
async fn a_place_that_is_no_space_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let space = dir.path().join("space");
    let look = async |space: &OsStr| {
        let arguments = [
            OsStr::new("--listen"),
            "127.0.0.1:0".as_ref(),
            "--space".as_ref(),
            space,
        ];
        doctor(&data).args(arguments).run().await
    };
    fs::create_dir(&space).unwrap();
    assert_found(
        &look(space.as_ref()).await,
        "space",
        "error",
        &["no space", "stowage space init"],
    );
    for (json, word) in [
        ("{\"format\": 1, ", "restore"),
        ("{\"format\": 7, \"totalBytes\": 1}", "update this program"),
    ] {
        fs::write(space.join("space.json"), json).unwrap();
        assert_found(&look(space.as_ref()).await, "space", "error", &[word]);
    }
    assert_found(&look("gopher://x".as_ref()).await, "space", "error", &["gopher"]);
    let memory = look("memory:///".as_ref()).await;
    assert_found(&memory, "space", "skipped", &["in memory"]);
    // Nobody listens there.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = look(format!("http://{closed}/").as_ref()).await;
    assert_found(&away, "space", "error", &["cannot be reached", "network"]);
}

#[tokio::test]
async fn a_store_that_ignores_conditions_and_has_a_wrong_clock_is_found_and_left_clean() {
    let dir = tempfile::tempdir().unwrap();
    let store = CarelessStore::start(Duration::from_secs(3600)).await;
    let look = doctor(&dir.path().join("data")).args(["--listen", "127.0.0.1:0", "--space", "s3://b"]);
    let look = store
        .variables()
        .into_iter()
        .fold(look, |look, (name, value)| look.env(name, value));
    let output = look.run().await;
    assert_found(
        &output,
        "space",
        "error",
        &["put-if-absent is ignored", "lose changes", "s behind", "only one host"],
    );
    assert_eq!(store.names(), ["/b/space.json"], "no probe is left");
}

#[tokio::test]
async fn modules_that_do_not_load_are_found_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let (data, modules) = (dir.path().join("data"), dir.path().join("modules"));
    fs::create_dir(&modules).unwrap();
    fs::write(modules.join("common.wasm"), module("common")).unwrap();
    let look = async |flag: &str, dir: &Path| {
        let arguments = [
            OsStr::new("--listen"),
            "127.0.0.1:0".as_ref(),
            flag.as_ref(),
            dir.as_os_str(),
        ];
        doctor(&data).args(arguments).run().await
    };
    assert_found(&look("--modules", &modules).await, "modules", "ok", &["1 in", "load"]);
    fs::write(modules.join("broken.wasm"), b"\0asm").unwrap();
    let output = look("--modules", &modules).await;
    assert_found(&output, "modules", "error", &["1 of 2", "broken.wasm", "module check"]);
    let output = look("--watch-modules", &modules).await;
    assert_found(&output, "watched-modules", "error", &["broken.wasm"]);
    let none = dir.path().join("none");
    assert_found(&look("--modules", &none).await, "modules", "error", &["none"]);
    assert_found(
        &look("--watch-modules", &none).await,
        "watched-modules",
        "error",
        &["none"],
    );
    fs::create_dir_all(data.join("modules")).unwrap();
    set_mode(&data, 0o700);
    let output = look("--watch-modules", &data.join("modules")).await;
    assert_found(&output, "watched-modules", "error", &["own files"]);
}

#[tokio::test]
async fn damaged_files_of_modules_are_found() {
    let (_dir, data) = stopped().await;
    let look = async || doctor(&data).args(["--listen", "127.0.0.1:0"]).run().await;
    let name = format!("{}.wasm", version(b"a module"));
    fs::write(data.join("modules").join(&name), b"a m0dule").unwrap();
    assert_found(&look().await, "kept-modules", "error", &[&name, "damaged", "swap"]);
    fs::write(data.join("modules").join(&name), b"a module").unwrap();
    assert_found(&look().await, "kept-modules", "ok", &[]);

    let cache = data.join("cache");
    fs::write(cache.join("x.cwasm"), b"torn").unwrap();
    assert_found(&look().await, "compiled-modules", "warning", &["x.cwasm", "damaged"]);
    fs::remove_file(cache.join("x.cwasm")).unwrap();
    set_mode(&cache, 0o777);
    assert_found(
        &look().await,
        "compiled-modules",
        "error",
        &["others may write", "native code"],
    );
}

#[tokio::test]
async fn a_bad_setting_is_found_with_its_source_and_a_bad_flag_is_wrong_usage() {
    let dir = tempfile::tempdir().unwrap();
    let look = || doctor(&dir.path().join("data"));
    let output = look().env("STOWAGE_LISTEN", "here").run().await;
    assert_found(&output, "settings", "error", &["STOWAGE_LISTEN", "here"]);
    let output = look()
        .env("STOWAGE_LISTEN", "127.0.0.1:0")
        .env("STOWAGE_DAAT", "x")
        .run()
        .await;
    assert_found(&output, "settings", "warning", &["STOWAGE_DAAT"]);
    let file = dir.path().join("stowage.toml");
    fs::write(&file, "listen = \"127.0.0.1:0\"\nreuse = \"often\"\n").unwrap();
    let output = look().env("STOWAGE_CONFIG", &file).run().await;
    assert_found(&output, "settings", "error", &["stowage.toml:2:", "often"]);
    let output = look().args(["--listen", "0.0.0.0:0"]).run().await;
    assert_found(&output, "settings", "error", &["--token"]);
    let output = look().args(["--listen", "here"]).fails(2).await;
    assert_eq!(output.stdout, "");
}

#[tokio::test]
async fn the_space_that_a_server_made_is_tried_in_place() {
    let dir = tempfile::tempdir().unwrap();
    let space = SpaceFixture::create(&dir.path().join("space"));
    let before = contents(&dir.path().join("space"));
    let data = dir.path().join("data");
    let output = doctor(&data)
        .args(["--listen", "127.0.0.1:0", "--space", &space.url()])
        .run()
        .await;
    assert_well(&output);
    let mut after = contents(&dir.path().join("space"));
    // The lock of writers, which is empty, is the only file that may stay.
    after.retain(|(path, bytes)| !(path.ends_with("lists/.lock") && bytes.is_empty()));
    assert!(after == before, "no probe is left");
}
