//! Guessing: of tokens, of a console's secrets, and of the passwords of files.

use std::time::{Duration, Instant};

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::json;
use stowage_tests::admin::Admin;
use stowage_tests::console;
use stowage_tests::feed::{Feed, handshake};
use stowage_tests::fixture::noise;
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::scene::Scene;
use stowage_tests::usage;
use stowage_tests::wait::{eventually, within};
use stowage_tests::wire::{self, Reply};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

type Body = Full<bytes::Bytes>;

fn call(host: &TestHost, token: &str) -> Request<Body> {
    wire::request(Method::POST, host.address(), "/getStorageSpaceInfo")
        .header(CONTENT_TYPE, "application/json")
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .body(Full::from("{}"))
        .unwrap()
}

async fn status(host: &TestHost, token: &str) -> u16 {
    wire::send(host.address(), call(host, token)).await.status
}

async fn connection(host: &TestHost) -> SendRequest<Body> {
    let stream = TcpStream::connect(host.address()).await.unwrap();
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    // It ends with the sender.
    tokio::spawn(connection);
    sender
}

async fn status_on(sender: &mut SendRequest<Body>, host: &TestHost, token: &str) -> u16 {
    let response = within("an answer", sender.send_request(call(host, token)))
        .await
        .unwrap();
    let status = response.status().as_u16();
    response.into_body().collect().await.unwrap();
    status
}

fn retry_after(reply: &Reply) -> u64 {
    let value = reply.headers["retry-after"].to_str().unwrap();
    value.parse().unwrap()
}

#[tokio::test]
async fn after_ten_wrong_tokens_the_next_ones_wait_and_connected_clients_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path()).args(["--token", "secret"]).start().await;
    let admin = Admin::of(&host);
    let mut known = connection(&host).await;
    assert_eq!(status_on(&mut known, &host, "secret").await, 200);
    for number in 0..10 {
        assert_eq!(status(&host, &format!("wrong {number}")).await, 401);
    }
    let reply = wire::send(host.address(), call(&host, "secret")).await;
    assert_eq!(
        (reply.status, reply.code()),
        (429, 700),
        "not even the right one is looked at"
    );
    assert_eq!(retry_after(&reply), 1);
    let socket = handshake(host.address(), &[]).header("sec-websocket-protocol", "stowage.bearer.secret");
    assert_eq!(Feed::status(host.address(), socket.body(()).unwrap()).await, 429);
    assert_eq!(status_on(&mut known, &host, "secret").await, 200);
    assert!(
        admin.list().await["modules"].is_array(),
        "the admin API has a token of its own"
    );
    // Asking again does not make the pause longer.
    eventually("the right token is accepted again", || async {
        (status(&host, "secret").await == 200).then_some(())
    })
    .await;
    assert_eq!(status(&host, "wrong").await, 401, "it starts over");
    assert_eq!(status(&host, "secret").await, 200);
    assert!(
        host.log().contains("wrong tokens came from one client"),
        "{}",
        host.log()
    );
    assert!(!host.log().contains("secret"));
}

#[tokio::test]
async fn secrets_of_the_console_and_admin_tokens_are_counted_too() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path()).start().await;
    let secret = console::first_secret(&host).await;
    for _ in 0..10 {
        assert_eq!(console::exchange(&host, "wrong").await.0, 401);
    }
    assert_eq!(console::exchange(&host, &secret).await.0, 429);
    eventually("the right secret is accepted", || async {
        (console::exchange(&host, &secret).await.0 == 200).then_some(())
    })
    .await;

    let admin_status = async |token: &str| {
        let request = wire::request(Method::GET, host.address(), "/admin/modules")
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .body(Full::default())
            .unwrap();
        wire::send(host.address(), request).await.status
    };
    let token = Admin::of(&host).token().to_owned();
    for _ in 0..10 {
        assert_eq!(admin_status("wrong").await, 401);
    }
    assert_eq!(admin_status(&token).await, 429);
    eventually("the right token is accepted", || async {
        (admin_status(&token).await == 200).then_some(())
    })
    .await;
    // The API has no token here: nothing is guessed.
    assert_eq!(host.call("getStorageSpaceInfo", json!({})).await["code"], 200);
}

/// Files with passwords in the flood, and attempts to open each.
const FILES: usize = 10;
const ATTEMPTS: usize = 100;
const AT_ONCE: usize = 50;

