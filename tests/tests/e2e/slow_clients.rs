//! Clients that are slow, or do nothing: their connections end, and others are served meanwhile.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use http::{Method, Request};
use http_body_util::Full;
use serde_json::json;
use stowage_tests::feed::{Feed, handshake};
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::metrics::Metrics;
use stowage_tests::usage;
use stowage_tests::wait::{eventually, until, within, within_time};
use stowage_tests::wire;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::interval;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// Slow connections of each kind.
const SLOW: usize = 500;
/// The limits of the server under test, in seconds.
const LIMIT: &str = "2";
/// How often a client that drips sends a byte.
const DRIP: Duration = Duration::from_millis(250);

/// What a slow client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slow {
    NoByte,
    HeadDrips,
    BodyDrips,
    FileDrips,
    SessionDrips,
    IdleAfterARequest,
    Handshake,
    /// A websocket that answers no ping.
    Websocket,
}

const CALL: &str = "POST /getImFavoriteFolders HTTP/1.1\r\nHost: ADDRESS\r\nContent-Type: application/json\r\n";
const BODY: &str = r#"{"page":1,"pageSize":1}"#;

impl Slow {
    /// What the client sends at once, and whether it goes on with a byte from time to time.
    fn sends(self, address: SocketAddr) -> (Vec<u8>, bool) {
        let address = address.to_string();
        let (text, drips) = match self {
            Slow::NoByte => (String::new(), false),
            Slow::HeadDrips => (format!("{CALL}X-Slow: "), true),
            Slow::BodyDrips => (format!("{CALL}Content-Length: 100000\r\n\r\n"), true),
            Slow::FileDrips => (
                "PUT /files?platform=3&name=x HTTP/1.1\r\nHost: ADDRESS\r\nContent-Length: 100000\r\n\r\n".to_owned(),
                true,
            ),
            Slow::SessionDrips => (
                "POST /console/session HTTP/1.1\r\nHost: ADDRESS\r\nOrigin: http://ADDRESS\r\n\
                 Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
                    .to_owned(),
                true,
            ),
            Slow::IdleAfterARequest => (format!("{CALL}Content-Length: {}\r\n\r\n{BODY}", BODY.len()), false),
            // The first bytes of a handshake.
            Slow::Handshake => return (vec![0x16, 3, 1, 2, 0, 1], false),
            Slow::Websocket => (
                "GET /ws HTTP/1.1\r\nHost: ADDRESS\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                    .to_owned(),
                false,
            ),
        };
        (text.replace("ADDRESS", &address).into_bytes(), drips)
    }

