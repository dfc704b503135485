//! Tokens: each route asks for one, but for those that tell nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use stowage_tests::admin::Admin;
use stowage_tests::feed::{Feed, handshake};
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::wait::within;
use stowage_tests::wire;
use tokio::net::TcpStream;

const TOKEN: &str = "a-Token-of-30-characters-4f9c2";

/// What a route asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    Token,
    AdminToken,
    /// One of both.
    EitherToken,
    /// The page of the console and the begin of a session: a link is their credential. And probes:
    /// they tell nothing of what is stored.
    Nothing,
}
use Asks::{AdminToken, EitherToken, Nothing, Token};

/// Routes whose paths are in the source, and what each asks for. The methods of the API come from
/// its description.
const ROUTES: [(&str, &str, Asks); 36] = [
    ("GET", "/ws", Token),
    ("GET", "/openapi.json", Token),
    ("GET", "/asyncapi.json", Token),
    ("PUT", "/files", Token),
    ("POST", "/files", Token),
    ("GET", "/files/HASH", Token),
    ("HEAD", "/files/HASH", Token),
    ("POST", "/files/uploads", Token),
    ("HEAD", "/files/uploads/ID", Token),
    ("PATCH", "/files/uploads/ID", Token),
    ("DELETE", "/files/uploads/ID", Token),
    ("GET", "/admin/modules", AdminToken),
    ("GET", "/admin/overview", AdminToken),
    ("GET", "/admin/history", AdminToken),
    ("GET", "/admin/migration", AdminToken),
    ("GET", "/admin/record", AdminToken),
    ("POST", "/admin/record", AdminToken),
    ("POST", "/admin/modules/check", AdminToken),
    ("POST", "/admin/modules/swap", AdminToken),
    ("POST", "/admin/modules/shadow", AdminToken),
    ("POST", "/admin/modules/canary", AdminToken),
    ("POST", "/admin/modules/canary/percent", AdminToken),
    ("POST", "/admin/modules/promote", AdminToken),
    ("POST", "/admin/modules/abort", AdminToken),
    ("POST", "/admin/modules/rollback", AdminToken),
    ("POST", "/admin/modules/unload", AdminToken),
    ("POST", "/admin/console/link", AdminToken),
    ("GET", "/admin/backup", AdminToken),
    ("POST", "/admin/backup", AdminToken),
    ("GET", "/admin/db/check", AdminToken),
    ("GET", "/admin/db/dump", AdminToken),
    ("GET", "/metrics", EitherToken),
    ("GET", "/healthz", Nothing),
    ("GET", "/readyz", Nothing),
    ("GET", "/console/info", Nothing),
    ("GET", "/console", Nothing),
];

/// Texts in the source that begin like a path, and why they are no route of their own.
const NO_ROUTES: [&str; 4] = [
    // What the paths of routes begin with.
    "/admin/",
    "/console/",
    // Begins a session with the secret of a link. The tests of the console have it.
    "/console/session",
    // A file that the build makes.
    "/console.rs",
];

/// The texts in quotes in a source file, without its tests.
fn literals(source: &str) -> Vec<&str> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split('"').skip(1).step_by(2)).collect()
}

fn source_files(dir: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_files(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// The paths of routes that the source of the server names.
fn paths_in_source() -> BTreeSet<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/src");
    let mut files = Vec::new();
    for dir in ["server", "admin", "console"] {
        source_files(&source.join(dir), &mut files);
    }
    let mut paths = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let is_path = |text: &&str| text.starts_with('/') && text[1..].starts_with(|c: char| c.is_ascii_lowercase());
        paths.extend(literals(&text).into_iter().filter(is_path).map(str::to_owned));
        // Its routes are named without what they all begin with.
        if file.ends_with("admin/route.rs") {
            let of = text.split("fn of").nth(1).unwrap().split("_ =>").next().unwrap();
            let names = literals(of).into_iter().filter(|name| !name.starts_with('/'));
            paths.extend(names.map(|name| format!("/admin/{name}")));
        }
    }
    paths
}

#[test]
fn each_route_of_the_source_is_in_the_table() {
    let paths = paths_in_source();
    assert!(paths.len() > 20, "the source is read: {paths:?}");
    let known: BTreeSet<_> = ROUTES.iter().map(|(_, path, _)| *path).chain(NO_ROUTES).collect();
    let missing: Vec<_> = paths.iter().filter(|path| !known.contains(path.as_str())).collect();
    assert!(
        missing.is_empty(),
        "say in ROUTES what these routes ask for: {missing:?}"
    );
}

/// Every route with a method, and what it asks for: those of the table, and the API's methods.
async fn all_routes(host: &TestHost) -> Vec<(Method, String, Asks)> {
    let request = wire::request(Method::GET, host.address(), "/openapi.json")
        .header(AUTHORIZATION, format!("Bearer {TOKEN}"))
        .body(Full::default())
        .unwrap();
    let description: Value = serde_json::from_slice(&wire::send(host.address(), request).await.body).unwrap();
    let methods = description["paths"].as_object().unwrap().keys().cloned();
    // Those of files are in the table.
    let methods: Vec<_> = methods.filter(|path| !path.starts_with("/files")).collect();
    assert!(methods.len() >= 40, "{methods:?}");
    let table = ROUTES
        .iter()
        .map(|(method, path, asks)| (method.parse().unwrap(), (*path).to_owned(), *asks));
    table
        .chain(methods.into_iter().map(|path| (Method::POST, path, Token)))
        .collect()
}

