//! `stowage record` on a running server, and its uses: `stowage replay` and `stowage module check
//! --recording`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};
use stowage_tests::admin::Admin;
use stowage_tests::changing::{Behaviour, Work, changing, plain};
use stowage_tests::cli::{self, Cli};
use stowage_tests::fixture::{self, stored_file};
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::modules::{module, module_file, variant, version};
use stowage_tests::program::Process;
use stowage_tests::scene::Scene;
use stowage_tests::wait::eventually;

const PASSWORD: &str = "correct horse battery";

/// Begins `stowage record FILE --json` with further arguments, and waits until the server records.
async fn recorder(host: &TestHost, file: &str, more: &[&str]) -> Process {
    let recorder = host.cli(["record", file, "--json"]).args(more).spawn();
    let admin = Admin::of(host);
    eventually("the server records", || async {
        let (status, recording) = admin.get("record").await;
        assert_eq!(status, 200, "{recording}");
        (recording["file"] == file).then_some(())
    })
    .await;
    recorder
}

/// Waits for a recorder, and reads what it printed.
async fn summary(recorder: Process) -> Value {
    let output = cli::finished(recorder).await;
    assert_eq!(output.status, 0, "{output}");
    output.json()
}

fn lines(file: &str) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.ends_with('\n'), "the last line is whole");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn at(dir: &Path, name: &str) -> String {
    dir.join(name).display().to_string()
}

/// The path of a new file with these bytes.
fn write(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) -> String {
    fixture::file(dir, name, bytes).display().to_string()
}

#[tokio::test]
async fn calls_of_a_running_server_are_recorded_without_passwords() {
    let mut hash = String::new();
    let scene = Scene::with(|space| {
        let (sealed, size) = space.sealed_blob(b"a secret", PASSWORD);
        let mut row = stored_file(&sealed, "secret.txt", size, 1);
        row["protected"] = json!(true);
        space.row("storage-files", &row);
        hash = sealed;
    })
    .await;
    let host = &scene.host;
    host.code("createImFavoriteFolder", json!({"name": "before"})).await;
    let file = at(scene.dir.path(), "calls.ndjson");
    let recorder = recorder(host, &file, &[]).await;

    let page = json!({"page": 1, "pageSize": 10});
    host.ok("createImFavoriteFolder", json!({"name": "music"})).await;
    assert_eq!(
        host.code("createImFavoriteFolder", json!({"name": "music"})).await,
        60002
    );
    // Refused before the call of a module: nothing to record.
    assert_eq!(host.code("createImFavoriteFolder", json!({})).await, 600);
    host.ok("getImFavoriteFolders", page.clone()).await;
    for password in ["a wrong one", PASSWORD] {
        let params = json!({"hash": hash, "platform": 3, "filePassword": password});
        host.call("downloadStorageFileTask", params).await;
    }
    // A version that goes live during the recording is recorded as well.
    let next = variant(&module("favorites"), "next");
    Admin::of(host).swap(&[("favorites", &next)]).await;
    host.ok("getImFavoriteFolders", page.clone()).await;
    recorder.signal(Signal::INT);
    let summary = summary(recorder).await;
    host.ok("getImFavoriteFolders", page).await;

    let lines = lines(&file);
    let calls: Vec<_> = lines.iter().filter_map(|line| line.get("call")).collect();
    let all: Vec<_> = calls
        .iter()
        .map(|call| (call["function"].as_str().unwrap(), call["version"].as_str().unwrap()))
        .collect();
    let (favorites, common) = (version(&module("favorites")), version(&module("common")));
    assert_eq!(
        all,
        [
            ("create-im-favorite-folder", favorites.as_str()),
            ("create-im-favorite-folder", &favorites),
            ("get-im-favorite-folders", &favorites),
            ("download-storage-file-task", &common),
            ("download-storage-file-task", &common),
            ("get-im-favorite-folders", &version(&next)),
        ]
    );
    let header = &lines[0]["header"];
    assert_eq!(header["format"], 1);
    assert!(header["startedMs"].is_u64());
    let served = json!({"name": "favorites", "version": favorites});
    assert!(header["modules"].as_array().unwrap().contains(&served), "{header}");
    let created = &calls[0];
    assert_eq!(
        (&created["module"], &created["interface"], &created["params"]),
        (
            &json!("favorites"),
            &json!("stowage:storage-api/im-favorites"),
            &json!({"name": "music"})
        )
    );
    assert!(created["nowMs"].is_u64() && created["seed"].as_str().unwrap().len() == 64);
    assert!(!created["writes"].as_array().unwrap().is_empty() && created["requests"][0].get("Change").is_some());
    assert_eq!(created["outcome"], json!({"ok": true}));
    assert!(calls[1]["outcome"].get("err").is_some() && calls[1]["writes"] == json!([]));
    let answer = calls[2]["outcome"]["ok"].as_array().unwrap();
    assert!(answer.iter().any(|folder| folder["name"] == "before"), "{answer:?}");
    // First the wrong, then the right password. A call that runs again with a fact is one call.
    let known = |call: &Value| call["facts"][0][1]["password"]["Ok"].clone();
    assert_eq!((known(calls[3]), known(calls[4])), (json!(false), json!(true)));
    assert_eq!(calls[4]["params"]["filePassword"], "(hidden)");

    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains(PASSWORD) && !text.contains("a wrong one"), "no password");
    assert!(!text.contains("host."), "no table of the host");
    let end = lines.last().unwrap()["end"].clone();
    assert_eq!(
        (&end["calls"], &end["skipped"], &end["dropped"]),
        (&json!(6), &json!(0), &json!(0))
    );
    assert_eq!(end, summary);
    let before_end = text.trim_end().rfind('\n').unwrap() + 1;
    assert_eq!(end["bytes"], before_end);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let modules = ["favorites", "common"].map(|name| module_file(name).display().to_string());
    let replay = Cli::new(["replay", &modules[0], &modules[1], &file]).succeeds().await;
    assert!(replay.stdout.contains("6 calls replayed, 0 differ"), "{replay}");
}

