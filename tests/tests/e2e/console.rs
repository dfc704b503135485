//! The console: its files, who gets a session, and what a session opens.

use http::Method;
use http_body_util::Full;
use serde_json::{Value, json};
use stowage_tests::admin::Admin;
use stowage_tests::cli::Cli;
use stowage_tests::console::{
    bearer, exchange, first_secret, get, json_of, own_origin, secret_of, send, session, session_request,
};
use stowage_tests::feed::{Feed, handshake};
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::wire;
use tempfile::TempDir;

const JSON: (&str, &str) = ("content-type", "application/json");

async fn launched(args: &[&str]) -> (TestHost, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path().join("data"))
        .args(args.iter().copied())
        .start()
        .await;
    (host, dir)
}

/// The statuses of the API, of files, of the websocket and of the admin API with a token.
async fn opened_by(host: &TestHost, token: &str, headers: &[(&str, &str)]) -> [u16; 4] {
    let (name, value) = bearer(token);
    let mut headers = headers.to_vec();
    headers.extend([(name, value.as_str()), JSON]);
    let api = send(
        host,
        Method::POST,
        "/getImFavoriteFolders",
        &headers,
        r#"{"page":1,"pageSize":1}"#,
    )
    .await;
    let files = get(host, "/files/none", &headers).await;
    let mut ws = handshake(host.address(), &[]).header("sec-websocket-protocol", format!("stowage.bearer.{token}"));
    for (name, value) in headers.iter().filter(|(name, _)| *name != "authorization") {
        ws = ws.header(*name, *value);
    }
    let ws = Feed::status(host.address(), ws.body(()).unwrap()).await;
    let admin = get(host, "/admin/modules", &headers).await;
    [api.status, files.status, ws, admin.status]
}

/// The path of a script that the page loads. None if this build has no console, which only a build
/// without npm may have.
async fn script(host: &TestHost) -> Option<String> {
    let page = get(host, "/", &[]).await;
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    let start = text.find("/console/assets/").map(|start| &text[start..]);
    let path = start.and_then(|rest| rest.split('"').find(|path| path.ends_with(".js")));
    if path.is_none() {
        assert!(text.contains("This build has no console"), "{text}");
        let required = std::env::var("STOWAGE_TEST_REQUIRE").is_ok_and(|value| value == "1");
        assert!(
            !required,
            "the binary has no console: run `make build` with npm installed"
        );
        eprintln!("SKIPPED: the files of the console, because this build has none; `make build` makes it");
    }
    path.map(str::to_owned)
}

#[tokio::test]
async fn the_page_needs_no_token_and_loads_nothing_from_elsewhere() {
    let (host, _dir) = launched(&["--token", "secret"]).await;
    let page = get(&host, "/", &[]).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(page.headers["cache-control"], "no-cache");
    assert_eq!(
        page.headers["content-security-policy"],
        format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
             media-src blob:; connect-src 'self' ws://{}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            host.address()
        )
    );
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(page.headers[name], value, "{name}");
    }
    let head = send(&host, Method::HEAD, "/", &[], "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.headers["content-length"], page.body.len().to_string());
    let tag = page.headers["etag"].to_str().unwrap();
    let again = get(&host, "/", &[("if-none-match", tag)]).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert!(again.headers.contains_key("content-security-policy"));
    for path in ["/console", "/console/"] {
        let moved = get(&host, path, &[]).await;
        assert_eq!((moved.status, &moved.headers["location"]), (308, &"/".parse().unwrap()));
    }
    for path in [
        "/console/none",
        "/console/assets/",
        "/console/../Cargo.toml",
        "/console/index.html/",
    ] {
        assert_eq!(get(&host, path, &[]).await.status, 404, "{path}");
    }
    for method in [Method::PUT, Method::DELETE, Method::OPTIONS, Method::POST] {
        let headers = [JSON, ("origin", &*own_origin(&host))];
        let refused = send(&host, method, "/console/info", &headers, "{}").await;
        assert_eq!(
            (refused.status, &refused.headers["allow"]),
            (405, &"GET, HEAD".parse().unwrap())
        );
    }
    let wrong_host = get(&host, "/", &[("host", "evil.example")]).await;
    assert_eq!(wrong_host.status, 421);
}

#[tokio::test]
async fn files_with_a_hash_in_their_name_are_kept_and_come_compressed() {
    let (host, _dir) = launched(&[]).await;
    let Some(path) = script(&host).await else { return };
    let plain = get(&host, &path, &[]).await;
    assert_eq!(plain.status, 200);
    assert_eq!(plain.headers["content-type"], "text/javascript; charset=utf-8");
    assert_eq!(plain.headers["cache-control"], "public, max-age=31536000, immutable");
    assert!(!plain.headers.contains_key("content-encoding"));
    for (accepted, encoding) in [("br", "br"), ("gzip, deflate, br, zstd", "br"), ("gzip", "gzip")] {
        let reply = get(&host, &path, &[("accept-encoding", accepted)]).await;
        assert_eq!(reply.headers["content-encoding"], encoding);
        assert_eq!(reply.headers["vary"], "accept-encoding");
        assert!(reply.body.len() < plain.body.len());
        assert_ne!(
            reply.headers["etag"], plain.headers["etag"],
            "each encoding has its tag"
        );
    }
}