async fn status(host: &TestHost, method: &Method, path: &str, credential: Option<&str>) -> u16 {
    let bearer = credential.map(|credential| format!("Bearer {credential}"));
    if path == "/ws" {
        let mut request = handshake(host.address(), &[]);
        if let Some(bearer) = bearer {
            request = request.header(AUTHORIZATION, bearer);
        }
        return Feed::status(host.address(), request.body(()).unwrap()).await;
    }
    let mut request = wire::request(method.clone(), host.address(), path).header(CONTENT_TYPE, "application/json");
    if let Some(bearer) = bearer {
        request = request.header(AUTHORIZATION, bearer);
    }
    wire::send(host.address(), request.body(Full::default()).unwrap())
        .await
        .status
}

#[tokio::test]
async fn each_route_asks_for_its_token() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path()).args(["--token", TOKEN]).start().await;
    let admin = Admin::of(&host).token().to_owned();
    let routes = all_routes(&host).await;
    let mut refused = 0;
    for (method, path, asks) in &routes {
        let shown = format!("{method} {path}");
        let (right, other) = match asks {
            Token => (TOKEN, admin.as_str()),
            AdminToken => (admin.as_str(), TOKEN),
            EitherToken => (TOKEN, "another"),
            Nothing => {
                assert_ne!(status(&host, method, path, None).await, 401, "{shown}");
                continue;
            }
        };
        let upper = right.to_uppercase();
        let longer = format!("{right}x");
        for wrong in [
            None,
            Some("wrong"),
            Some(&right[..right.len() - 1]),
            Some(&longer),
            Some(&upper),
            Some(other),
        ] {
            assert_eq!(status(&host, method, path, wrong).await, 401, "{shown} with {wrong:?}");
            refused += 1;
            // Wrong tokens in a row would have to wait.
            assert_eq!(status(&host, &Method::GET, "/openapi.json", Some(TOKEN)).await, 200);
            assert_eq!(status(&host, &Method::GET, "/admin/modules", Some(&admin)).await, 200);
        }
        assert!(
            !matches!(status(&host, method, path, Some(right)).await, 401 | 403 | 421 | 429),
            "{shown}"
        );
    }
    let [first, last] = times_of_wrong_tokens(&host).await;
    println!(
        "scorecard: H3 {} routes: {refused} wrong or missing tokens got 401; the mean time of a refusal is {} ns if the \
         first character is wrong, {} ns if only the last one is",
        routes.len(),
        first.as_nanos(),
        last.as_nanos()
    );
}

/// The mean time of a refusal, for a token whose first character is wrong and for one whose last
/// one is. The server compares hashes, so that both take the same work.
async fn times_of_wrong_tokens(host: &TestHost) -> [Duration; 2] {
    const ROUNDS: u32 = 1000;
    let stream = TcpStream::connect(host.address()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let first = format!("X{}", &TOKEN[1..]);
    let last = format!("{}X", &TOKEN[..TOKEN.len() - 1]);
    let mut sums = [Duration::ZERO; 2];
    for round in 0..ROUNDS {
        // Alternately in both orders, each time after the right one.
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for which in order {
            for (token, expected) in [(TOKEN, 200), ([&first, &last][which].as_str(), 401)] {
                let request: Request<Full<bytes::Bytes>> = wire::request(Method::HEAD, host.address(), "/openapi.json")
                    .header(AUTHORIZATION, format!("Bearer {token}"))
                    .body(Full::default())
                    .unwrap();
                let began = Instant::now();
                let response = within("an answer", sender.send_request(request)).await.unwrap();
                if expected == 401 {
                    sums[which] += began.elapsed();
                }
                assert_eq!(response.status(), expected);
                response.into_body().collect().await.unwrap();
            }
        }
    }
    drop(sender);
    within("the end of the connection", connection).await.unwrap().unwrap();
    sums.map(|sum| sum / ROUNDS)
}

/// Headers that every response has, whatever its route.
#[tokio::test]
async fn each_response_tells_browsers_to_be_careful() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path()).args(["--token", TOKEN]).start().await;
    let admin = Admin::of(&host).token().to_owned();
    for (method, path, asks) in all_routes(&host).await {
        for credential in [None, Some(TOKEN), Some(&admin)] {
            if path == "/ws" {
                continue;
            }
            // Only one wrong token for each right one: see above.
            let is_right = (asks == AdminToken) == (credential == Some(admin.as_str()));
            if credential.is_some() && !is_right {
                continue;
            }
            let mut request =
                wire::request(method.clone(), host.address(), &path).header(CONTENT_TYPE, "application/json");
            if let Some(credential) = credential {
                request = request.header(AUTHORIZATION, format!("Bearer {credential}"));
            }
            let reply = wire::send(host.address(), request.body(Full::default()).unwrap()).await;
            let shown = format!("{method} {path} ({})", reply.status);
            assert_eq!(reply.headers["x-content-type-options"], "nosniff", "{shown}");
            assert_eq!(reply.headers["cross-origin-resource-policy"], "same-origin", "{shown}");
            assert!(reply.headers.contains_key("cache-control"), "{shown}");
            for never in ["access-control-allow-credentials", "server", "x-powered-by"] {
                assert!(!reply.headers.contains_key(never), "{shown}: {never}");
            }
        }
    }
}
