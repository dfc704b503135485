//! Whether the server says that it is alive and ready: `/healthz` and `/readyz`.

use std::fs;

use bytes::Bytes;
use http::Method;
use http_body_util::Full;
use serde_json::{Value, json};
use stowage_tests::fixture::SpaceFixture;
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::wait::eventually;
use stowage_tests::wire::{self, Reply};

async fn ask(host: &TestHost, method: Method, path: &str) -> Reply {
    let request = wire::request(method, host.address(), path).body(Full::new(Bytes::new()));
    wire::send(host.address(), request.unwrap()).await
}

async fn readiness(host: &TestHost) -> (u16, Value) {
    let reply = ask(host, Method::GET, "/readyz").await;
    (reply.status, serde_json::from_slice(&reply.body).unwrap())
}

fn names(list: &Value) -> Vec<&str> {
    let reasons = list.as_array().unwrap().iter();
    reasons.map(|reason| reason["reason"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_server_that_serves_is_healthy_and_ready_without_a_token() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path().join("data"))
        .args(["--token", "secret"])
        .start()
        .await;
    let healthy = ask(&host, Method::GET, "/healthz").await;
    assert_eq!((healthy.status, &healthy.body[..]), (200, &br#"{"status":"ok"}"#[..]));
    assert_eq!(healthy.headers["cache-control"], "no-store");
    let (status, ready) = readiness(&host).await;
    assert_eq!(status, 200, "{ready}");
    assert_eq!(ready, json!({"ready": true, "reasons": [], "degraded": []}));
    for path in ["/healthz", "/readyz"] {
        let head = ask(&host, Method::HEAD, path).await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
    // Other methods are requests to the API, which needs the token.
    assert_eq!(ask(&host, Method::DELETE, "/healthz").await.status, 401);
    // A page that points its own name at this address learns nothing.
    let request = Full::new(Bytes::new());
    let foreign = http::Request::get("/readyz")
        .header("host", "evil.example")
        .body(request)
        .unwrap();
    assert_eq!(wire::send(host.address(), foreign).await.status, 421);
    let request = wire::request(Method::GET, host.address(), "/readyz").header("origin", "https://evil.example");
    let of_page = request.body(Full::new(Bytes::new())).unwrap();
    assert_eq!(wire::send(host.address(), of_page).await.status, 403);
}

#[tokio::test]
async fn a_space_that_is_away_leaves_the_server_ready() {
    let dir = tempfile::tempdir().unwrap();
    let (mounted, disk) = (dir.path().join("mounted"), dir.path().join("disk"));
    let space = SpaceFixture::create(&mounted);
    let host = Launch::new(dir.path().join("data")).space(space.url()).start().await;
    host.init().await;
    fs::rename(&mounted, &disk).unwrap();
    assert_eq!(host.code("initStorage$IMDataFromSdk", json!({})).await, 500);
    let (status, ready) = readiness(&host).await;
    assert_eq!((status, &ready["ready"]), (200, &json!(true)), "{ready}");
    assert_eq!(names(&ready["degraded"]), ["space-away"]);
    fs::rename(&disk, &mounted).unwrap();
    eventually("the space is back", || async {
        let (_, ready) = readiness(&host).await;
        ready["degraded"].as_array().unwrap().is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_about_to_stop_says_so_while_it_still_answers() {
    let dir = tempfile::tempdir().unwrap();
    let mut host = Launch::new(dir.path().join("data"))
        .args(["--drain-delay-seconds", "600"])
        .start()
        .await;
    assert_eq!(readiness(&host).await.0, 200);
    host.terminate();
    let ready = eventually("the server is not ready", || async {
        let (status, ready) = readiness(&host).await;
        (status == 503).then_some(ready)
    })
    .await;
    assert_eq!(ready["ready"], false);
    assert_eq!(names(&ready["reasons"]), ["draining"]);
    assert_eq!(ask(&host, Method::GET, "/healthz").await.status, 200);
    host.ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 1})).await;
    let said = "SIGTERM: the server is not ready from now on, and stops in 600 s";
    assert!(host.log().contains(said), "{}", host.log());
    // A second signal ends it at once.
    host.terminate();
    assert_eq!(host.ended().await.code(), Some(130), "{}", host.log());
}
