//! The command line against a running server.

use serde_json::{Value, json};
use stowage_tests::host::{Scene, run};

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