    /// Opens a connection and waits until the server ends it.
    async fn run(self, address: SocketAddr) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let (first, drips) = self.sends(address);
        let _ = stream.write_all(&first).await;
        let (mut input, mut output) = stream.split();
        let mut times = interval(DRIP);
        let mut buffer = [0; 4096];
        loop {
            tokio::select! {
                read = input.read(&mut buffer) => match read {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                },
                _ = times.tick(), if drips => {
                    if output.write_all(b"x").await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

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

/// Runs slow clients of one kind, and calls meanwhile if `calls`. Returns how long it took until
/// the server had ended them all, and the times of the calls.
async fn hold(host: &TestHost, kind: Slow, calls: bool) -> (Duration, Vec<Duration>) {
    usage::raise_file_limit();
    let address = host.address();
    let files = usage::open_files(host.pid());
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..SLOW {
        clients.spawn(kind.run(address));
    }
    let mut times = Vec::new();
    let what = format!("the end of {SLOW} clients: {kind:?}");
    // Hundreds of connections take their time on a busy machine.
    within_time(Duration::from_secs(120), &what, async {
        while !clients.is_empty() {
            match calls {
                true => times.push(timed_call(host).await),
                false => clients.join_next().await.into_iter().for_each(|ended| ended.unwrap()),
            }
            while let Some(ended) = clients.try_join_next() {
                ended.unwrap();
            }
        }
    })
    .await;
    let took = began.elapsed();
    until("their connections are closed", || {
        usage::open_files(host.pid()) <= files + 2
    })
    .await;
    (took, times)
}

#[tokio::test]
async fn slow_clients_lose_their_connections_and_others_are_served() {
    let dir = tempfile::tempdir().unwrap();
    let limits = [
        "--head-seconds",
        LIMIT,
        "--body-seconds",
        LIMIT,
        "--write-seconds",
        LIMIT,
    ];
    let host = Launch::new(dir.path()).args(limits).start().await;
    let mut quiet = Vec::new();
    for _ in 0..500 {
        quiet.push(timed_call(&host).await);
    }
    let before = usage::resident_bytes(host.pid()) >> 20;
    let files = usage::open_files(host.pid());
    let mut told = String::new();
    for kind in [
        Slow::NoByte,
        Slow::HeadDrips,
        Slow::BodyDrips,
        Slow::FileDrips,
        Slow::IdleAfterARequest,
        Slow::Websocket,
    ] {
        let (took, mut times) = hold(&host, kind, true).await;
        told += &format!(
            "; {kind:?}: all closed after {:.1} s, p99 of calls {} us",
            took.as_secs_f64(),
            p99(&mut times).as_micros()
        );
    }
    println!(
        "scorecard: H5 {SLOW} connections of each kind, limits of {LIMIT} s, p99 of calls without them {} us{told}; open \
         files {files} before, {} after; memory {before} MiB before, {} MiB after",
        p99(&mut quiet).as_micros(),
        usage::open_files(host.pid()),
        usage::resident_bytes(host.pid()) >> 20,
    );
}

#[tokio::test]
async fn tls_handshakes_that_never_end_are_closed() {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let args = [
        "--tls-cert",
        cert.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
        "--head-seconds",
        LIMIT,
    ];
    let host = Launch::new(dir.path().join("data")).args(args).start().await;
    for kind in [Slow::NoByte, Slow::Handshake] {
        let (took, _) = hold(&host, kind, false).await;
        println!(
            "scorecard: H5 {SLOW} TLS handshakes that never end ({kind:?}): all closed after {:.1} s",
            took.as_secs_f64()
        );
    }
    host.cli(["call", "getStorageSpaceInfo"]).succeeds().await;
}

/// The connections that a server has accepted, the one that asks included.
async fn connections(host: &TestHost) -> f64 {
    Metrics::of(host).await.sum("stowage_connections_accepted_total", &[])
}

/// The bytes that wait for such a client lie in the system's buffers, and in one of the server.
#[tokio::test]
async fn clients_that_read_no_response_lose_their_connections() {
    const CLIENTS: u32 = 50;
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path()).args(["--write-seconds", LIMIT]).start().await;
    let address = host.address();
    // Until it is made, a description costs more than it does later.
    let request = wire::request(Method::GET, address, "/openapi.json")
        .body(Full::default())
        .unwrap();
    let size = wire::send(address, request).await.body.len();
    let accepted = connections(&host).await;
    let files = usage::open_files(host.pid());
    let before = usage::resident_bytes(host.pid());
    usage::forget_peak(host.pid());
    // More than the buffers of both ends take.
    let count = (16 << 20) / size;
    let request = format!("GET /openapi.json HTTP/1.1\r\nHost: {address}\r\n\r\n").repeat(count);
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        let request = request.clone();
        // The server reads no more than it can answer: the rest of the requests waits here.
        clients.push(tokio::spawn(async move {
            let _ = stream.write_all(request.as_bytes()).await;
            std::future::pending::<()>().await;
            drop(stream);
        }));
    }
    // On a busy machine, the first are closed before the last have come.
    let mut looks = 0.0;
    eventually("the clients are accepted", || {
        // Each look is a connection too.
        looks += 1.0;
        let wanted = accepted + looks + f64::from(CLIENTS);
        let host = &host;
        async move { (connections(host).await >= wanted).then_some(()) }
    })
    .await;
    until("their connections are closed", || {
        usage::open_files(host.pid()) <= files + 2
    })
    .await;
    timed_call(&host).await;
    println!(
        "scorecard: H5 {CLIENTS} clients that read no response: all closed; memory grew by {} MiB at most",
        usage::peak_bytes(host.pid()).saturating_sub(before) >> 20
    );
    for client in clients {
        client.abort();
    }
}

/// Clients that held all connections kept everybody else out until their time was over.
#[tokio::test]
async fn a_new_client_takes_the_connection_of_one_that_is_idle() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["--max-connections", "32", "--head-seconds", "3600"];
    let host = Launch::new(dir.path()).args(args).start().await;
    let mut idle = JoinSet::new();
    for kind in [Slow::NoByte, Slow::IdleAfterARequest, Slow::HeadDrips] {
        for _ in 0..40 {
            idle.spawn(kind.run(host.address()));
        }
    }
    for _ in 0..50 {
        timed_call(&host).await;
    }
    within("idle connections make room", async {
        while idle.len() > 32 {
            idle.join_next().await;
        }
    })
    .await;
}

/// Sends a file of 500 KiB in 5 seconds, and returns the status of the answer.
async fn steady_upload(address: SocketAddr) -> String {
    const PIECES: usize = 50;
    let piece = [0; 10 << 10];
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "PUT /files?platform=3&name=steady HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        PIECES * piece.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut times = interval(Duration::from_millis(100));
    for _ in 0..PIECES {
        times.tick().await;
        stream.write_all(&piece).await.unwrap();
    }
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    reply.lines().next().unwrap_or_default().to_owned()
}

/// Clients that sent bodies slowly kept everybody else out until their time was over.
#[tokio::test]
async fn slow_bodies_keep_neither_a_new_client_out_nor_a_steady_upload() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["--max-connections", "32", "--body-seconds", "3600"];
    let host = Launch::new(dir.path()).args(args).start().await;
    let address = host.address();
    let upload = tokio::spawn(steady_upload(address));
    let mut slow = JoinSet::new();
    for kind in [Slow::BodyDrips, Slow::FileDrips, Slow::SessionDrips] {
        for _ in 0..40 {
            slow.spawn(kind.run(address));
        }
    }
    for _ in 0..50 {
        timed_call(&host).await;
    }
    within("slow bodies make room", async {
        while slow.len() > 32 {
            slow.join_next().await;
        }
    })
    .await;
    let status = within("the end of the upload", upload).await.unwrap();
    assert_eq!(status, "HTTP/1.1 200 OK");
    timed_call(&host).await;
}

