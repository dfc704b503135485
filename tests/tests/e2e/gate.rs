//! Who may speak to the server.

use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use stowage_tests::cli::Cli;
use stowage_tests::feed::{Feed, handshake};
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::scene::Scene;
use stowage_tests::wait::within;
use stowage_tests::wire;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const BODY: &str = r#"{"page":1,"pageSize":1}"#;

/// Sends a request with these headers to both routes. Returns the status of the API and of the
/// websocket.
async fn statuses(host: &TestHost, host_header: &str, headers: &[(&str, &str)]) -> (u16, u16) {
    let address = host.address();
    let mut post = Request::post("/getImFavoriteFolders")
        .header(HOST, host_header)
        .header(CONTENT_TYPE, "application/json");
    let mut ws = handshake(address, &[]);
    ws.headers_mut().unwrap().insert(HOST, host_header.parse().unwrap());
    for (name, value) in headers {
        post = post.header(*name, *value);
        ws = ws.header(*name, *value);
    }
    let reply = wire::send(address, post.body(Full::from(BODY)).unwrap()).await;
    if reply.status != 200 {
        let envelope = reply.envelope();
        assert_eq!((&envelope["code"], &envelope["data"]), (&json!(700), &Value::Null));
        assert!(!reply.headers.contains_key("access-control-allow-origin"));
    }
    (reply.status, Feed::status(address, ws.body(()).unwrap()).await)
}

#[tokio::test]
async fn only_our_own_host_is_answered() {
    let scene = Scene::launched(|_| {}, |launch| launch.args(["--allow-host", "stowage.test"])).await;
    let port = scene.host.address().port();
    for own in ["127.0.0.1", "localhost", "LocalHost", "[::1]"] {
        assert_eq!(
            statuses(&scene.host, &format!("{own}:{port}"), &[]).await,
            (200, 101),
            "{own}"
        );
    }
    assert_eq!(statuses(&scene.host, "stowage.test", &[]).await, (200, 101));
    for other in [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        "127.0.0.1".into(),
        "localhost:1".into(),
        format!("0.0.0.0:{port}"),
        format!("localhost:{port}.evil.example"),
        format!("localhost.:{port}"),
    ] {
        assert_eq!(statuses(&scene.host, &other, &[]).await, (421, 421), "{other}");
    }
}

/// Checks the headers and the envelope of a refusal.
fn assert_envelope(answer: &str) {
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("a head: {answer}"));
    let length = format!("\r\ncontent-length: {}", body.len());
    assert!(head.contains(&length), "{answer}");
    assert!(head.contains("\r\ncontent-type: application/json"), "{answer}");
    let envelope: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
    assert_eq!(
        (&envelope["code"], &envelope["data"]),
        (&json!(700), &Value::Null),
        "{answer}"
    );
    assert!(!envelope["message"].as_str().unwrap().is_empty(), "{answer}");
}

