//! The command line against a running server.

use std::process::Stdio;

use serde_json::{Value, json};
use stowage_tests::document::squeezed;
use stowage_tests::feed::Feed;
use stowage_tests::fixture::stored_file;
use stowage_tests::host::{Scene, command, run};
use stowage_tests::wait::within;
use tokio::io::{AsyncBufReadExt as _, BufReader};

#[tokio::test]
async fn call_finds_the_server_by_its_data_directory() {
    let scene = Scene::new().await;
    let data = scene.host.data().display().to_string();
    let output = run([
        "call",
        "createImFavoriteFolder",
        r#"{"name":"图片"}"#,
        "--data",
        &data,
        "--json",
    ])
    .await;
    assert!(output.status.success(), "{output:?}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer, json!({"code": 200, "message": null, "data": true}));
    let output = run([
        "call",
        "createImFavoriteFolder",
        r#"{"name":"图片"}"#,
        "--data",
        &data,
        "--json",
    ])
    .await;
    assert!(!output.status.success(), "a refusal is a failure to scripts");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["code"], 60002);
    scene.host.stop().await;
    let output = run(["call", "getStorageSpaceInfo", "--data", &data]).await;
    assert!(!output.status.success());
    assert!(!output.stderr.is_empty() && !String::from_utf8_lossy(&output.stderr).contains("panicked"));
}

/// Both used to print members in the order of the alphabet, which is nobody's.
#[tokio::test]
async fn answers_and_rows_keep_the_order_they_came_in() {
    let mut hash = String::new();
    let scene = Scene::with(|space| {
        hash = space.blob(b"a file");
        space.row("storage-files", &stored_file(&hash, "a.bin", 6, 1));
    })
    .await;
    let data = scene.host.data().display().to_string();
    let reply = scene.host.post("/getStorageSpaceInfo", "{}").await;
    let sent = std::str::from_utf8(&reply.body).unwrap().to_owned();
    assert!(sent.find("storageSize") < sent.find("remainingScale"), "{sent}");
    let call = ["call", "getStorageSpaceInfo", "--data", &data];
    let shown = run(call).await.stdout;
    let shown = std::str::from_utf8(&shown).unwrap();
    assert!(
        shown.starts_with("{\n  \"code\": 200,\n  \"message\": null,\n  \"data\": {\n    \"storageSize\""),
        "{shown}"
    );
    assert_eq!(squeezed(shown), squeezed(&sent));
    let json = run([&call[..], &["--json"]].concat()).await.stdout;
    assert_eq!(std::str::from_utf8(&json).unwrap(), sent + "\n");

    let mut watch = command([
        "watch",
        "--json",
        "--direction",
        "download",
        "--platform",
        "3",
        "--data",
        &data,
    ])
    .stdout(Stdio::piped())
    .spawn()
    .unwrap();
    let mut rows = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut feed = Feed::follow(&scene.host, "order", 1, 3, None).await;
    scene
        .host
        .ok("downloadStorageFileTask", json!({"hash": hash, "platform": 3}))
        .await;
    feed.row(&hash, 4).await;
    let whole = Feed::follow(&scene.host, "whole", 1, 3, None).await.next_text().await;
    let last = within("the row of the end", async {
        loop {
            let row = rows.next_line().await.unwrap().expect("it goes on");
            if row.contains("\"status\":4") {
                return row;
            }
        }
    })
    .await;
    assert!(last.starts_with("{\"id\":"), "{last}");
    assert!(whole.contains(&last), "{last} is a row of {whole}");
    watch.kill().await.unwrap();
}

#[tokio::test]
async fn the_program_tells_what_it_can_do() {
    let output = run(["--help"]).await;
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    for command in ["serve", "call", "watch", "space"] {
        assert!(text.contains(command), "{text}");
    }
    assert!(run(["--version"]).await.status.success());
    assert!(!run(["no-such-command"]).await.status.success());
}
