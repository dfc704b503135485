//! Bytes over HTTP, with the programs that people use: curl and aria2c.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use http::header::{CONTENT_TYPE, ORIGIN};
use http::{Method, Request};
use http_body_util::Full;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;
use stowage_tests::feed::Feed;
use stowage_tests::fixture::{file, hash_of, noise, stored_file};
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::scene::Scene;
use stowage_tests::tools::needed;
use stowage_tests::wait::{until, within};
use stowage_tests::wire;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;

/// Runs a program to its end. Returns whether it succeeded, and what it printed.
async fn run(program: &Path, args: &[&str]) -> (bool, String) {
    let mut command = Command::new(program);
    command.args(args).kill_on_drop(true).env("no_proxy", "127.0.0.1");
    let output = within(&format!("{program:?} {args:?}"), command.output())
        .await
        .unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&printed).into_owned())
}

/// Runs curl, which succeeds, and returns what it printed.
async fn curl(program: &Path, args: &[&str]) -> String {
    let (success, printed) = run(program, &[&["-sS"], args].concat()).await;
    assert!(success, "curl {args:?}: {printed}");
    printed
}

fn data(envelope: &str) -> Value {
    let mut envelope: Value = serde_json::from_str(envelope).unwrap_or_else(|error| panic!("{error}: {envelope}"));
    assert_eq!(
        (envelope["code"].as_i64(), envelope["message"].as_str()),
        (Some(200), None),
        "{envelope}"
    );
    envelope["data"].take()
}

/// The files in the staging directory that have not arrived yet.
fn arriving(host: &TestHost) -> usize {
    fs::read_dir(host.data().join("staging/incoming")).unwrap().count()
}

#[tokio::test]
async fn curl_sends_a_file_and_gets_it_back() {
    let Some(program) = needed("curl", "files over HTTP with curl") else {
        return;
    };
    let scene = Scene::new().await;
    let url = format!("http://{}/files", scene.host.address());
    let mut feed = Feed::follow(&scene.host, "k", 0, 3, None).await;
    let bytes = noise(5_000_000, 1);
    let source = file(scene.dir.path(), "source", &bytes);
    let query = format!("{url}?platform=3&name=%E7%85%A7%E7%89%87.bin");
    let stored = data(&curl(&program, &["-T", source.to_str().unwrap(), &query]).await);
    let hash = hash_of(&bytes);
    assert_eq!(stored["hash"], hash);
    let row = feed.row(&hash, 1).await;
    assert_eq!((&row["taskId"], &row["name"]), (&stored["taskId"], &"照片.bin".into()));
    assert_eq!(scene.space.read_blob(&hash).as_ref(), Some(&bytes));
    assert_eq!(arriving(&scene.host), 0);

    let (target, url) = (scene.dir.path().join("target"), format!("{url}/{hash}"));
    let shown = target.to_str().unwrap();
    let head = curl(&program, &["-o", shown, "-D", "-", &url]).await;
    assert!(fs::read(&target).unwrap() == bytes);
    for header in [
        "content-length: 5000000",
        "accept-ranges: bytes",
        "nosniff",
        "filename*=UTF-8''%E7%85%A7",
    ] {
        assert!(head.contains(header), "{header}: {head}");
    }
    curl(&program, &["-r", "100-299", "-o", shown, &url]).await;
    assert!(fs::read(&target).unwrap() == bytes[100..300]);
    fs::write(&target, &bytes[..1_000_000]).unwrap();
    curl(&program, &["-C", "-", "-o", shown, &url]).await;
    assert!(fs::read(&target).unwrap() == bytes);
}