/// hyper answers an unreadable head by itself, with a status and nothing else.
#[tokio::test]
async fn a_head_that_cannot_be_read_is_answered_with_an_envelope() {
    let scene = Scene::new().await;
    let address = scene.host.address();
    let long = "x".repeat(70_000);
    for (head, status) in [
        ("bad header: x\r\n\r\n".to_owned(), 400),
        ("POST / HTTP/3.7\r\n\r\n".into(), 400),
        ("P\u{7f}ST / HTTP/1.1\r\n\r\n".into(), 400),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n".into(), 400),
        (format!("POST /{long} HTTP/1.1\r\n\r\n"), 414),
        (format!("POST / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(65)), 431),
        (format!("POST / HTTP/1.1\r\nX: {long}{long}{long}{long}\r\n\r\n"), 431),
    ] {
        // Alone, and behind a request that is answered first.
        let request = format!(
            "POST /getImFavoriteFolders HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{BODY}",
            BODY.len()
        );
        let shown: String = head.chars().take(60).collect();
        let answer = wire::raw(address, head.as_bytes()).await;
        assert_eq!(wire::raw_status(&answer), status, "{shown}: {answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{shown}: {answer}");
        assert_envelope(&answer);
        let both = wire::raw(address, (request + &head).as_bytes()).await;
        let second = both.rfind("HTTP/1.1 ").unwrap();
        assert_eq!(wire::raw_status(&both), 200, "{shown}: {both}");
        assert_eq!(wire::raw_status(&both[second..]), status, "{shown}: {both}");
        assert_envelope(&both[second..]);
    }
}

#[tokio::test]
async fn heads_that_no_client_sends_are_refused() {
    let scene = Scene::new().await;
    let address = scene.host.address();
    let rest = format!(
        "Content-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    for (head, statuses) in [
        ("POST /getImFavoriteFolders HTTP/1.1\r\n".to_owned(), &[421, 400][..]),
        (
            format!("POST /getImFavoriteFolders HTTP/1.1\r\nHost: {address}\r\nHost: {address}\r\n"),
            &[421, 400],
        ),
        (
            format!("POST /getImFavoriteFolders HTTP/1.1\r\nHost: {address}\r\nHost: evil.example\r\n"),
            &[421, 400],
        ),
        (
            format!("POST http://evil.example/getImFavoriteFolders HTTP/1.1\r\nHost: {address}\r\n"),
            &[421],
        ),
        (
            "POST /getImFavoriteFolders HTTP/1.1\r\nHost: \r\n".to_owned(),
            &[421, 400],
        ),
        (
            format!("POST /getImFavoriteFolders HTTP/1.1\r\nHost: {address}\r\nContent-Type: text/plain\r\n"),
            &[415],
        ),
        (
            format!("POST /getImFavoriteFolders HTTP/1.1\r\nHost: {address}\r\nbad header: x\r\n"),
            &[400],
        ),
        (
            format!("POST /getImFavoriteFolders HTTP/1.1\r\nHost: {address}\r\nTransfer-Encoding: chunked\r\n"),
            &[400],
        ),
        (
            format!("POST /getImFavoriteFolders HTTP/1.1\r\nHost: {address}\r\nContent-Length: 5\r\n"),
            &[400],
        ),
        (
            format!("GET /getImFavoriteFolders HTTP/1.1\r\nHost: {address}\r\n"),
            &[405],
        ),
        (format!("DELETE / HTTP/1.1\r\nHost: {address}\r\n"), &[405]),
        (format!("GET /ws HTTP/1.1\r\nHost: {address}\r\n"), &[426]),
        (
            format!("POST / HTTP/1.1\r\nHost: {address}\r\nX: {}\r\n", "x".repeat(300_000)),
            &[431, 400],
        ),
        (
            format!("POST / HTTP/1.1\r\nHost: {address}\r\n{}", "X: y\r\n".repeat(200)),
            &[431, 400],
        ),
        ("\u{16}\u{3}\u{1} hello".to_owned(), &[400]),
    ] {
        let answer = wire::raw(address, (head.clone() + &rest).as_bytes()).await;
        let shown: String = head.chars().take(100).collect();
        assert!(statuses.contains(&wire::raw_status(&answer)), "{shown}: {answer}");
        assert_envelope(&answer);
    }
    assert_eq!(scene.host.post("/getImFavoriteFolders", BODY).await.code(), 200);
}

/// An answer used to stay in the server's buffer while anything came behind its request: the line
/// break that some clients add, or the beginning of the next request.
#[tokio::test]
async fn an_answer_does_not_wait_for_what_follows_its_request() {
    let scene = Scene::new().await;
    let address = scene.host.address();
    let request = format!(
        "POST /getImFavoriteFolders HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    for follows in ["", "\r\n", "POST /getIm", &request[..60], &request] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all((request.clone() + follows).as_bytes()).await.unwrap();
        let mut answer = [0; 15];
        within("the answer", stream.read_exact(&mut answer)).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK", "{follows:?}");
    }
}

#[tokio::test]
async fn an_origin_is_absent_or_known() {
    let scene = Scene::launched(|_| {}, |launch| launch.args(["--allow-origin", "https://app.example"])).await;
    let host = &scene.host;
    let own = host.address().to_string();
    for origin in [
        "https://app.example".to_owned(),
        format!("http://{own}"),
        format!("http://localhost:{}", host.address().port()),
    ] {
        assert_eq!(
            statuses(host, &own, &[("origin", &origin)]).await,
            (200, 101),
            "{origin}"
        );
    }
    for origin in [
        "null",
        "https://evil.example",
        "http://app.example",
        "https://app.example.evil",
        "https://app.example:444",
        "http://localhost",
        "",
    ] {
        assert_eq!(
            statuses(host, &own, &[("origin", origin)]).await,
            (403, 403),
            "{origin}"
        );
    }
    // Only the allowed origin may read the answer.
    let request =
        wire::request(Method::OPTIONS, host.address(), "/getImFavoriteFolders").header(ORIGIN, "https://app.example");
    let reply = wire::send(host.address(), request.body(Full::default()).unwrap()).await;
    assert_eq!(reply.status, 204);
    assert_eq!(reply.headers["access-control-allow-origin"], "https://app.example");
    assert!(!reply.headers.contains_key("access-control-allow-credentials"));
    let request = wire::request(Method::OPTIONS, host.address(), "/").header(ORIGIN, "https://evil.example");
    let reply = wire::send(host.address(), request.body(Full::default()).unwrap()).await;
    assert_eq!(reply.status, 403);
}

#[tokio::test]
async fn a_post_is_json() {
    let scene = Scene::new().await;
    let address = scene.host.address();
    for (content_type, status) in [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/jsonx", 415),
        ("", 415),
    ] {
        let request = wire::request(Method::POST, address, "/getImFavoriteFolders").header(CONTENT_TYPE, content_type);
        let reply = wire::send(address, request.body(Full::from(BODY)).unwrap()).await;
        assert_eq!(reply.status, status, "{content_type}");
        reply.envelope();
    }
    let bare = wire::request(Method::POST, address, "/getImFavoriteFolders")
        .body(Full::from(BODY))
        .unwrap();
    assert_eq!(wire::send(address, bare).await.status, 415);
}

#[tokio::test]
async fn every_route_requires_the_token() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path()).args(["--token", "secret"]).start().await;
    let own = host.address().to_string();
    for (headers, statuses_expected) in [
        (&[][..], (401, 401)),
        (&[("authorization", "Bearer wrong")], (401, 401)),
        (&[("authorization", "secret")], (401, 401)),
        (&[("authorization", "Basic c2VjcmV0")], (401, 401)),
        (
            &[("authorization", "Bearer secret"), ("authorization", "Bearer secret")],
            (401, 401),
        ),
        (&[("authorization", "Bearer secret")], (200, 101)),
    ] {
        assert_eq!(statuses(&host, &own, headers).await, statuses_expected, "{headers:?}");
    }
    let browser = handshake(host.address(), &[]).header("sec-websocket-protocol", "stowage.bearer.secret");
    assert_eq!(Feed::status(host.address(), browser.body(()).unwrap()).await, 101);
    assert!(!host.log().contains("secret"), "the token is not in the log");
}