#[tokio::test]
async fn a_changed_version_is_shown_by_a_replay_and_refused_by_a_check() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path().join("data")).start().await;
    let admin = Admin::of(&host);
    admin.swap(&[("changing", &changing(plain('a')))]).await;
    let file = at(dir.path(), "calls.ndjson");
    let recorder = recorder(
        &host,
        &file,
        &["--method", "work", "--method", "percent", "--calls", "3"],
    )
    .await;
    for (method, params) in [
        ("tests/work", json!({"key": "k"})),
        ("tests/label", json!({})),
        ("tests/percent", json!({"part": 1, "whole": 3})),
        ("tests/percent", json!({"part": 2, "whole": 3})),
        ("tests/work", json!({"key": "k"})),
    ] {
        host.ok(method, params).await;
    }
    let summary = summary(recorder).await;
    assert_eq!(
        summary["calls"], 3,
        "it ends by itself, and only the methods that were named count"
    );

    let same = write(dir.path(), "changing.wasm", variant(&changing(plain('a')), "rebuilt"));
    // It rounds down: 66.66 instead of 66.67.
    let other = write(dir.path(), "other.wasm", changing(plain('a').work(Work::RoundDown)));
    Cli::new(["replay", &same, &file]).succeeds().await;
    let replayed = Cli::new(["replay", &other, &file]).fails(1).await;
    let shown = "line 4: work/percent {\"part\":2,\"whole\":3}\n  answer: \"66.66\" instead of \"66.67\"\n3 calls replayed, 1 differ\n";
    assert_eq!(replayed.stdout, shown);

    let before = (admin.list().await, admin.get("history").await);
    let checked = host
        .cli(["module", "check", &same, "--recording", &file])
        .succeeds()
        .await;
    assert!(checked.stdout.contains("3 calls replayed, 0 differ"), "{checked}");
    let refused = ["module", "check", &other, "--name", "changing", "--recording", &file];
    let checked = host.cli(refused).fails(1).await;
    for told in ["FAIL", "line 4: work/percent", "answer: \"66.66\" instead of \"66.67\""] {
        assert!(checked.stdout.contains(told), "{told}: {checked}");
    }
    let report = host.cli(refused).args(["--json"]).fails(1).await.json();
    let step = report["steps"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&step["name"], &step["passed"], &step["forceable"]),
        (&json!("replay"), &json!(false), &json!(true))
    );
    // Without the recording the check finds nothing.
    host.cli(&refused[..5]).succeeds().await;

    // The same over HTTP.
    let bytes = fs::read(&file).unwrap();
    let answer = |behaviour: Behaviour, recording: &[u8]| {
        let body = [&changing(behaviour)[..], recording].concat();
        let size = body.len() - recording.len();
        let more = format!("&size={size}&recording={}", recording.len());
        let admin = admin.clone();
        async move { admin.check("changing", body, &more).await }
    };
    assert_eq!(answer(plain('a'), &bytes).await["passed"], true);
    assert_eq!(answer(plain('a').work(Work::RoundDown), &bytes).await["passed"], false);
    let (list, history) = (admin.list().await, admin.get("history").await);
    assert_eq!(
        (list["generation"].clone(), history),
        (before.0["generation"].clone(), before.1)
    );
    assert_eq!(admin.version("changing").await, Some(version(&changing(plain('a')))));
    assert_eq!(
        host.ok("tests/work", json!({"key": "k"})).await,
        3,
        "the data is as the calls left it"
    );
    host.stop().await;
}