#[tokio::test]
async fn websockets_leave_connections_for_calls() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path()).args(["--max-connections", "32"]).start().await;
    let address = host.address();
    let mut sockets = Vec::new();
    for _ in 0..24 {
        let request = handshake(address, &[]).body(()).unwrap();
        sockets.push(Feed::open(address, request).await.unwrap());
    }
    let request = handshake(address, &[]).body(()).unwrap();
    assert_eq!(Feed::status(address, request).await, 503);
    for _ in 0..50 {
        timed_call(&host).await;
    }
    drop(sockets.pop());
    stowage_tests::wait::eventually("a place is free again", || async {
        let request: Request<()> = handshake(address, &[]).body(()).unwrap();
        (Feed::status(address, request).await == 101).then_some(())
    })
    .await;
}

/// Sends a message over the feed and returns the code of the server's answer: a close.
async fn close_code(host: &TestHost, message: Message) -> CloseCode {
    let mut socket = Feed::connect(host, &[]).await.into_socket();
    // The server may hang up before all was sent.
    let _ = socket.send(message).await;
    within("the close", async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(Some(frame)))) => return frame.code,
                Some(Ok(_)) => {}
                other => panic!("no close but {other:?}"),
            }
        }
    })
    .await
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_takes_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path()).start().await;
    let address = host.address();
    timed_call(&host).await;
    let mut requests = 0;
    let mut sent = async |bytes: Vec<u8>, expected: &[u16]| {
        let status = wire::first_status(address, &bytes).await;
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(100)]).into_owned();
        assert!(expected.contains(&status), "{status}: {start}");
        requests += 1;
    };
    // Once for what is made at the first use.
    sent(
        format!("POST / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(300_000)).into(),
        &[431],
    )
    .await;
    // A little below the limit, and a little above it.
    for (len, expected) in [(63 << 10, 200), (65 << 10, 431), (70_000, 431)] {
        let head = CALL.replace("ADDRESS", &address.to_string());
        let large = "x".repeat(len);
        sent(
            format!("{head}X: {large}\r\nContent-Length: {}\r\n\r\n{BODY}", BODY.len()).into(),
            &[expected],
        )
        .await;
    }
    for length in ["18446744073709551614", "18446744073709551615"] {
        let head = CALL.replace("ADDRESS", &address.to_string());
        sent(format!("{head}Content-Length: {length}\r\n\r\n").into(), &[413]).await;
    }
    let before = usage::resident_bytes(host.pid());
    usage::forget_peak(host.pid());
    for _ in 0..20 {
        sent(
            format!("POST / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(1 << 20)).into(),
            &[431],
        )
        .await;
        sent(
            format!("POST / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(1000)).into(),
            &[431],
        )
        .await;
        sent(
            format!("POST /{} HTTP/1.1\r\n\r\n", "x".repeat(1 << 20)).into(),
            &[414, 431],
        )
        .await;
        let head = CALL.replace("ADDRESS", &address.to_string());
        let large = "x".repeat(2 << 20);
        sent(
            format!("{head}Content-Length: {}\r\n\r\n{large}", large.len()).into(),
            &[413],
        )
        .await;
        let chunk = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
        sent(
            format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunk}").into(),
            &[413],
        )
        .await;
    }
    // As deep as it can be within the limit of a body.
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{{\"page\":{}{}}}", open.repeat(100_000), close.repeat(100_000));
        let reply = host.post("/getImFavoriteFolders", deep).await;
        assert_eq!(reply.status, 200);
        assert_ne!(reply.code(), 200);
    }
    for len in [(16 << 10) + 1, 1 << 20] {
        let message = Message::Binary(vec![0; len].into());
        assert_eq!(close_code(&host, message).await, CloseCode::Size, "{len}");
    }
    let grown = usage::peak_bytes(host.pid()).saturating_sub(before);
    println!(
        "scorecard: H6 {requests} heads and bodies that are too large got 431, 414 or 413, deep JSON a code, frames a close \
         with 1009; memory grew by {:.1} MiB at most",
        grown as f64 / f64::from(1 << 20)
    );
    timed_call(&host).await;
}