/// A page with a wrong token saw a broken connection, and tried again and again: no browser showed
/// it the status of a refusal.
#[tokio::test]
async fn a_page_of_an_allowed_origin_reads_why_it_is_refused() {
    let launch = ["--token", "secret", "--allow-origin", "https://app.example"];
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path()).args(launch).start().await;
    for (origin, status, readable) in [
        ("https://app.example", 401, Some("https://app.example")),
        ("https://evil.example", 403, None),
    ] {
        for path in ["/getImFavoriteFolders", "/files/uploads"] {
            let request = wire::request(Method::POST, host.address(), path)
                .header(ORIGIN, origin)
                .header(CONTENT_TYPE, "application/json");
            let reply = wire::send(host.address(), request.body(Full::from(BODY)).unwrap()).await;
            assert_eq!(reply.status, status, "{origin} {path}");
            let allowed = reply.headers.get("access-control-allow-origin");
            assert_eq!(
                allowed.map(|value| value.to_str().unwrap()),
                readable,
                "{origin} {path}"
            );
        }
    }
}

#[tokio::test]
async fn an_address_that_others_reach_needs_a_token() {
    let dir = tempfile::tempdir().unwrap();
    let serve = Cli::new(["serve", "--listen", "0.0.0.0:0"]).data(dir.path());
    let refused = serve.run().await;
    assert!(refused.status != 0 && refused.stderr.contains("token"), "{refused}");
    assert!(refused.stdout.is_empty(), "{refused}");
    // One that is guessed in a day is none.
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let short = Launch::new(dir.path())
            .listen(listen)
            .args(["--token", "fifteen letters"]);
        let short = short.refused().await;
        assert!(short.stderr.contains("spaces"), "{short}");
        let short = Launch::new(dir.path())
            .listen(listen)
            .args(["--token", "fifteen-letters"]);
        let short = short.refused().await;
        assert!(short.stderr.contains("at least 16 characters"), "{short}");
    }
}

#[tokio::test]
async fn a_short_token_on_loopback_is_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path())
        .args(["--token", "fifteen-letters"])
        .start()
        .await;
    assert!(host.log().contains("may be guessed"), "{}", host.log());
    assert!(!host.log().contains("fifteen-letters"));
    let host = Launch::new(dir.path().join("other"))
        .args(["--token", "sixteen-letters-"])
        .start()
        .await;
    assert!(!host.log().contains("may be guessed"), "{}", host.log());
}
