//! Files in a web page: with `fetch`, and with tus-js-client.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use stowage_tests::browser::PageServer;
use stowage_tests::scene::Scene;
use stowage_tests::tools::needed;
use stowage_tests::wait::within_time;
use tokio::process::Command;

/// The client of tus that most pages use.
const TUS_CLIENT: &str = "tus-js-client@4.3.1";

const PAGE: &str = include_str!("files_in_browser.html");

/// The script of tus-js-client from the registry of npm. `None` if npm is missing or cannot get it.
async fn tus_client(dir: &Path) -> Option<Vec<u8>> {
    let npm = needed("npm", "an upload with tus-js-client")?;
    let mut command = Command::new(npm);
    command
        .args(["pack", "--silent", TUS_CLIENT])
        .current_dir(dir)
        .kill_on_drop(true);
    let patience = std::time::Duration::from_secs(120);
    let packed = within_time(patience, "npm pack", command.output()).await.ok()?;
    let name = String::from_utf8_lossy(&packed.stdout).trim().to_owned();
    if !packed.status.success() {
        eprintln!("SKIPPED: an upload with tus-js-client, because npm cannot get it");
        return None;
    }
    let mut tar = Command::new("tar");
    tar.args(["-xzf", &name, "package/dist/tus.min.js"]).current_dir(dir);
    assert!(tar.status().await.unwrap().success());
    fs::read(dir.join("package/dist/tus.min.js")).ok()
}

/// What a page finds that uses the server, from an allowed origin or another one.
async fn opened(allowed: bool) -> Option<Value> {
    let dir = tempfile::tempdir().unwrap();
    let script = tus_client(dir.path()).await;
    let has_client = script.is_some();
    let mut page = PageServer::start(PAGE.to_owned(), script.unwrap_or_default()).await;
    let origin = match allowed {
        true => page.origin(),
        false => "http://other.example".to_owned(),
    };
    let scene = Scene::launched(|_| {}, |launch| launch.args(["--allow-origin", &origin])).await;
    let query = format!("server=http://{}&client={has_client}", scene.host.address());
    let result = page.open(&query, "files in a browser").await?;
    if has_client && allowed {
        assert_eq!(result["client"], json!("stored and read back"), "{result}");
    }
    Some(result)
}

#[tokio::test]
async fn a_page_sends_files_and_gets_them_back() {
    let Some(result) = opened(true).await else { return };
    assert_eq!(result["put"], "stored and read back", "{result}");
    assert_eq!(result["tus"], "stored and read back", "{result}");
    assert_eq!(result["range"], "206 bytes 10-19/3000000 true", "{result}");
    assert_eq!(
        result["disposition"],
        "attachment; filename=\"__.bin\"; filename*=UTF-8''%E7%85%A7%E7%89%87.bin"
    );
}

#[tokio::test]
async fn a_page_of_another_origin_can_send_and_read_nothing() {
    let Some(result) = opened(false).await else { return };
    for part in ["put", "tus", "range"] {
        assert_eq!(result[part], "TypeError: Failed to fetch", "{result}");
    }
}