#[tokio::test]
async fn without_a_session_only_the_version_is_told() {
    for (args, token_required) in [(&["--token", "secret"][..], true), (&[], false)] {
        let (host, _dir) = launched(args).await;
        let (status, info) = json_of(&get(&host, "/console/info", &[]).await);
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            (status, info),
            (200, json!({"version": version, "tokenRequired": token_required}))
        );
    }
}

#[tokio::test]
async fn a_secret_opens_one_session() {
    let (host, _dir) = launched(&["--token", "secret"]).await;
    let secret = first_secret(&host).await;
    let (status, refused) = exchange(&host, "wrong").await;
    assert_eq!(status, 401);
    assert!(
        refused["error"]["message"]
            .as_str()
            .unwrap()
            .contains("`stowage console`")
    );
    // All at once: one of them is the first.
    let tries = (0..8).map(|_| exchange(&host, &secret));
    let mut statuses: Vec<_> = futures_util::future::join_all(tries)
        .await
        .into_iter()
        .map(|t| t.0)
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401, 401, 401, 401, 401, 401, 401]);
    assert_eq!(exchange(&host, &secret).await.0, 401);
    assert!(!host.log().contains(&secret), "a secret is not in the log");
}

#[tokio::test]
async fn a_session_begins_only_at_the_servers_own_page() {
    let (host, _dir) = launched(&["--allow-origin", "https://app.example"]).await;
    let secret = first_secret(&host).await;
    let body = json!({"secret": secret}).to_string();
    let own = own_origin(&host);
    for (headers, body, status) in [
        (&[JSON][..], &*body, 403),
        (&[JSON, ("origin", "https://app.example")], &body, 403),
        (&[JSON, ("origin", "https://evil.example")], &body, 403),
        (&[JSON, ("origin", "null")], &body, 403),
        (&[JSON, ("origin", &own), ("origin", &own)], &body, 403),
        (&[("origin", &own)], &body, 415),
        (&[("origin", &own), ("content-type", "text/plain")], &body, 415),
        (&[JSON, ("origin", &own)], "", 400),
        (&[JSON, ("origin", &own)], "[]", 400),
        (&[JSON, ("origin", &own)], r#"{"key":"x"}"#, 400),
        (&[JSON, ("origin", &own)], r#"{"secret":1}"#, 400),
        (&[JSON, ("origin", &own)], &" ".repeat(5000), 400),
        (&[JSON, ("origin", &own)], "{}", 401),
        (&[JSON, ("origin", &own)], r#"{"secret":null}"#, 401),
    ] {
        let reply = send(&host, Method::POST, "/console/session", headers, body).await;
        let (found, error) = json_of(&reply);
        assert_eq!(found, status, "{headers:?} {body}");
        assert!(!error["error"]["message"].as_str().unwrap().is_empty());
        assert!(!reply.headers.contains_key("access-control-allow-origin"));
    }
    let reply = get(&host, "/console/session", &[]).await;
    assert_eq!((reply.status, &reply.headers["allow"]), (405, &"POST".parse().unwrap()));
    // None of them has used the secret up.
    session(&host, &secret).await;
}

#[tokio::test]
async fn a_session_opens_everything_to_the_servers_own_pages_only() {
    let (host, _dir) = launched(&["--token", "secret", "--allow-origin", "https://app.example"]).await;
    let token = session(&host, &first_secret(&host).await).await;
    let own = own_origin(&host);
    // A file that is not there is the answer of the module behind the gate.
    let all = [200, 400, 101, 200];
    for headers in [
        &[][..],
        &[("origin", &*own)],
        &[("origin", &own), ("sec-fetch-site", "same-origin")],
    ] {
        assert_eq!(opened_by(&host, &token, headers).await, all, "{headers:?}");
    }
    for headers in [
        &[("origin", "https://app.example")][..],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "none")],
        &[("origin", &own), ("sec-fetch-site", "cross-site")],
    ] {
        assert_eq!(opened_by(&host, &token, headers).await, [403; 4], "{headers:?}");
    }
    let mut forged = token.clone();
    // A character in the middle: each of its six bits counts.
    let other = if &forged[20..21] == "A" { "B" } else { "A" };
    forged.replace_range(20..21, other);
    for refused in [&forged, &token[..60], "console-", "wrong"] {
        assert_eq!(opened_by(&host, refused, &[]).await, [401; 4], "{refused}");
    }
    let (name, value) = bearer(&forged);
    let (_, error) = json_of(&get(&host, "/admin/modules", &[(name, &value)]).await);
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("`stowage console`"),
        "{error}"
    );
    assert!(!host.log().contains(&token), "a token is not in the log");
}

