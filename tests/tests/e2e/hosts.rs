//! Hosts and origins: what a web page can make a browser send changes nothing.
//!
//! A page of any site can make a browser send requests to loopback, and can point its own name
//! there (DNS rebinding). The tables below are what the server answers to each Host and each
//! Origin, on each kind of route.

use serde_json::{Value, json};
use stowage_tests::admin::Admin;
use stowage_tests::host::TestHost;
use stowage_tests::scene::Scene;
use stowage_tests::wire;

/// What a Host gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// What the route answers.
    Answered,
    /// 421: it is not this server's.
    Misdirected,
    /// 400: it is no header of HTTP.
    Malformed,
}
use Expected::{Answered, Malformed, Misdirected};

/// A kind of route: how a request to it begins, what follows its Host, and its answer.
struct Kind {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    rest: String,
    answer: u16,
}

fn body(content_type: &str, body: &str) -> String {
    format!(
        "Content-Type: {content_type}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn kinds(host: &TestHost) -> Vec<Kind> {
    let kind = |name, method, path, rest: String, answer| Kind {
        name,
        method,
        path,
        rest,
        answer,
    };
    let token = Admin::of(host).token().to_owned();
    let none = "Connection: close\r\n\r\n".to_owned();
    vec![
        kind(
            "the API",
            "POST",
            "/getImFavoriteFolders",
            body("application/json", r#"{"page":1,"pageSize":1}"#),
            200,
        ),
        kind(
            "the feed",
            "GET",
            "/ws",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                .into(),
            101,
        ),
        // Without the fields of a file: it is refused after the gate.
        kind("a file", "PUT", "/files", body("text/plain", "x"), 400),
        kind(
            "tus",
            "OPTIONS",
            "/files/uploads",
            "Tus-Resumable: 1.0.0\r\nConnection: close\r\n\r\n".into(),
            204,
        ),
        kind(
            "the admin API",
            "GET",
            "/admin/modules",
            format!("Authorization: Bearer {token}\r\n{none}"),
            200,
        ),
        kind("the console", "GET", "/console/info", none.clone(), 200),
        kind("a description", "GET", "/openapi.json", none, 200),
    ]
}

/// The headers that name a host, and what they get. `P` stands for the port.
const HOSTS: &[(&str, &[u8], Expected)] = &[
    // The server's own names.
    ("", b"Host: 127.0.0.1:P\r\n", Answered),
    ("", b"Host: localhost:P\r\n", Answered),
    ("", b"Host: LOCALHOST:P\r\n", Answered),
    ("", b"Host: LocalHost:P\r\n", Answered),
    ("", b"Host: [::1]:P\r\n", Answered),
    ("", b"hOsT: \t 127.0.0.1:P \t\r\n", Answered),
    // One that was allowed.
    ("", b"Host: stowage.test\r\n", Answered),
    ("", b"Host: STOWAGE.TEST\r\n", Answered),
    ("", b"Host: stowage.test:P\r\n", Misdirected),
    ("", b"Host: stowage.test.\r\n", Misdirected),
    ("", b"Host: a.stowage.test\r\n", Misdirected),
    // None, several, empty ones.
    ("", b"", Misdirected),
    ("", b"Host:\r\n", Misdirected),
    ("", b"Host: \t \r\n", Misdirected),
    ("", b"Host: localhost:P\r\nHost: localhost:P\r\n", Misdirected),
    ("", b"Host: localhost:P\r\nHost: evil.example\r\n", Misdirected),
    ("", b"Host: evil.example\r\nHost: localhost:P\r\n", Misdirected),
    ("", b"Host: localhost:P, evil.example\r\n", Misdirected),
    ("", b"Host: localhost:P evil.example\r\n", Misdirected),
    ("", b"X-Forwarded-Host: localhost:P\r\n", Misdirected),
    // Names that a page points to loopback.
    ("", b"Host: evil.example\r\n", Misdirected),
    ("", b"Host: evil.example:P\r\n", Misdirected),
    ("", b"Host: localhost.evil.example:P\r\n", Misdirected),
    ("", b"Host: 127.0.0.1.nip.io:P\r\n", Misdirected),
    ("", b"Host: evil-localhost:P\r\n", Misdirected),
    ("", b"Host: localhost:P.evil.example\r\n", Misdirected),
    ("", b"Host: localhost:P@evil.example\r\n", Misdirected),
    ("", b"Host: localhost:P/\r\n", Misdirected),
    ("", b"Host: localhost:P#\r\n", Misdirected),
    ("", b"Host: localhost:P?\r\n", Misdirected),
    // Ports.
    ("", b"Host: localhost\r\n", Misdirected),
    ("", b"Host: 127.0.0.1\r\n", Misdirected),
    ("", b"Host: [::1]\r\n", Misdirected),
    ("", b"Host: localhost:\r\n", Misdirected),
    ("", b"Host: localhost:0\r\n", Misdirected),
    ("", b"Host: localhost:80\r\n", Misdirected),
    ("", b"Host: localhost:0P\r\n", Misdirected),
    ("", b"Host: localhost:+P\r\n", Misdirected),
    ("", b"Host: localhost:P0\r\n", Misdirected),
    ("", b"Host: :P\r\n", Misdirected),
    // Other spellings of loopback. 0.0.0.0 reaches loopback from a page.
    ("", b"Host: 0.0.0.0:P\r\n", Misdirected),
    ("", b"Host: [::]:P\r\n", Misdirected),
    ("", b"Host: 0:P\r\n", Misdirected),
    ("", b"Host: 127.1:P\r\n", Misdirected),
    ("", b"Host: 127.0.0.2:P\r\n", Misdirected),
    ("", b"Host: 2130706433:P\r\n", Misdirected),
    ("", b"Host: 0x7f000001:P\r\n", Misdirected),
    ("", b"Host: 0177.0.0.1:P\r\n", Misdirected),
    ("", b"Host: ::1:P\r\n", Misdirected),
    ("", b"Host: [::1]P\r\n", Misdirected),
    ("", b"Host: [0:0:0:0:0:0:0:1]:P\r\n", Misdirected),
    ("", b"Host: [::1%25lo]:P\r\n", Misdirected),
    ("", b"Host: [::ffff:127.0.0.1]:P\r\n", Misdirected),
    // Names that look alike, and characters that are none of a name.
    ("", b"Host: localhost.:P\r\n", Misdirected),
    ("", b"Host: user@localhost:P\r\n", Misdirected),
    ("", b"Host: user:password@localhost:P\r\n", Misdirected),
    ("", b"Host: http://localhost:P\r\n", Misdirected),
    ("", b"Host: xn--lcalhost-54a:P\r\n", Misdirected),
    ("", b"Host: l\xd0\xbecalhost:P\r\n", Misdirected),
    ("", b"Host: \xff\r\n", Misdirected),
    ("", b"Host: local%68ost:P\r\n", Misdirected),
    ("", b"Host: localhost%00:P\r\n", Misdirected),
    ("", b"Host: localhost:P\0\r\n", Malformed),
    ("", b"Host : localhost:P\r\n", Malformed),
    // A whole URL as the target must name the server too.
    ("http://localhost:P", b"Host: localhost:P\r\n", Answered),
    ("http://LOCALHOST:P", b"Host: 127.0.0.1:P\r\n", Answered),
    ("http://evil.example", b"Host: localhost:P\r\n", Misdirected),
    ("http://localhost:P", b"Host: evil.example\r\n", Misdirected),
    ("http://localhost:P", b"", Misdirected),
    ("http://localhost", b"Host: localhost:P\r\n", Misdirected),
    ("http://0.0.0.0:P", b"Host: localhost:P\r\n", Misdirected),
    ("http://user@localhost:P", b"Host: localhost:P\r\n", Misdirected),
];

/// Replaces `P` by the port where it stands for it: after a colon or a digit or a bracket.
fn with_port(text: &[u8], port: u16) -> Vec<u8> {
    let mut filled = Vec::new();
    for (index, byte) in text.iter().enumerate() {
        let before = index.checked_sub(1).map(|index| text[index]);
        match (byte, before) {
            (b'P', Some(b':' | b'0' | b'+' | b']')) => filled.extend(port.to_string().bytes()),
            _ => filled.push(*byte),
        }
    }
    filled
}

#[tokio::test]
async fn a_host_is_the_servers_own_on_each_route() {
    let scene = Scene::launched(|_| {}, |launch| launch.args(["--allow-host", "stowage.test"])).await;
    let (host, address) = (&scene.host, scene.host.address());
    let kinds = kinds(host);
    let mut refused = 0;
    for kind in &kinds {
        for (target, headers, expected) in HOSTS {
            let start = format!("{} {target}{} HTTP/1.1\r\n", kind.method, kind.path);
            let request = [
                with_port(start.as_bytes(), address.port()),
                with_port(headers, address.port()),
                kind.rest.clone().into_bytes(),
            ]
            .concat();
            let status = wire::first_status(address, &request).await;
            let wanted = match expected {
                Answered => kind.answer,
                Misdirected => 421,
                Malformed => 400,
            };
            refused += usize::from(*expected != Answered);
            assert_eq!(
                status,
                wanted,
                "{}, {target:?} {:?}",
                kind.name,
                String::from_utf8_lossy(headers)
            );
        }
    }
    println!(
        "scorecard: H1 {} hosts on {} kinds of routes, the websocket among them: {} requests as the table says, {refused} refused",
        HOSTS.len(),
        kinds.len(),
        HOSTS.len() * kinds.len()
    );
}

/// Who may call: everybody, pages of the allowed origin, or nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    /// No page, or one of the server's own.
    Own,
    /// One of the origin that `--allow-origin` names. It may use the API only.
    Allowed,
    Foreign,
}

fn origins() -> Vec<(&'static str, Page)> {
    vec![
        ("", Page::Own),
        ("Origin: http://127.0.0.1:P\r\n", Page::Own),
        ("Origin: http://localhost:P\r\n", Page::Own),
        ("Origin: http://[::1]:P\r\n", Page::Own),
        ("Origin: https://app.example\r\n", Page::Allowed),
        ("Origin: null\r\n", Page::Foreign),
        ("Origin: NULL\r\n", Page::Foreign),
        ("Origin:\r\n", Page::Foreign),
        ("Origin: *\r\n", Page::Foreign),
        ("Origin: http://localhost\r\n", Page::Foreign),
        ("Origin: http://localhost:1\r\n", Page::Foreign),
        ("Origin: http://localhost:0P\r\n", Page::Foreign),
        ("Origin: https://localhost:P\r\n", Page::Foreign),
        ("Origin: http://localhost:P/\r\n", Page::Foreign),
        ("Origin: http://localhost:P.evil.example\r\n", Page::Foreign),
        ("Origin: http://localhost:P@evil.example\r\n", Page::Foreign),
        ("Origin: http://0.0.0.0:P\r\n", Page::Foreign),
        ("Origin: http://app.example\r\n", Page::Foreign),
        ("Origin: https://app.example:444\r\n", Page::Foreign),
        ("Origin: https://app.example:443\r\n", Page::Foreign),
        ("Origin: https://app.example/\r\n", Page::Foreign),
        ("Origin: https://app.example.evil\r\n", Page::Foreign),
        ("Origin: https://evil.app.example\r\n", Page::Foreign),
        ("Origin: https://xapp.example\r\n", Page::Foreign),
        ("Origin: https://user@app.example\r\n", Page::Foreign),
        ("Origin: https://app.example,https://evil.example\r\n", Page::Foreign),
        ("Origin: https://app.example https://evil.example\r\n", Page::Foreign),
        ("Origin: chrome-extension://app.example\r\n", Page::Foreign),
        ("Origin: file://\r\n", Page::Foreign),
        (
            "Origin: https://app.example\r\nOrigin: https://app.example\r\n",
            Page::Foreign,
        ),
        (
            "Origin: https://app.example\r\nOrigin: https://evil.example\r\n",
            Page::Foreign,
        ),
    ]
}

#[tokio::test]
async fn an_origin_is_absent_or_allowed_on_each_route() {
    let scene = Scene::launched(|_| {}, |launch| launch.args(["--allow-origin", "https://app.example"])).await;
    let (host, address) = (&scene.host, scene.host.address());
    let (kinds, origins) = (kinds(host), origins());
    for kind in &kinds {
        for (origin, page) in &origins {
            let request = format!(
                "{} {} HTTP/1.1\r\nHost: {address}\r\n{origin}{}",
                kind.method, kind.path, kind.rest
            );
            let status = wire::first_status(address, &with_port(request.as_bytes(), address.port())).await;
            let only_own = matches!(kind.name, "the admin API" | "the console");
            let wanted = match page {
                Page::Own => kind.answer,
                Page::Allowed if !only_own => kind.answer,
                Page::Allowed | Page::Foreign => 403,
            };
            assert_eq!(status, wanted, "{}, {origin:?}", kind.name);
        }
    }
    let sent = changes_of_pages(host).await;
    println!(
        "scorecard: H2 {} origins on {} kinds of routes as the table says; {sent} simple requests of pages: 0 changes",
        origins.len(),
        kinds.len()
    );
}

/// Sends what a form or a script of a page can send without a preflight. Nothing may change.
/// Returns how many requests there were.
async fn changes_of_pages(host: &TestHost) -> usize {
    let address = host.address();
    let before = state(host).await;
    let json = r#"{"name":"from a page"}"#;
    let named = r#"{"__SERVER_ROUTE_MODULE":"storageApi","__SERVER_ROUTE_METHOD":"createImFavoriteFolder","name":"x"}"#;
    let form = "--x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nfrom a page\r\n--x--\r\n";
    let file = "--x\r\nContent-Disposition: form-data; name=\"f\"\r\nContent-Type: application/json\r\n\r\n\
                {\"platform\":3,\"name\":\"a\"}\r\n--x\r\nContent-Disposition: form-data; name=\"g\"; filename=\"a\"\r\n\r\n\
                bytes\r\n--x--\r\n";
    let foreign = "Origin: https://evil.example\r\n";
    let mut requests = Vec::new();
    for content_type in [
        "text/plain",
        "text/plain;charset=UTF-8",
        "text/plain; x=application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ] {
        for origin in ["", foreign, "Origin: null\r\n"] {
            for (path, content) in [
                ("/createImFavoriteFolder", json),
                ("/", named),
                ("/createImFavoriteFolder", form),
            ] {
                requests.push(format!(
                    "POST {path} HTTP/1.1\r\nHost: {address}\r\n{origin}{}",
                    body(content_type, content)
                ));
            }
        }
    }
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        requests.push(format!(
            "{method} /createImFavoriteFolder HTTP/1.1\r\nHost: {address}\r\n{foreign}{}",
            body("application/json", json)
        ));
    }
    requests.push(format!(
        "GET /createImFavoriteFolder?name=x HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    ));
    requests.push(format!(
        "POST /createImFavoriteFolder HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{json}",
        json.len()
    ));
    for path in ["/files", "/files/uploads"] {
        requests.push(format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\n{foreign}{}",
            body("multipart/form-data; boundary=x", file)
        ));
    }
    for path in ["/admin/modules/rollback", "/admin/modules/unload", "/console/session"] {
        requests.push(format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\n{foreign}{}",
            body("text/plain", r#"{"name":"favorites"}"#)
        ));
    }
    for request in &requests {
        let status = wire::first_status(address, request.as_bytes()).await;
        let start: String = request.chars().take(160).collect();
        assert!(matches!(status, 400..=499), "{status}: {start}");
    }
    assert_eq!(state(host).await, before);
    requests.len()
}

/// What a page could have changed.
async fn state(host: &TestHost) -> (Value, Value, Value) {
    let folders = host
        .ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 1000}))
        .await;
    let modules = Admin::of(host).list().await;
    let staged = std::fs::read_dir(host.data().join("staging/incoming")).map_or(0, Iterator::count);
    (folders, modules["generation"].clone(), json!(staged))
}