/// The 99th of a hundred of these times.
fn p99(times: &mut [Duration]) -> Duration {
    times.sort();
    times
        .get(times.len().saturating_sub(1) * 99 / 100)
        .copied()
        .unwrap_or_default()
}

async fn timed_call(host: &TestHost) -> Duration {
    let began = Instant::now();
    host.ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 10}))
        .await;
    began.elapsed()
}

/// Waits until a file can be got.
async fn until_served(scene: &Scene, hash: &str) {
    let address = scene.host.address();
    eventually("the file is served", || async {
        let request = wire::request(Method::HEAD, address, &format!("/files/{hash}"));
        let reply = wire::send(address, request.body(Full::default()).unwrap()).await;
        (reply.status == 200).then_some(())
    })
    .await;
}

/// Each password that is tried costs 32 MiB and a tenth of a second of a processor.
#[tokio::test]
async fn a_flood_of_wrong_passwords_takes_little_memory_and_leaves_other_calls_alone() {
    let scene = Scene::new().await;
    let (host, address) = (&scene.host, scene.host.address());
    let mut hashes = Vec::new();
    for number in 0..FILES {
        let path = format!("/files?platform=3&name={number}.bin");
        let request = wire::request(Method::PUT, address, &path)
            .header("stowage-file-password", "right")
            .body(Full::from(noise(10_000, number as u64)))
            .unwrap();
        let stored = wire::send(address, request).await.envelope();
        hashes.push(
            stored["data"]["hash"]
                .as_str()
                .unwrap_or_else(|| panic!("{stored}"))
                .to_owned(),
        );
    }
    // A file is found when its row is there, after its upload.
    for hash in &hashes {
        until_served(&scene, hash).await;
    }
    let mut quiet = Vec::new();
    for _ in 0..200 {
        quiet.push(timed_call(host).await);
    }
    let before = usage::resident_bytes(host.pid());
    usage::forget_peak(host.pid());

    let mut attempts: Vec<_> = hashes
        .iter()
        .flat_map(|hash| std::iter::repeat_n(hash.clone(), ATTEMPTS))
        .collect();
    let mut running = JoinSet::new();
    let (mut wrong, mut paused, mut busy_times) = (0, 0, Vec::new());
    while !attempts.is_empty() || !running.is_empty() {
        while running.len() < AT_ONCE
            && let Some(hash) = attempts.pop()
        {
            running.spawn(async move {
                let request = wire::request(Method::GET, address, &format!("/files/{hash}"))
                    .header("stowage-file-password", "wrong")
                    .body(Full::default())
                    .unwrap();
                wire::send(address, request).await
            });
        }
        busy_times.push(timed_call(host).await);
        while let Some(reply) = running.try_join_next() {
            let reply = reply.unwrap();
            match reply.status {
                403 => wrong += 1,
                429 => {
                    assert!(retry_after(&reply) > 0);
                    paused += 1;
                }
                other => panic!("{other}: {:?}", reply.body),
            }
        }
    }
    let grown = usage::peak_bytes(host.pid()).saturating_sub(before) >> 20;
    assert!(
        wrong >= FILES && paused > wrong,
        "{wrong} were tried, {paused} had to wait"
    );
    assert!(grown <= 256, "the flood took {grown} MiB");
    println!(
        "scorecard: H10 {} wrong passwords, {AT_ONCE} at once: {wrong} were tried, at most 2 at a time, and {paused} had to \
         wait; memory grew by {grown} MiB; p99 of other calls {} us, without the flood {} us",
        FILES * ATTEMPTS,
        p99(&mut busy_times).as_micros(),
        p99(&mut quiet).as_micros()
    );
    // A right password is not locked out for ever: another file's is taken at once.
    let path = "/files?platform=3&name=other.bin";
    let request = wire::request(Method::PUT, address, path)
        .header("stowage-file-password", "right")
        .body(Full::from(noise(10_000, 99)))
        .unwrap();
    let hash = wire::send(address, request).await.envelope()["data"]["hash"]
        .as_str()
        .unwrap()
        .to_owned();
    until_served(&scene, &hash).await;
    let request = wire::request(Method::GET, address, &format!("/files/{hash}"))
        .header("stowage-file-password", "right")
        .body(Full::default())
        .unwrap();
    assert_eq!(wire::send(address, request).await.status, 200);
}
