//! Starts, stops, and what survives them.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;
use stowage_tests::cli::Cli;
use stowage_tests::fixture::favorite_folder;
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::modules::{module, module_file, variant, version};
use stowage_tests::scene::Scene;
use stowage_tests::wait::{eventually, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_call_in_flight_is_answered_after_sigterm() {
    let mut scene = Scene::new().await;
    let address = scene.host.address();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = br#"{"name":"the last one"}"#;
    let head = format!(
        "POST /createImFavoriteFolder HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body: the call is in flight.
    let mut answer = vec![0; 25];
    within("the interim answer", stream.read_exact(&mut answer))
        .await
        .unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 100"),
        "{:?}",
        String::from_utf8_lossy(&answer)
    );
    scene.host.terminate();
    eventually("the server accepts nothing more", || async {
        TcpStream::connect(address).await.is_err().then_some(())
    })
    .await;
    stream.write_all(body).await.unwrap();
    let mut rest = String::new();
    within("the answer", stream.read_to_string(&mut rest)).await.unwrap();
    assert!(rest.contains(r#"{"code":200,"message":null,"data":true}"#), "{rest}");
    assert!(scene.host.ended().await.success());
}

#[tokio::test]
async fn calls_during_a_stop_are_answered_or_refused() {
    let scene = Scene::new().await;
    let address = scene.host.address();
    let calls = (0..60).map(|n| async move {
        let body = json!({"name": format!("folder {n}")}).to_string();
        let request = stowage_tests::wire::post(address, "/createImFavoriteFolder", body);
        match stowage_tests::wire::try_send(address, request).await {
            Ok(reply) => Some((n, reply.code())),
            Err(_) => None,
        }
    });
    let (answered, launch) = tokio::join!(futures_util::future::join_all(calls), scene.host.stop());
    let host = launch.start().await;
    let rows = host
        .ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 1000}))
        .await;
    for (n, code) in answered.into_iter().flatten() {
        assert_eq!(code, 200);
        let name = format!("folder {n}");
        assert!(
            rows.as_array().unwrap().iter().any(|row| row["name"] == name.as_str()),
            "{name} was acknowledged"
        );
    }
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let scene = Scene::with(|space| {
        space.row("favorite-folders", &favorite_folder("f", "from the space", 1));
    })
    .await;
    scene
        .host
        .ok("createImFavoriteFolder", json!({"name": "made here"}))
        .await;
    let page = json!({"page": 1, "pageSize": 10});
    let before = scene.host.ok("getImFavoriteFolders", page.clone()).await;
    let data = scene.host.data().to_owned();
    assert!(data.join("server.json").exists());
    let launch = scene.host.stop().await;
    assert!(
        !data.join("server.json").exists(),
        "who looks for the server finds that there is none"
    );
    let host = launch.start().await;
    assert_eq!(host.ok("getImFavoriteFolders", page.clone()).await, before);
    let host = host.kill().await.start().await;
    assert_eq!(host.ok("getImFavoriteFolders", page).await, before, "after kill -9 too");
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused() {
    let scene = Scene::new().await;
    let refused = Launch::new(scene.host.data()).refused().await;
    let data = scene.host.data().display().to_string();
    assert!(
        refused.stderr.contains(&data) && refused.stderr.contains("in use by another process"),
        "{refused}"
    );
    scene.host.init().await;
}

#[tokio::test]
async fn a_wrong_setting_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let file = dir.path().join("stowage.toml");
    for (toml, named) in [
        ("no-such-key = 1", "no-such-key"),
        ("max_calls = 1", "max_calls"),
        ("listen = \"nowhere\"", "listen"),
        ("reuse = -1", "reuse"),
        ("cpu-ms = \"5s\"", "cpu-ms"),
        ("[section]\nx = 1", "section"),
        ("not toml", "stowage.toml"),
    ] {
        fs::write(&file, toml).unwrap();
        let serve = Cli::new(["serve", "--config", file.to_str().unwrap()]).data(&data);
        let refused = serve.run().await;
        assert!(
            refused.status != 0 && refused.stderr.contains(named),
            "{toml}: {refused}"
        );
        assert!(refused.stderr.contains("stowage.toml"), "{toml}: {refused}");
    }
    for (args, named) in [
        (vec!["--no-such-flag"], "--no-such-flag"),
        (vec!["--listen", "nowhere"], "--listen"),
        (vec!["--max-calls", "many"], "--max-calls"),
        (vec!["--config", "/no/such/file.toml"], "/no/such/file.toml"),
        (vec!["--space", "nowhere"], "nowhere"),
        (vec!["--space", "file:///no/such/space"], "/no/such/space"),
        (
            vec!["--modules", "/no/such/modules"],
            "--modules: the module directory /no/such/modules",
        ),
        (vec!["--space", "ftp://x"], "--space ftp://x"),
        (vec!["--allow-host", "http://x"], "--allow-host \"http://x\""),
    ] {
        let mut serve = Cli::new(["serve"]).data(&data).args(&args);
        // A flag given twice is another error.
        if args[0] != "--listen" {
            serve = serve.args(["--listen", "127.0.0.1:0"]);
        }
        let refused = serve.run().await;
        assert!(refused.status != 0 && refused.stderr.contains(named), "{refused}");
        assert!(refused.stdout.is_empty(), "{refused}");
    }
    let serve = Cli::new(["serve"]).data(&data).env("STOWAGE_MAX_CALLS", "many");
    let refused = serve.run().await;
    assert!(
        refused.status != 0 && refused.stderr.contains("--max-calls") && refused.stderr.contains("STOWAGE_MAX_CALLS"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_variable_that_is_no_setting_is_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path()).env("STOWAGE_LISEN", "x").start().await;
    let log = host.log();
    let line = log
        .lines()
        .find(|line| line.contains("STOWAGE_LISEN"))
        .unwrap_or_default();
    assert!(
        line.contains("WARN") && line.contains("no setting is called STOWAGE_LISEN;"),
        "{log}"
    );
}

#[tokio::test]
async fn settings_come_from_flags_then_the_environment_then_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("stowage.toml");
    fs::write(&file, "token = \"file\"\nallow-origin = [\"https://a.example\"]\n").unwrap();
    let config = file.to_str().unwrap();
    let status = async |launch: Launch, token: &str| {
        let host = launch.start().await;
        let request = stowage_tests::wire::request(http::Method::POST, host.address(), "/getImFavoriteFolders")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"));
        let body = http_body_util::Full::from(r#"{"page":1,"pageSize":1}"#);
        let status = stowage_tests::wire::send(host.address(), request.body(body).unwrap())
            .await
            .status;
        host.stop().await;
        status
    };
    let launch = || Launch::new(dir.path().join("data")).args(["--config", config]);
    assert_eq!(status(launch(), "file").await, 200);
    assert_eq!(status(launch().env("STOWAGE_TOKEN", "env"), "file").await, 401);
    assert_eq!(status(launch().env("STOWAGE_TOKEN", "env"), "env").await, 200);
    assert_eq!(
        status(launch().env("STOWAGE_TOKEN", "env").args(["--token", "flag"]), "flag").await,
        200
    );
}

#[tokio::test]
async fn modules_of_a_directory_are_served_next_to_the_built_in_ones() {
    let dir = tempfile::tempdir().unwrap();
    let modules = dir.path().join("modules");
    fs::create_dir(&modules).unwrap();
    fs::copy(module_file("probe"), modules.join("probe.wasm")).unwrap();
    fs::write(modules.join("README"), "no module").unwrap();
    let launch = |data: &str| Launch::new(dir.path().join(data)).args(["--modules", modules.to_str().unwrap()]);
    let host = launch("data").args(["--cpu-ms", "200"]).start().await;
    assert_eq!(host.ok("tests/countCalls", json!({})).await, 1);
    let (spun, _) = tokio::join!(host.call("tests/spin", json!({})), host.init());
    assert_eq!(spun["code"], 500, "{spun}");
    let id = spun["message"].as_str().unwrap().rsplit(' ').next().unwrap().to_owned();
    assert!(host.log().contains(&id), "the log tells of call {id}: {}", host.log());
    assert_eq!(host.code("tests/trap", json!({})).await, 500);
    assert_eq!(host.ok("tests/countCalls", json!({})).await, 1);
    let host = host.restart().await;
    assert_eq!(host.ok("tests/countCalls", json!({})).await, 1);
    host.stop().await;
    fs::write(modules.join("broken.wasm"), b"\0asm garbage").unwrap();
    let refused = launch("data").refused().await;
    assert!(refused.stderr.contains("broken"), "{refused}");
}

#[tokio::test]
async fn an_idle_connection_does_not_delay_the_stop() {
    let scene = Scene::new().await;
    let idle = TcpStream::connect(scene.host.address()).await.unwrap();
    let mut used = TcpStream::connect(scene.host.address()).await.unwrap();
    let head = format!("OPTIONS / HTTP/1.1\r\nHost: {}\r\n\r\n", scene.host.address());
    used.write_all(head.as_bytes()).await.unwrap();
    within("an answer", used.read_exact(&mut [0; 12])).await.unwrap();
    let started = Instant::now();
    scene.host.stop().await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    drop((idle, used));
}

#[tokio::test]
async fn a_client_that_never_finishes_delays_the_stop_no_longer_than_the_drain() {
    let scene = Scene::launched(|_| {}, |launch| launch.args(["--drain-seconds", "1"])).await;
    let mut half = TcpStream::connect(scene.host.address()).await.unwrap();
    half.write_all(b"POST / HTT").await.unwrap();
    let started = Instant::now();
    scene.host.stop().await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    drop(half);
}

#[tokio::test]
async fn more_connections_than_allowed_wait_for_their_turn() {
    let scene = Scene::launched(
        |_| {},
        |launch| launch.args(["--max-connections", "2", "--max-calls", "1"]),
    )
    .await;
    let host = &scene.host;
    let calls = (0..40).map(|n| host.code("createImFavoriteFolder", json!({"name": n.to_string()})));
    let codes = futures_util::future::join_all(calls).await;
    assert!(codes.iter().all(|code| *code == 200), "{codes:?}");
}

/// The files of compiled modules that a server keeps.
fn compiled(host: &TestHost) -> Vec<String> {
    let entries = fs::read_dir(host.data().join("cache")).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn the_first_start_compiles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path().join("data")).start().await;
    assert_eq!(compiled(&host), [""; 0]);
    for (method, params) in [
        ("getImFavoriteFolders", json!({"page": 1, "pageSize": 10})),
        ("getLocalTempFolderList", json!({"page": 1, "pageSize": 10})),
        ("searchImBackupsList", json!({"keyword": "a"})),
        ("getStorageSpaceInfo", json!({})),
        ("transferApi/listTasks", json!({"page": 1, "pageSize": 10})),
    ] {
        host.ok(method, params).await;
    }
    assert_eq!(compiled(&host), [""; 0]);
}

#[tokio::test]
async fn a_module_of_a_directory_is_compiled_once() {
    let dir = tempfile::tempdir().unwrap();
    let other = variant(&module("favorites"), "other");
    fs::create_dir(dir.path().join("modules")).unwrap();
    fs::write(dir.path().join("modules/favorites.wasm"), &other).unwrap();
    let modules = dir.path().join("modules").display().to_string();
    let launch = Launch::new(dir.path().join("data")).args(["--modules".to_owned(), modules]);
    let host = launch.start().await;
    let files = compiled(&host);
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(files[0].starts_with(&version(&other)), "{files:?}");
    assert!(host.log().contains("compiled"), "{}", host.log());
    let host = host.stop().await.start().await;
    assert_eq!(compiled(&host), files);
    assert!(!host.log().contains(" compiled"), "{}", host.log());
}
