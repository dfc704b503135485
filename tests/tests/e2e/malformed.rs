//! Requests that no client sends, many and seeded: the server refuses them with a reason, changes
//! nothing, and uses no more memory.
//!
//! `STOWAGE_MALFORMED` is the number of requests, `STOWAGE_SEED` makes them again.

use std::collections::BTreeMap;
use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use stowage_tests::admin::Admin;
use stowage_tests::fixture::{backup, backup_folder, favorite, favorite_folder, stored_file, temp_file, temp_folder};
use stowage_tests::host::TestHost;
use stowage_tests::malformed::{self, Answer, Example, Probe, Probes};
use stowage_tests::random::{Random, seed};
use stowage_tests::scene::Scene;
use stowage_tests::usage::resident_bytes;
use stowage_tests::wait::{eventually, within};
use stowage_tests::wire;
use tokio::net::TcpStream;

/// Requests of a test run.
const REQUESTS: usize = 3000;
/// Connections at the same time.
const CONNECTIONS: usize = 16;
/// Requests between two looks at the log.
const BATCH: usize = 500;
/// Memory that the server may grow by: what its caches take, and freed memory that its allocator
/// keeps.
const GROWTH_BYTES: u64 = 96 << 20;

/// What reads all that calls can change, but for tasks: they go on by themselves.
const STATE: [(&str, &str); 7] = [
    ("getImFavoriteFolders", r#"{"page":1,"pageSize":1000}"#),
    (
        "getImFavoriteList",
        r#"{"favId":"1","type":0,"page":1,"pageSize":1000}"#,
    ),
    ("listStorageFiles", r#"{"page":1,"pageSize":1000}"#),
    ("getLocalTempFolderList", r#"{"page":1,"pageSize":1000}"#),
    ("getImBackupsFolderList", r#"{"page":1,"pageSize":1000}"#),
    ("getStorageSpaceInfo", "{}"),
    ("getLimits", "{}"),
];

/// A connection that is opened again when the server has closed it.
struct Client<'h> {
    host: &'h TestHost,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Client<'_> {
    fn new(host: &TestHost) -> Client<'_> {
        Client { host, sender: None }
    }

    async fn post(&mut self, path: &str, body: impl Into<Bytes>) -> (u16, Bytes) {
        let body = body.into();
        let response = loop {
            let request = Request::post(path)
                .header(HOST, self.host.address().to_string())
                .header(CONTENT_TYPE, "application/json")
                .body(Full::new(body.clone()))
                .unwrap();
            let kept = self.sender.take().filter(SendRequest::is_ready);
            let is_kept = kept.is_some();
            let mut sender = match kept {
                Some(sender) => sender,
                None => self.connect().await,
            };
            match within(path, sender.send_request(request)).await {
                Ok(response) => {
                    self.sender = Some(sender);
                    break response;
                }
                // The server closed a connection that was kept, before anything was sent.
                Err(error) if is_kept && error.is_canceled() => {}
                Err(error) => panic!("{path}: {error}\n{}", self.host.log()),
            }
        };
        let status = response.status().as_u16();
        let body = within(path, response.into_body().collect()).await.unwrap().to_bytes();
        (status, body)
    }

    async fn connect(&self) -> SendRequest<Full<Bytes>> {
        let stream = TcpStream::connect(self.host.address()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender.ready().await.unwrap();
        sender
    }

    /// All that calls can change.
    async fn state(&mut self) -> Vec<Value> {
        let mut state = Vec::new();
        for (method, body) in STATE {
            let (status, answer) = self.post(&format!("/{method}"), body).await;
            let envelope: Value = serde_json::from_slice(&answer).unwrap();
            assert_eq!((status, &envelope["code"]), (200, &json!(200)), "{method}: {envelope}");
            state.push(envelope);
        }
        state
    }

    /// Calls a method with a body of any bytes, and returns the code of the answer.
    async fn call(&mut self, path: &str, body: &[u8]) -> i64 {
        let (status, answer) = self.post(path, body.to_vec()).await;
        let shown = || {
            let sent: String = String::from_utf8_lossy(body).chars().take(600).collect();
            format!(
                "{path} {sent}: {status} {}\n{}",
                String::from_utf8_lossy(&answer),
                self.host.log()
            )
        };
        let envelope: Value = serde_json::from_slice(&answer).unwrap_or_else(|error| panic!("{error}: {}", shown()));
        let code = envelope["code"]
            .as_i64()
            .unwrap_or_else(|| panic!("a code: {}", shown()));
        assert!(
            [200, 413].contains(&status) && malformed::CODES.contains(&code),
            "{}",
            shown()
        );
        assert_eq!(envelope["message"].is_null(), code == 200, "{}", shown());
        assert!(code == 200 || envelope["data"].is_null(), "{}", shown());
        code
    }
}

/// A space with a row in each collection.
async fn scene() -> Scene {
    let scene = Scene::with(|space| {
        let hash = space.blob(b"some bytes");
        space
            .row("favorite-folders", &favorite_folder("1", "我的收藏", 1_744_104_587_216))
            .row("favorites", &favorite("f", "1", "a.txt", &hash, 10, 1_744_104_587))
            .row("temp-folders", &temp_folder("conversation", 1_744_163_398_055))
            .row(
                "temp-files",
                &temp_file("t", "conversation", "a.txt", &hash, 10, 1_744_163_398_055),
            )
            .row("backup-folders", &backup_folder("b", "", 1_743_585_227))
            .row("backups", &backup("u", "b", "a.txt", &hash, 10, 1_743_585_227))
            .row("storage-files", &stored_file(&hash, "a.txt", 10, 1_744_163_398_055));
    })
    .await;
    scene.temp_bytes(b"some bytes");
    scene
}

/// The documented examples of all methods that serve.
async fn examples(host: &TestHost) -> Vec<Example> {
    let request = wire::request(Method::GET, host.address(), "/openapi.json");
    let reply = wire::send(host.address(), request.body(Full::default()).unwrap()).await;
    let examples = malformed::examples(&serde_json::from_slice(&reply.body).unwrap());
    let methods: std::collections::BTreeSet<_> = examples.iter().map(|example| &example.path).collect();
    assert!(methods.len() >= 48, "{methods:?}");
    examples
}

fn assert_no_panic(host: &TestHost) {
    let log = host.log();
    assert!(!log.contains("panicked") && !log.contains("internal error"), "{log}");
}

/// How many calls were answered with each code.
type Codes = BTreeMap<i64, u64>;

/// Calls with changed bodies, one after the other. What is refused changes nothing.
async fn calls(host: &TestHost, examples: &[Example], random: &mut Random, count: usize) -> Codes {
    let mut client = Client::new(host);
    let mut codes = Codes::new();
    let mut state = client.state().await;
    for n in 0..count {
        let example = &examples[n % examples.len()];
        let body = malformed::body(example, random);
        let code = client.call(&example.path, &body).await;
        *codes.entry(code).or_default() += 1;
        // Tasks that go on may change something as well: then it is done again.
        for attempt in 0.. {
            let now = client.state().await;
            let is_same = now == state;
            state = now;
            if is_same || (code == 200 && !example.reads_only) {
                break;
            }
            let sent: String = String::from_utf8_lossy(&body).chars().take(600).collect();
            assert!(
                attempt < 5,
                "{} {sent}: code {code}, and the state changed",
                example.path
            );
            client.call(&example.path, &body).await;
        }
        if n % BATCH == 0 {
            assert_no_panic(host);
        }
    }
    codes
}

/// Connections with any bytes, several at once.
async fn connections(host: &TestHost, probes: &mut Probes<'_>, count: usize) -> BTreeMap<&'static str, u64> {
    let mut outcomes = BTreeMap::new();
    let mut sent = 0;
    while sent < count {
        let batch: Vec<Probe> = (0..BATCH.min(count - sent)).map(|_| probes.next_probe()).collect();
        sent += batch.len();
        let answers = stream::iter(batch).map(|probe| async move {
            let answer = malformed::exchange(host.address(), &probe.bytes).await.unwrap();
            let findings = malformed::findings(&probe.bytes, &answer);
            let shown = || {
                probe
                    .bytes
                    .escape_ascii()
                    .to_string()
                    .chars()
                    .take(2000)
                    .collect::<String>()
            };
            assert!(
                findings.is_empty(),
                "{:?} b\"{}\": {findings:?}\n{}",
                probe.kind,
                shown(),
                host.log()
            );
            Ok::<_, Infallible>(match answer {
                Answer::Nothing | Answer::Stuck => "hung up",
                Answer::Bytes(bytes) if bytes.starts_with(b"HTTP/1.1 2") => "answered",
                Answer::Bytes(_) => "refused",
            })
        });
        let answers: Vec<_> = answers.buffer_unordered(CONNECTIONS).collect().await;
        for answer in answers.into_iter().flatten() {
            *outcomes.entry(answer).or_default() += 1;
        }
        assert_no_panic(host);
    }
    outcomes
}

/// The space as this server counts it and as one does that reads it anew.
async fn assert_space_info_is_right(scene: &Scene) {
    let other = scene.another("other").await;
    eventually("both servers count the same", || async {
        other.init().await;
        let here = scene.host.ok("getStorageSpaceInfo", json!({})).await;
        let there = other.ok("getStorageSpaceInfo", json!({})).await;
        (here == there).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_requests_are_refused_and_change_nothing() {
    let count =
        std::env::var("STOWAGE_MALFORMED").map_or(REQUESTS, |count| count.parse().expect("a number of requests"));
    let seed = seed();
    let scene = scene().await;
    let host = &scene.host;
    let examples = examples(host).await;
    let mut random = Random::seeded(seed);
    let token = Admin::of(host).token().to_owned();
    let mut probes = Probes::new(seed, host.address(), &token, &examples);
    // The first tenth fills caches and starts instances.
    let warm = count / 10;
    calls(host, &examples, &mut random, warm / 3).await;
    connections(host, &mut probes, warm - warm / 3).await;
    let before = resident_bytes(host.pid());
    let rest = count - warm;
    let codes = calls(host, &examples, &mut random, rest / 3).await;
    let outcomes = connections(host, &mut probes, rest - rest / 3).await;
    let after = resident_bytes(host.pid());
    assert_space_info_is_right(&scene).await;
    assert_no_panic(host);
    assert!(
        after < before + GROWTH_BYTES,
        "resident memory grew from {before} to {after} bytes"
    );
    println!(
        "scorecard: H4 {count} malformed requests of seed {seed}, 0 panics, 0 statuses of 5xx without a code, \
         calls {codes:?}, connections {outcomes:?}, resident {} MiB at first and {} MiB at the end",
        before >> 20,
        after >> 20,
    );
    let launch = scene.host.stop().await;
    let again = launch.start().await;
    assert_eq!(again.code("getStorageSpaceInfo", json!({})).await, 200);
}