#[tokio::test]
async fn a_malformed_recording_is_reported_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path().join("data")).start().await;
    let admin = Admin::of(&host);
    admin.swap(&[("changing", &changing(plain('a')))]).await;
    let file = at(dir.path(), "calls.ndjson");
    let recorder = recorder(&host, &file, &["--calls", "2"]).await;
    for _ in 0..2 {
        host.ok("tests/work", json!({"key": "k"})).await;
    }
    summary(recorder).await;
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let changed = write(dir.path(), "changing.wasm", changing(plain('a')));
    let mut damaged = lines.clone();
    damaged[2] = &damaged[2][..damaged[2].len() / 2];
    let newer = text.replace("\"format\":1", "\"format\":2");
    for (content, told) in [
        (
            damaged.join("\n") + "\n",
            "the recording: line 3: expected a line of a recording",
        ),
        (
            lines[1..].join("\n") + "\n",
            "the recording: line 1: expected the header",
        ),
        (String::new(), "the recording: line 1: expected the header"),
        (
            "\u{0}\u{1}garbage\n".to_owned(),
            "the recording: line 1: expected the header",
        ),
        (newer, "the recording has format 2"),
        (lines[0].to_owned() + "\n", "no recorded call is of this module"),
        (
            [&text, lines[0], "\n"].concat(),
            "the recording: line 5: a second header",
        ),
    ] {
        let broken = write(dir.path(), "broken.ndjson", &content);
        let check = host.cli(["module", "check", &changed, "--recording", &broken]);
        let checked = check.fails(1).await;
        assert!(checked.stdout.contains(told), "{told}: {checked}");
        let replayed = Cli::new(["replay", &changed, &broken]).fails(2).await;
        assert!(!replayed.stderr.is_empty(), "{told}: {replayed}");
    }
    // The whole lines of an incomplete recording count, and the report says that it is incomplete.
    let cut = write(dir.path(), "cut.ndjson", &text[..text.len() - 5]);
    let checked = host
        .cli(["module", "check", &changed, "--recording", &cut])
        .succeeds()
        .await;
    assert!(checked.stdout.contains("the recording was cut short"), "{checked}");
    let list = admin.list().await;
    assert_eq!(list["generation"], 2, "nothing has gone live");
    host.stop().await;
}

#[tokio::test]
async fn a_recording_that_cannot_begin_is_refused_with_the_reason() {
    let scene = Scene::new().await;
    let (host, dir) = (&scene.host, scene.dir.path());
    let admin = Admin::of(host);
    let kept = write(dir, "kept", "mine");
    let nowhere = at(dir, "no/such/directory/x");
    for (args, told) in [
        (&["record", &*kept][..], "exists"),
        (
            &["record", &nowhere],
            "no/such/directory/x: the recording cannot be created",
        ),
        (&["record", "--stop"], "no recording is being made"),
    ] {
        let refused = host.cli(args).fails(1).await;
        assert!(
            refused.stderr.starts_with("refused: ") && refused.stderr.contains(told),
            "{refused}"
        );
    }
    assert_eq!(fs::read_to_string(&kept).unwrap(), "mine");
    for (fields, told) in [
        (json!({"file": "relative"}), "file: expected an absolute path"),
        (json!({}), "file"),
        (json!({"file": nowhere, "seconds": 5}), "seconds"),
        (json!([]), "body"),
    ] {
        let (status, answer) = admin.post("record", fields.clone()).await;
        assert_eq!(status, 400, "{fields}: {answer}");
        assert!(
            answer["error"]["message"].as_str().unwrap().contains(told),
            "{fields}: {answer}"
        );
    }

    let first = at(dir, "first");
    let recorder = recorder(host, &first, &[]).await;
    let second = host.cli(["record", &at(dir, "second")]).fails(1).await;
    assert!(
        second.stderr.contains(&format!("a recording to {first} is being made")),
        "{second}"
    );
    assert!(!dir.join("second").exists());
    let (status, answer) = admin.post("record", json!({"file": at(dir, "second")})).await;
    assert_eq!(status, 409, "{answer}");
    // Another command stops it. The waiting one notices.
    host.ok("getStorageSpaceInfo", json!({})).await;
    let stopped = host.cli(["record", "--stop"]).succeeds().await;
    assert!(stopped.stdout.starts_with("1 calls recorded, "), "{stopped}");
    let waited = cli::finished(recorder).await;
    assert!(waited.status == 0 && waited.stdout == "null\n", "{waited}");
    assert!(waited.stderr.contains("stopped by somebody else"), "{waited}");
    assert_eq!(admin.get("record").await, (200, Value::Null));
}

