//! `stowage module` against a running server: what it prints and how it ends.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stowage_tests::admin::{Admin, module, module_file, variant, version};
use stowage_tests::host::{Scene, TestHost, run};

/// What a command printed and how it ended.
struct Ran {
    status: i32,
    out: String,
    err: String,
}

impl Ran {
    /// What was printed, as JSON on one line.
    fn json(&self) -> Value {
        assert_eq!(self.out.lines().count(), 1, "{}", self.out);
        serde_json::from_str(&self.out).unwrap()
    }
}

/// Runs `stowage module ARGS --data DATA`.
async fn ran(data: &Path, args: &[&str]) -> Ran {
    let data = data.display().to_string();
    let output = run([&["module"], args, &["--data", &data]].concat()).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let ran = Ran {
        status: output.status.code().unwrap(),
        out: text(output.stdout),
        err: text(output.stderr),
    };
    assert!(!ran.err.contains("panicked"), "{args:?}: {}", ran.err);
    ran
}

async fn done(host: &TestHost, args: &[&str]) -> Ran {
    let ran = ran(host.data(), args).await;
    assert_eq!(ran.status, 0, "{args:?}: {} {}", ran.out, ran.err);
    ran
}

/// A file with these bytes.
fn file(dir: &Path, name: &str, bytes: &[u8]) -> (PathBuf, String) {
    let path = dir.join(name);
    fs::write(&path, bytes).unwrap();
    let text = path.display().to_string();
    (path, text)
}

#[tokio::test]
async fn modules_are_listed_checked_swapped_and_rolled_back() {
    let scene = Scene::new().await;
    let host = &scene.host;
    let admin = Admin::of(host);
    let first = admin.generation().await;
    let next = variant(&module("favorites"), "next");
    let (_, next_file) = file(scene.dir.path(), "favorites.wasm", &next);

    let list = done(host, &["list"]).await.out;
    let head = format!("generation {first}");
    assert_eq!(list.lines().next(), Some(head.as_str()));
    for word in ["favorites", "built-in", &version(&module("common"))[..12], "P99"] {
        assert!(list.contains(word), "{word}: {list}");
    }
    assert_eq!(done(host, &["list", "--json"]).await.json()["generation"], first);

    let check = done(host, &["check", &next_file]).await.out;
    assert!(
        check.starts_with(&format!("check of favorites {}: passed", &version(&next)[..12])),
        "{check}"
    );
    let check = ran(host.data(), &["check", &next_file, "--name", "common", "--json"]).await;
    assert_eq!(
        (check.status, &check.json()["passed"]),
        (1, &json!(false)),
        "it has none of common's functions"
    );
    let swap = done(host, &["swap", &next_file]).await.out;
    assert!(
        swap.contains(&format!("\nlive: generation {}, switched in ", first + 1)),
        "{swap}"
    );
    assert_eq!(admin.module("favorites").await.unwrap()["source"], next_file);
    let again = done(host, &["swap", &format!("favorites={next_file}"), "--json"])
        .await
        .json();
    assert_eq!(
        (&again["unchanged"], &again["generation"]),
        (&json!(true), &json!(first + 1))
    );

    let back = done(host, &["rollback", "--json"]).await.json();
    assert_eq!(back["generation"], first + 2);
    assert_eq!(admin.version("favorites").await, Some(version(&module("favorites"))));
    done(host, &["rollback", "--to", &(first + 1).to_string()]).await;
    assert_eq!(admin.version("favorites").await, Some(version(&next)));

    let history = done(host, &["history", "--limit", "2", "--json"]).await.json();
    assert_eq!(history["history"].as_array().unwrap().len(), 2);
    assert_eq!(history["history"][0]["action"], "rollback");
    let history = done(host, &["history"]).await.out;
    assert!(history.starts_with("GENERATION  AT"), "{history}");
    assert!(
        history.contains(&format!("+favorites {}", &version(&next)[..12])),
        "{history}"
    );
}

#[tokio::test]
async fn several_modules_are_swapped_together_and_one_is_unloaded() {
    let scene = Scene::new().await;
    let host = &scene.host;
    let admin = Admin::of(host);
    let first = admin.generation().await;
    let (_, common) = file(scene.dir.path(), "x.wasm", &variant(&module("common"), "x"));
    let probe = module_file("probe").display().to_string();
    let swap = done(
        host,
        &[
            "swap",
            &format!("common={common}"),
            &probe,
            "--probation",
            "0",
            "--json",
        ],
    )
    .await;
    assert_eq!(swap.json()["generation"], first + 1);
    assert_eq!(host.ok("tests/increment", json!({"key": "a"})).await, 1);
    assert_eq!(
        ran(host.data(), &["unload", "probe"]).await.status,
        1,
        "nobody else serves its methods"
    );
    let unloaded = done(host, &["unload", "probe", "--force"]).await.out;
    assert!(
        unloaded.contains(&format!("live: generation {}", first + 2)),
        "{unloaded}"
    );
    assert_eq!(host.code("tests/read", json!({"key": "a"})).await, 300);
}