#[tokio::test]
async fn a_form_can_have_a_password_which_opens_the_file_again() {
    let Some(program) = needed("curl", "files over HTTP with curl") else {
        return;
    };
    let scene = Scene::new().await;
    let url = format!("http://{}/files", scene.host.address());
    let mut feed = Feed::follow(&scene.host, "k", 0, 3, None).await;
    let bytes = noise(700_000, 2);
    let source = file(scene.dir.path(), "a.bin", &bytes);
    let part = format!("file=@{}", source.display());
    let fields = r#"fields={"platform": 3, "filePassword": "我"};type=application/json"#;
    let stored = data(&curl(&program, &["-F", fields, "-F", &part, &url]).await);
    let hash = stored["hash"].as_str().unwrap();
    assert_ne!(hash, hash_of(&bytes));
    assert_eq!(feed.row(hash, 1).await["isCrypt"], 1);
    let (target, url) = (scene.dir.path().join("target"), format!("{url}/{hash}"));
    let shown = target.to_str().unwrap();
    let password = "Stowage-File-Password: %E6%88%91";
    curl(&program, &["-f", "-H", password, "-o", shown, &url]).await;
    assert!(fs::read(&target).unwrap() == bytes);
    curl(&program, &["-f", "-o", shown, &url]).await;
    assert_eq!(hash_of(&fs::read(&target).unwrap()), hash, "as it is stored");
    let answer = curl(
        &program,
        &["-w", "%{http_code}", "-H", "Stowage-File-Password: x", &url],
    )
    .await;
    assert!(answer.contains("60004") && answer.ends_with("403"), "{answer}");
}

#[tokio::test]
async fn aria2_gets_a_file_with_four_connections() {
    let Some(program) = needed("aria2c", "a download with aria2c") else {
        return;
    };
    let bytes = noise(20_000_000, 3);
    let hash = hash_of(&bytes);
    let scene = Scene::with(|space| {
        space.blob(&bytes);
        space.row("storage-files", &stored_file(&hash, "a.bin", bytes.len() as u64, 1));
    })
    .await;
    let url = format!("http://{}/files/{hash}", scene.host.address());
    let dir = scene.dir.path().to_str().unwrap();
    let args = ["-x4", "-s4", "-k1M", "--no-conf", "-d", dir, "-o", "target", &url];
    let (success, printed) = run(&program, &args).await;
    assert!(success, "{printed}");
    assert!(fs::read(scene.dir.path().join("target")).unwrap() == bytes);
}

#[tokio::test]
async fn a_file_with_wrong_bytes_is_not_given_whole() {
    let bytes = noise(3_000_000, 4);
    let hash = hash_of(&bytes);
    let scene = Scene::with(|space| {
        space.blob(&bytes);
        space.row("storage-files", &stored_file(&hash, "a.bin", bytes.len() as u64, 1));
    })
    .await;
    let mut blob = fs::OpenOptions::new()
        .write(true)
        .open(scene.space.blob_path(&hash))
        .unwrap();
    blob.write_all(b"wrong").unwrap();
    let request = format!("GET /files/{hash} HTTP/1.1\r\nHost: {}\r\n\r\n", scene.host.address());
    // The server hangs up by itself.
    let mut stream = TcpStream::connect(scene.host.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = within("the end of the connection", stream.read_to_end(&mut answer)).await;
    let head = memchr::memmem::find(&answer, b"\r\n\r\n").unwrap() + 4;
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"));
    assert!(answer.len() - head < bytes.len(), "{} bytes", answer.len() - head);
}

#[tokio::test]
async fn an_upload_that_is_cut_off_leaves_nothing() {
    let scene = Scene::new().await;
    let address = scene.host.address();
    let head = format!("PUT /files?platform=3&name=a HTTP/1.1\r\nHost: {address}\r\nContent-Length: 1000000\r\n\r\n");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&noise(300_000, 5)).await.unwrap();
    until("the file arrives", || arriving(&scene.host) == 1).await;
    drop(stream);
    until("nothing is left", || arriving(&scene.host) == 0).await;
    // The staging directory has only the folder of files that arrive.
    assert_eq!(fs::read_dir(scene.host.data().join("staging")).unwrap().count(), 1);
    let tasks = scene
        .host
        .ok("transferApi/listTasks", serde_json::json!({"page": 1, "pageSize": 10}))
        .await;
    assert_eq!(tasks, serde_json::json!([]));
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_learns_of_a_refusal_before_it_sends() {
    let scene = Scene::new().await;
    let address = scene.host.address();
    for (query, expected) in [
        ("platform=3&name=a", "HTTP/1.1 100 Continue\r\n"),
        ("platform=9&name=a", "HTTP/1.1 400 Bad Request\r\n"),
        ("platform=0&name=a&parent=none", "HTTP/1.1 404 Not Found\r\n"),
        ("platform=3&name=a&filePassword=x", "HTTP/1.1 400 Bad Request\r\n"),
    ] {
        let head = format!(
            "PUT /files?{query} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        );
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = vec![0; expected.len()];
        within("an answer", stream.read_exact(&mut answer)).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), expected, "{query}");
    }
}