#[tokio::test]
async fn the_rules_for_host_and_content_hold_for_a_session_too() {
    let (host, _dir) = launched(&[]).await;
    let token = session(&host, &first_secret(&host).await).await;
    let (name, value) = bearer(&token);
    let auth = (name, &*value);
    let evil = get(&host, "/admin/modules", &[auth, ("host", "evil.example")]).await;
    assert_eq!(evil.status, 421);
    let text = [auth, ("content-type", "text/plain")];
    for path in ["/getImFavoriteFolders", "/admin/modules/rollback"] {
        assert_eq!(send(&host, Method::POST, path, &text, "{}").await.status, 415, "{path}");
    }
    assert_eq!(get(&host, "/admin/modules", &[auth, auth]).await.status, 401);
}

#[tokio::test]
async fn a_session_is_renewed_and_goes_on_after_a_restart() {
    let (host, _dir) = launched(&["--token", "secret"]).await;
    let token = session(&host, &first_secret(&host).await).await;
    let renew = |host: &TestHost, token: &str| {
        let (name, value) = bearer(token);
        let mut request = session_request(host, json!({}));
        request.headers_mut().insert(name, value.parse().unwrap());
        wire::send(host.address(), request)
    };
    let (status, renewed) = json_of(&renew(&host, &token).await);
    assert_eq!(status, 200, "{renewed}");
    let renewed = renewed["token"].as_str().unwrap().to_owned();
    assert_ne!(renewed, token);
    let host = host.restart().await;
    for token in [&token, &renewed] {
        assert_eq!(opened_by(&host, token, &[]).await, [200, 400, 101, 200]);
    }
    assert_eq!(renew(&host, &renewed).await.status, 200);
    let (other, _other_dir) = launched(&["--token", "secret"]).await;
    assert_eq!(opened_by(&other, &token, &[]).await, [401; 4], "another data directory");
    assert_eq!(renew(&other, &token).await.status, 401);
}

#[tokio::test]
async fn a_link_can_be_asked_for() {
    let (host, _dir) = launched(&[]).await;
    let admin = Admin::of(&host);
    let (status, link) = admin.post("console/link", json!({})).await;
    assert_eq!(status, 200, "{link}");
    let url = link["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("http://{}/#key=", host.address())), "{url}");
    assert!(link["until"].as_u64().unwrap() > 1_700_000_000_000);
    session(&host, &secret_of(url)).await;
    assert_eq!(admin.post("console/link", json!({"page": 1})).await.0, 400);
    assert_eq!(admin.get("console/link").await.0, 405);

    let printed = host.cli(["console", "--no-open"]).succeeds().await;
    assert_eq!(printed.stderr, "");
    session(&host, &secret_of(printed.stdout.trim())).await;
    let json = host.cli(["console", "--json"]).succeeds().await.json();
    session(&host, &secret_of(json["url"].as_str().unwrap())).await;
    let unopened = host.cli(["console"]).env("PATH", "").succeeds().await;
    session(&host, &secret_of(unopened.stdout.trim())).await;
}

#[tokio::test]
async fn without_a_console_nothing_is_there() {
    let (host, dir) = launched(&["--no-console"]).await;
    for path in ["/", "/console", "/console/", "/console/info", "/console/session"] {
        let (status, body) = json_of(&get(&host, path, &[]).await);
        assert_eq!(status, 404, "{path}");
        assert!(
            body["error"]["message"].as_str().unwrap().contains("--no-console"),
            "{body}"
        );
    }
    assert_eq!(exchange(&host, "any").await.0, 404);
    let (status, refused) = Admin::of(&host).post("console/link", json!({})).await;
    assert_eq!(status, 404, "{refused}");
    let refused = host.cli(["console"]).fails(1).await;
    assert!(refused.stderr.contains("--no-console"), "{refused}");
    assert_eq!(
        host.post("/", "{}").await.envelope()["data"],
        Value::Null,
        "POST / is the API's"
    );
    let launch = host.stop().await;
    let file = dir.path().join("settings.toml");
    std::fs::write(&file, "no-console = true\n").unwrap();
    let host = Launch::new(dir.path().join("other")).args(["--config".to_owned(), file.display().to_string()]);
    assert_eq!(
        get(&host.start().await, "/", &[]).await.status,
        404,
        "by the settings file"
    );
    let refused = Cli::new(["console"]).data(launch.data()).fails(2).await;
    assert!(refused.stderr.contains("stowage serve"), "{refused}");
}

#[tokio::test]
async fn a_page_of_another_origin_gets_nothing_of_the_console() {
    let (host, _dir) = launched(&["--allow-origin", "https://app.example"]).await;
    for path in ["/", "/console/info"] {
        let reply = get(&host, path, &[("origin", "https://app.example")]).await;
        assert_eq!(reply.status, 403, "{path}");
        assert!(!reply.headers.contains_key("access-control-allow-origin"));
    }
    let preflight = wire::request(Method::OPTIONS, host.address(), "/console/session")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "POST");
    let reply = wire::send(host.address(), preflight.body(Full::default()).unwrap()).await;
    assert_eq!(reply.status, 403);
    assert!(!reply.headers.contains_key("access-control-allow-methods"));
}
