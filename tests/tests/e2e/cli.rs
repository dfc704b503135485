//! The command line against a running server.

use serde_json::json;
use stowage_tests::cli::Cli;
use stowage_tests::document::squeezed;
use stowage_tests::feed::Feed;
use stowage_tests::fixture::stored_file;
use stowage_tests::scene::Scene;

#[tokio::test]
async fn call_finds_the_server_by_its_data_directory() {
    let scene = Scene::new().await;
    let data = scene.host.data().to_owned();
    let create = || Cli::new(["call", "createImFavoriteFolder", r#"{"name":"图片"}"#, "--json"]).data(&data);
    let answer = create().succeeds().await.json();
    assert_eq!(answer, json!({"code": 200, "message": null, "data": true}));
    let refused = create().run().await;
    assert_ne!(refused.status, 0, "a refusal is a failure to scripts");
    assert_eq!(refused.json()["code"], 60002);
    scene.host.stop().await;
    let failed = Cli::new(["call", "getStorageSpaceInfo"]).data(&data).run().await;
    assert_ne!(failed.status, 0);
    assert!(!failed.stderr.is_empty());
}

/// Both used to print members in alphabetical order, which nobody chose.
#[tokio::test]
async fn answers_and_rows_keep_the_order_they_came_in() {
    let mut hash = String::new();
    let scene = Scene::with(|space| {
        hash = space.blob(b"a file");
        space.row("storage-files", &stored_file(&hash, "a.bin", 6, 1));
    })
    .await;
    let host = &scene.host;
    let reply = host.post("/getStorageSpaceInfo", "{}").await;
    let sent = std::str::from_utf8(&reply.body).unwrap().to_owned();
    assert!(sent.find("storageSize") < sent.find("remainingScale"), "{sent}");
    let call = ["call", "getStorageSpaceInfo"];
    let shown = host.cli(call).run().await.stdout;
    assert!(
        shown.starts_with("{\n  \"code\": 200,\n  \"message\": null,\n  \"data\": {\n    \"storageSize\""),
        "{shown}"
    );
    assert_eq!(squeezed(&shown), squeezed(&sent));
    assert_eq!(host.cli(call).args(["--json"]).run().await.stdout, sent + "\n");

    let watch = host
        .cli(["watch", "--json", "--direction", "download", "--platform", "3"])
        .spawn();
    let mut feed = Feed::follow(host, "order", 1, 3, None).await;
    host.ok("downloadStorageFileTask", json!({"hash": hash, "platform": 3}))
        .await;
    feed.row(&hash, 4).await;
    let whole = Feed::follow(host, "whole", 1, 3, None).await.next_text().await;
    let last = watch
        .until_printed("the row of the end", |rows| {
            rows.iter().find(|row| row.contains("\"status\":4")).cloned()
        })
        .await;
    assert!(last.starts_with("{\"id\":"), "{last}");
    assert!(whole.contains(&last), "{last} is a row of {whole}");
}

#[tokio::test]
async fn the_help_lists_the_commands() {
    let help = Cli::new(["--help"]).succeeds().await.stdout;
    for command in ["serve", "call", "watch", "space"] {
        assert!(help.contains(command), "{help}");
    }
    Cli::new(["--version"]).succeeds().await;
    assert_ne!(Cli::new(["no-such-command"]).run().await.status, 0);
}
