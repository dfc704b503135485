//! `stowage module` against a running server: what it prints and how it ends.

use std::path::Path;

use serde_json::json;
use stowage_tests::admin::Admin;
use stowage_tests::cli::{Cli, CliOutput};
use stowage_tests::fixture;
use stowage_tests::host::TestHost;
use stowage_tests::modules::{module, module_file, variant, version};
use stowage_tests::scene::Scene;

/// `stowage module ARGS` on a server's data directory.
fn module_cli(data: &Path, args: &[&str]) -> Cli {
    Cli::new(["module"]).args(args).data(data)
}

async fn done(host: &TestHost, args: &[&str]) -> CliOutput {
    module_cli(host.data(), args).succeeds().await
}

/// The path of a new file with these bytes.
fn file(dir: &Path, name: &str, bytes: &[u8]) -> String {
    fixture::file(dir, name, bytes).display().to_string()
}

#[tokio::test]
async fn modules_are_listed_checked_swapped_and_rolled_back() {
    let scene = Scene::new().await;
    let host = &scene.host;
    let admin = Admin::of(host);
    let first = admin.generation().await;
    let next = variant(&module("favorites"), "next");
    let next_file = file(scene.dir.path(), "favorites.wasm", &next);

    let list = done(host, &["list"]).await.stdout;
    let head = format!("generation {first}");
    assert_eq!(list.lines().next(), Some(head.as_str()));
    for word in ["favorites", "built-in", &version(&module("common"))[..12], "P99"] {
        assert!(list.contains(word), "{word}: {list}");
    }
    assert_eq!(done(host, &["list", "--json"]).await.json()["generation"], first);

    let check = done(host, &["check", &next_file]).await.stdout;
    assert!(
        check.starts_with(&format!("check of favorites {}: passed", &version(&next)[..12])),
        "{check}"
    );
    let check = module_cli(host.data(), &["check", &next_file, "--name", "common", "--json"]);
    assert_eq!(
        check.fails(1).await.json()["passed"],
        false,
        "it has none of common's functions"
    );
    let swap = done(host, &["swap", &next_file]).await.stdout;
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
    let history = done(host, &["history"]).await.stdout;
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
    let common = file(scene.dir.path(), "x.wasm", &variant(&module("common"), "x"));
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
    // No other module serves its methods.
    module_cli(host.data(), &["unload", "probe"]).fails(1).await;
    let unloaded = done(host, &["unload", "probe", "--force"]).await.stdout;
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
    let candidate = file(scene.dir.path(), "c.wasm", &variant(&module("favorites"), "c"));
    let args = [
        "canary",
        "favorites",
        &candidate,
        "--percent",
        "50",
        "--method",
        "getImFavoriteFolders",
    ];
    let begun = done(host, &args).await.stdout;
    assert!(
        begun.starts_with("canary ") && begun.contains("module promote favorites"),
        "{begun}"
    );
    let list = done(host, &["list"]).await.stdout;
    assert!(
        list.contains("\n  canary ") && list.contains("50 % of getImFavoriteFolders"),
        "{list}"
    );
    let changed = done(host, &["canary", "favorites", "--percent", "12.5"]).await.stdout;
    assert!(changed.contains("12.5 %"), "{changed}");
    let json = done(host, &["canary", "favorites", "--percent", "25", "--json"])
        .await
        .json();
    assert_eq!(
        (&json["percent"], &json["methods"]),
        (&json!(25.0), &json!(["getImFavoriteFolders"]))
    );
    for wrong in [
        &["canary", "favorites"][..],
        &["canary", "favorites", "--percent", "5", "--max-faults", "9"],
        &["canary", "favorites", "--percent", "5", "--method", "x"],
        &["canary", "favorites", "--percent", "5", "--force"],
    ] {
        module_cli(host.data(), wrong).fails(2).await;
    }
    assert_eq!(done(host, &["abort", "favorites", "--json"]).await.json(), json!({}));
    module_cli(host.data(), &["canary", "favorites", "--percent", "5"])
        .fails(1)
        .await;
    assert!(!done(host, &["list"]).await.stdout.contains("canary"));
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
async fn a_refusal_of_the_server_is_exit_status_1_and_another_error_2() {
    let scene = Scene::new().await;
    let data = scene.host.data().to_owned();
    let bad = file(scene.dir.path(), "favorites.wasm", b"no module");
    let refused = module_cli(&data, &["check", &bad]).fails(1).await;
    assert!(
        refused.stdout.contains("FAIL") && refused.stdout.contains(": failed"),
        "{refused}"
    );
    let refused = module_cli(&data, &["check", &bad, "--json"]).fails(1).await;
    assert_eq!(refused.json()["passed"], false);
    let refused = module_cli(&data, &["swap", &bad]).fails(1).await;
    assert_eq!(refused.stdout, "");
    assert!(
        refused.stderr.contains("FAIL") && refused.stderr.contains("refused: "),
        "{refused}"
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
        let refused = module_cli(&data, args).fails(1).await;
        assert_eq!(refused.stdout, "", "{refused}");
        assert!(refused.stderr.starts_with("refused: "), "{refused}");
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
        let failed = module_cli(data, args).fails(2).await;
        assert_eq!(failed.stdout, "", "{failed}");
        assert!(!failed.stderr.is_empty(), "{failed}");
    }
    let token = Admin::of(&scene.host).token().to_owned();
    let server = format!("http://{}", scene.host.address());
    let list = ["list", "--server", &server, "--admin-token", &token];
    module_cli(&nowhere, &list).succeeds().await;
    scene.host.stop().await;
    let gone = module_cli(&data, &["list"]).fails(2).await;
    assert!(gone.stderr.contains("stowage serve"), "it says what to do: {gone}");
}