#[tokio::test]
async fn many_files_arrive_at_once() {
    let scene = Scene::new().await;
    let address = scene.host.address();
    let sent = (0..100).map(|i| async move {
        let bytes = noise(200_000, i);
        let path = format!("/files?platform=3&name={i}");
        let request = wire::request(Method::PUT, address, &path)
            .body(Full::from(bytes.clone()))
            .unwrap();
        let reply = wire::send(address, request).await;
        assert_eq!(reply.envelope()["data"]["hash"], hash_of(&bytes), "{:?}", reply.body);
        hash_of(&bytes)
    });
    for hash in futures_util::future::join_all(sent).await {
        until("the file is in the space", || {
            scene.space.find("storage-files", &hash).is_some()
        })
        .await;
    }
}

/// As `ulimit -f` does. The kernel also sends a signal that ends a program by default.
#[tokio::test]
async fn a_file_longer_than_the_system_allows_is_refused_and_the_server_goes_on() {
    let scene = Scene::new().await;
    let address = scene.host.address();
    let pid = Pid::from_raw(i32::try_from(scene.host.pid()).unwrap());
    let set_limit = |bytes| {
        let limit = Rlimit {
            current: bytes,
            maximum: None,
        };
        prlimit(pid, Resource::Fsize, limit).unwrap();
    };
    let bytes = noise(20 << 20, 1);
    let put = || async {
        let request = wire::request(Method::PUT, address, "/files?platform=3&name=a");
        wire::send(address, request.body(Full::from(bytes.clone())).unwrap()).await
    };
    set_limit(Some(16 << 20));
    let refused = put().await;
    assert_eq!(refused.status, 507, "{:?}", refused.body);
    set_limit(None);
    let taken = put().await;
    assert_eq!(taken.envelope()["data"]["hash"], hash_of(&bytes), "{:?}", taken.body);
}

#[tokio::test]
async fn files_pass_the_gate() {
    let dir = tempfile::tempdir().unwrap();
    let launch = Launch::new(dir.path()).args(["--token", "secret", "--allow-origin", "https://app.example"]);
    let host = launch.start().await;
    let address = host.address();
    let send = async |request: http::request::Builder| {
        let request: Request<Full<bytes::Bytes>> = request.body(Full::from("content")).unwrap();
        wire::send(address, request).await
    };
    let put = || wire::request(Method::PUT, address, "/files?platform=3&name=a");
    let token = ("authorization", "Bearer secret");
    assert_eq!(send(put()).await.status, 401);
    assert_eq!(send(put().header(token.0, token.1)).await.status, 200);
    let foreign = put().header(token.0, token.1).header(ORIGIN, "https://evil.example");
    assert_eq!(send(foreign).await.status, 403);
    let page = put().header(token.0, token.1).header(ORIGIN, "https://app.example");
    let reply = send(page).await;
    assert_eq!(reply.headers["access-control-allow-origin"], "https://app.example");
    assert!(reply.headers.contains_key("access-control-expose-headers"));
    let preflight = wire::request(Method::OPTIONS, address, "/files/uploads").header(ORIGIN, "https://app.example");
    let reply = send(preflight).await;
    assert_eq!(reply.status, 204);
    assert!(
        reply.headers["access-control-allow-methods"]
            .to_str()
            .unwrap()
            .contains("PATCH")
    );
    // The rule for the API stays.
    let post = wire::request(Method::POST, address, "/getImFavoriteFolders")
        .header(token.0, token.1)
        .header(CONTENT_TYPE, "application/offset+octet-stream");
    assert_eq!(send(post).await.status, 415);
}

#[tokio::test]
async fn without_the_module_no_file_is_taken() {
    let scene = Scene::new().await;
    let unload = ["module", "unload", "transfers", "--force"];
    scene.host.cli(unload).succeeds().await;
    let request = wire::request(Method::PUT, scene.host.address(), "/files?platform=3&name=a");
    let reply = wire::send(scene.host.address(), request.body(Full::from("content")).unwrap()).await;
    assert_eq!((reply.status, reply.code()), (501, 300));
}