#[tokio::test]
async fn a_recording_ends_at_its_bound_and_with_the_server() {
    let scene = Scene::new().await;
    let (host, dir) = (&scene.host, scene.dir.path());
    let admin = Admin::of(host);
    let small = at(dir, "small");
    let (status, begun) = admin.post("record", json!({"file": small, "bytes": 3000})).await;
    assert_eq!((status, &begun["open"]), (200, &json!(true)), "{begun}");
    eventually("it is full", || async {
        host.ok("getStorageSpaceInfo", json!({})).await;
        (admin.get("record").await.1["open"] == false).then_some(())
    })
    .await;
    eventually("its last line is on the disk", || async {
        fs::read_to_string(&small).unwrap().ends_with("}\n").then_some(())
    })
    .await;
    let len = fs::metadata(&small).unwrap().len();
    for _ in 0..5 {
        host.ok("getStorageSpaceInfo", json!({})).await;
    }
    assert_eq!(fs::metadata(&small).unwrap().len(), len, "it grows no more");
    assert!(lines(&small).last().unwrap().get("end").is_some());
    let stopped = host.cli(["record", "--stop", "--json"]).run().await;
    assert_eq!(stopped.json(), lines(&small).last().unwrap()["end"]);

    let open = at(dir, "open");
    admin.post("record", json!({"file": open})).await;
    host.ok("getStorageSpaceInfo", json!({})).await;
    scene.host.stop().await;
    assert_eq!(
        lines(&open).last().unwrap()["end"]["calls"],
        1,
        "a server that stops ends it well"
    );
}

/// Calls of a version on probation or on trial used to be left out silently: for a minute after
/// each swap.
#[tokio::test]
async fn a_call_is_recorded_whichever_version_answers_it() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path().join("data")).start().await;
    let admin = Admin::of(&host);
    let versions = [plain('a'), plain('b'), plain('c').work(Work::Trap)].map(changing);
    let (status, report) = admin
        .upload("swap", &[("changing", &versions[0])], "&probation=0")
        .await;
    assert_eq!(status, 200, "{report}");
    let file = at(dir.path(), "calls.ndjson");
    admin.post("record", json!({"file": file})).await;
    host.ok("tests/label", json!({})).await;
    let (status, canary) = admin
        .upload("canary", &[("changing", &versions[1])], "&percent=100")
        .await;
    assert_eq!(status, 200, "{canary}");
    assert_eq!(host.ok("tests/label", json!({})).await, "b");
    admin.post("modules/abort", json!({"name": "changing"})).await;
    admin.swap(&[("changing", &versions[2])]).await;
    assert_eq!(host.ok("tests/label", json!({})).await, "c");
    // The new version traps, and the one before it answers.
    assert_eq!(host.ok("tests/work", json!({"key": "k"})).await, 1);
    host.cli(["record", "--stop"]).succeeds().await;
    let lines = lines(&file);
    let calls = lines.iter().filter_map(|line| line.get("call"));
    let answered: Vec<_> = calls
        .map(|call| (call["function"].as_str().unwrap(), call["version"].as_str().unwrap()))
        .collect();
    let versions = versions.map(|bytes| version(&bytes));
    let expected = [("label", 0), ("label", 1), ("label", 2), ("work", 0)];
    assert_eq!(answered, expected.map(|(function, n)| (function, versions[n].as_str())));
    host.stop().await;
}
