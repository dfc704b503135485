//! A server on a unix socket.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;

use http::Request;
use http::header::{CONTENT_TYPE, HOST};
use http_body_util::Full;
use serde_json::{Value, json};
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::wait::within;
use stowage_tests::wire::{self, Reply};
use tokio::net::UnixStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Error;

fn launch(dir: &Path, socket: &Path) -> Launch {
    Launch::new(dir.join("data")).listen(format!("unix:{}", socket.display()))
}

async fn send(socket: &Path, host: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::post("/getStorageSpaceInfo")
        .header(HOST, host)
        .header(CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let stream = UnixStream::connect(socket).await.unwrap();
    let request = request.body(Full::from("{}")).unwrap();
    within("an answer", wire::exchange(stream, request)).await.unwrap()
}

#[tokio::test]
async fn clients_and_commands_talk_through_the_socket() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("stowage.sock");
    let host = launch(dir.path(), &socket).start().await;
    assert_eq!(host.url(), format!("unix:{}", socket.display()));
    let found = fs::metadata(&socket).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    for (name, status) in [
        ("localhost", 200),
        ("LOCALHOST", 200),
        ("localhost:80", 421),
        ("evil.example", 421),
    ] {
        assert_eq!(send(&socket, name, &[]).await.status, status, "{name}");
    }
    for origin in ["https://evil.example", "null"] {
        assert_eq!(
            send(&socket, "localhost", &[("origin", origin)]).await.status,
            403,
            "{origin}"
        );
    }
    let stream = UnixStream::connect(&socket).await.unwrap();
    let request = Request::builder()
        .uri("ws://localhost/ws")
        .header(HOST, "localhost")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    within("the websocket", client_async(request.body(()).unwrap(), stream))
        .await
        .unwrap();

    for args in [&["call", "getStorageSpaceInfo"][..], &["module", "list"]] {
        let output = host.cli(args).run().await;
        assert_eq!(output.status, 0, "{output}");
    }
    let named = ["call", "getStorageSpaceInfo", "--server", host.url()];
    assert_eq!(host.cli(named).run().await.status, 0);
    let console = host.cli(["console", "--json"]).run().await;
    assert!(
        console.status != 0 && console.stderr.contains("--listen ADDRESS:PORT"),
        "{console}"
    );
    let doctor = host.cli(["doctor", "--json", "--listen", host.url()]).run().await;
    let checks: Value = serde_json::from_str(&doctor.stdout).unwrap();
    let checks = checks["checks"].as_array().unwrap();
    for id in ["port", "server"] {
        let check = checks.iter().find(|check| check["id"] == id).unwrap();
        assert_eq!(check["outcome"], "ok", "{check}");
    }
    host.stop().await;
    assert!(!socket.exists(), "the server removes its socket");
}

#[tokio::test]
async fn a_token_is_asked_for_if_it_is_set() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let _host = launch(dir.path(), &socket).args(["--token", "secret"]).start().await;
    assert_eq!(send(&socket, "localhost", &[]).await.status, 401);
    let right = [("authorization", "Bearer secret")];
    assert_eq!(send(&socket, "localhost", &right).await.status, 200);
    let stream = UnixStream::connect(&socket).await.unwrap();
    let request = Request::builder()
        .uri("ws://localhost/ws")
        .header(HOST, "localhost")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let refused = within("the websocket", client_async(request.body(()).unwrap(), stream)).await;
    assert!(matches!(refused, Err(Error::Http(response)) if response.status() == 401));
}

async fn is_served(host: &TestHost) {
    host.cli(["call", "getStorageSpaceInfo"]).succeeds().await;
}

#[tokio::test]
async fn the_socket_of_a_dead_server_is_replaced_and_that_of_a_live_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("stowage.sock");
    let host = launch(dir.path(), &socket).start().await;
    let other = Launch::new(dir.path().join("other")).listen(host.url());
    let refused = other.refused().await;
    assert!(refused.stderr.contains("another server listens there"), "{refused}");
    is_served(&host).await;
    let launch = host.kill().await;
    assert!(socket.exists(), "a killed server leaves it");
    let host = launch.start().await;
    is_served(&host).await;
}

/// The socket is made under a temporary name: a dot and the number of the process, as far as the
/// name of the socket is long.
#[tokio::test]
async fn a_file_with_the_temporary_name_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let files: Vec<_> = (1..10).map(|digit| dir.path().join(format!(".{digit}"))).collect();
    for file in &files {
        fs::write(file, "mine").unwrap();
    }
    let refused = launch(dir.path(), &dir.path().join("s")).refused().await;
    assert!(refused.stderr.contains("is in the way"), "{refused}");
    for file in &files {
        assert_eq!(fs::read_to_string(file).unwrap(), "mine");
    }
}

#[tokio::test]
async fn a_socket_that_cannot_be_made_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, json!({}).to_string()).unwrap();
    let long = dir.path().join("x".repeat(120));
    for (socket, said) in [
        (file, "no socket"),
        (long, "at most 107 bytes"),
        (dir.path().join("nothing/s"), "make it first"),
    ] {
        let refused = launch(dir.path(), &socket).refused().await;
        assert!(refused.stderr.contains(said), "{said}: {refused}");
    }
}