#[tokio::test]
async fn a_canary_is_begun_listed_and_ended() {
    let scene = Scene::new().await;
    let host = &scene.host;
    let (_, candidate) = file(scene.dir.path(), "c.wasm", &variant(&module("favorites"), "c"));
    let args = [
        "canary",
        "favorites",
        &candidate,
        "--percent",
        "50",
        "--method",
        "getImFavoriteFolders",
    ];
    let begun = done(host, &args).await.out;
    assert!(
        begun.starts_with("canary ") && begun.contains("module promote favorites"),
        "{begun}"
    );
    let list = done(host, &["list"]).await.out;
    assert!(
        list.contains("\n  canary ") && list.contains("50 % of getImFavoriteFolders"),
        "{list}"
    );
    assert_eq!(done(host, &["abort", "favorites", "--json"]).await.json(), json!({}));
    assert!(!done(host, &["list"]).await.out.contains("canary"));
    done(host, &args[..3]).await;
    let live = done(
        host,
        &[
            "promote",
            "favorites",
            "--max-faults",
            "9",
            "--max-errors",
            "1.5",
            "--json",
        ],
    )
    .await;
    assert_eq!(live.json()["unchanged"], false);
    let status = Admin::of(host).module("favorites").await.unwrap();
    assert_eq!(
        status["probation"]["thresholds"],
        json!({"faults": 9, "errorsPercent": 1.5, "errors": 5})
    );
}

#[tokio::test]
async fn what_the_server_refuses_ends_with_1_and_what_is_wrong_here_with_2() {
    let scene = Scene::new().await;
    let data = scene.host.data().to_owned();
    let (_, bad) = file(scene.dir.path(), "favorites.wasm", b"no module");
    let refused = ran(&data, &["check", &bad]).await;
    assert_eq!(refused.status, 1, "{}", refused.err);
    assert!(
        refused.out.contains("FAIL") && refused.out.contains(": failed"),
        "{}",
        refused.out
    );
    assert_eq!(ran(&data, &["check", &bad, "--json"]).await.json()["passed"], false);
    let refused = ran(&data, &["swap", &bad]).await;
    assert_eq!((refused.status, refused.out.as_str()), (1, ""));
    assert!(
        refused.err.contains("FAIL") && refused.err.contains("refused: "),
        "{}",
        refused.err
    );
    for args in [
        &["abort", "favorites"][..],
        &["promote", "favorites"],
        &["unload", "no-such-module"],
        &["unload", "favorites"],
        &["rollback", "--to", "999999"],
        &["shadow", "favorites", "--report"],
        &["swap", &format!("a b={bad}")],
    ] {
        let refused = ran(&data, args).await;
        assert_eq!(
            (refused.status, refused.out.as_str()),
            (1, ""),
            "{args:?}: {}",
            refused.err
        );
        assert!(refused.err.starts_with("refused: "), "{args:?}: {}", refused.err);
    }

    let nowhere = scene.dir.path().join("nowhere");
    for (data, args) in [
        (&data, &["swap"][..]),
        (&data, &["swap", "/no/such/file.wasm"]),
        (&data, &["check", &bad, "--recording", "/no/such/file"]),
        (&data, &["swap", &bad, "--probation", "-1"]),
        (&data, &["canary", "favorites", &bad, "--percent", "0"]),
        (&data, &["shadow", "favorites"]),
        (&data, &["history", "--limit", "0"]),
        (&data, &["no-such-command"]),
        (&data, &["list", "--admin-token", "wrong"]),
        (&data, &["swap", &bad, "--admin-token", "wrong"]),
        (&data, &["list", "--server", "http://127.0.0.1:1"]),
        (&data, &["list", "--server", "http://127.0.0.1:1", "--admin-token", "x"]),
        (&nowhere, &["list"]),
    ] {
        let failed = ran(data, args).await;
        assert_eq!(
            (failed.status, failed.out.as_str()),
            (2, ""),
            "{args:?}: {}",
            failed.err
        );
        assert!(!failed.err.is_empty(), "{args:?}");
    }
    let token = Admin::of(&scene.host).token().to_owned();
    let server = format!("http://{}", scene.host.address());
    let found = ran(&nowhere, &["list", "--server", &server, "--admin-token", &token]).await;
    assert_eq!(found.status, 0, "{}", found.err);
    scene.host.stop().await;
    let gone = ran(&data, &["list"]).await;
    assert_eq!(gone.status, 2);
    assert!(gone.err.contains("stowage serve"), "it says what to do: {}", gone.err);
}
