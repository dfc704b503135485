//! The admin API: who may use it, and what it answers.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, ORIGIN};
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use stowage_tests::admin::Admin;
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::modules::{module, variant, version};
use stowage_tests::scene::Scene;
use stowage_tests::wire::{self, Reply};

/// The recording: three methods of one path.
const RECORD: [(&str, &str); 3] = [
    ("GET", "/admin/record"),
    ("POST", "/admin/record"),
    ("DELETE", "/admin/record"),
];

/// Every other route with its method.
const ROUTES: [(&str, &str); 16] = [
    ("GET", "/admin/modules"),
    ("GET", "/admin/modules/favorites/shadow"),
    ("GET", "/admin/modules/favorites/log"),
    ("GET", "/admin/overview"),
    ("GET", "/admin/history"),
    ("GET", "/admin/migration"),
    ("POST", "/admin/modules/check"),
    ("POST", "/admin/modules/swap"),
    ("POST", "/admin/modules/shadow"),
    ("POST", "/admin/modules/canary"),
    ("POST", "/admin/modules/canary/percent"),
    ("POST", "/admin/modules/promote"),
    ("POST", "/admin/modules/abort"),
    ("POST", "/admin/modules/rollback"),
    ("POST", "/admin/modules/unload"),
    ("POST", "/admin/console/link"),
];

/// Sends a request with these headers and no body. Every answer is JSON of the admin API, and no
/// page of a browser may read it.
async fn send(host: &TestHost, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    let address = host.address();
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header(HOST, address.to_string());
    }
    let reply = wire::send(address, request.body(Full::default()).unwrap()).await;
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    assert!(
        reply.status == 200 || body["error"]["message"].is_string(),
        "{method} {path}: {body}"
    );
    let cors = |name: &HeaderName| name.as_str().starts_with("access-control");
    assert!(!reply.headers.keys().any(cors), "{method} {path} {:?}", reply.headers);
    reply
}

#[tokio::test]
async fn every_route_requires_the_admin_token() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path()).start().await;
    let token = Admin::of(&host).token().to_owned();
    let mode = fs::metadata(host.data().join("admin.token"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let host = host.stop().await.args(["--token", "secret"]).start().await;
    assert_eq!(Admin::of(&host).token(), token, "it is kept over a restart");

    let right = format!("Bearer {token}");
    for (method, path) in ROUTES
        .into_iter()
        .chain(RECORD)
        .chain([("GET", "/admin/x"), ("OPTIONS", "/admin/modules")])
    {
        for headers in [
            &[][..],
            &[("authorization", "Bearer wrong")],
            &[("authorization", "Bearer secret")],
            &[("authorization", &token)],
            &[("authorization", &right), ("authorization", &right)],
            &[("sec-websocket-protocol", &format!("stowage.bearer.{token}"))],
        ] {
            let headers = [headers, &[("content-type", "application/json")]].concat();
            assert_eq!(
                send(&host, method, path, &headers).await.status,
                401,
                "{method} {path} {headers:?}"
            );
        }
        let headers = [("authorization", right.as_str()), ("content-type", "application/json")];
        assert_ne!(send(&host, method, path, &headers).await.status, 401, "{method} {path}");
    }
    let api = wire::request(Method::POST, host.address(), "/getImFavoriteFolders")
        .header(CONTENT_TYPE, "application/json")
        .header(AUTHORIZATION, &right);
    let reply = wire::send(
        host.address(),
        api.body(Full::from(r#"{"page":1,"pageSize":1}"#)).unwrap(),
    )
    .await;
    assert_eq!(reply.status, 401, "nor does it open the API");
    assert!(!host.log().contains(&token), "the token is not in the log");
}

#[tokio::test]
async fn other_origins_and_hosts_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let launch = Launch::new(dir.path()).args(["--allow-origin", "https://app.example"]);
    let host = launch.start().await;
    let token = format!("Bearer {}", Admin::of(&host).token());
    let own = format!("http://{}", host.address());
    for (header, value, status) in [
        ("origin", own.as_str(), 200),
        ("origin", "https://app.example", 403),
        ("origin", "null", 403),
        ("origin", "", 403),
        ("host", "evil.example", 421),
        ("host", "localhost:1", 421),
    ] {
        let headers = [("authorization", token.as_str()), (header, value)];
        let reply = send(&host, "GET", "/admin/modules", &headers).await;
        assert_eq!(reply.status, status, "{header}: {value}");
    }
    let preflight = wire::request(Method::OPTIONS, host.address(), "/admin/modules/swap").header(ORIGIN, &own);
    let reply = wire::send(host.address(), preflight.body(Full::default()).unwrap()).await;
    assert_eq!(reply.status, 401, "nobody is told what would be allowed");
}

#[tokio::test]
async fn a_malformed_request_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path()).start().await;
    let admin = Admin::of(&host);
    let token = format!("Bearer {}", admin.token());
    let before = admin.generation().await;
    for (method, path) in ROUTES {
        let other = if method == "GET" { "POST" } else { "GET" };
        let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
        let reply = send(&host, other, path, &headers).await;
        assert_eq!(
            (reply.status, reply.headers["allow"].as_bytes()),
            (405, method.as_bytes()),
            "{path}"
        );
        for content_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
            if method == "POST" {
                let headers = [("authorization", token.as_str()), ("content-type", content_type)];
                assert_eq!(
                    send(&host, method, path, &headers).await.status,
                    415,
                    "{path} {content_type}"
                );
            }
        }
    }
    for (action, fields) in [
        ("check", json!({})),
        ("swap", json!({})),
        ("shadow", json!({})),
        ("canary", json!({})),
    ] {
        assert_eq!(
            admin.post(&format!("modules/{action}"), fields).await.0,
            415,
            "{action} wants a module"
        );
    }
    assert_eq!(admin.upload("rollback", &[("favorites", b"x")], "").await.0, 415);
    for (action, fields, status) in [
        ("canary/percent", json!({"name": "favorites"}), 400),
        ("canary/percent", json!({"name": "favorites", "percent": 0}), 400),
        ("canary/percent", json!({"name": "favorites", "percent": 101}), 400),
        ("canary/percent", json!({"name": "favorites", "percent": 5}), 404),
        ("canary/percent", json!({"name": "no-such-module", "percent": 5}), 404),
        ("promote", json!({}), 400),
        ("promote", json!({"name": 5}), 404),
        ("promote", json!({"name": ["favorites"]}), 400),
        ("promote", json!({"name": "favorites", "percent": 5}), 400),
        ("promote", json!({"name": "favorites", "force": "yes"}), 400),
        ("promote", json!({"name": "no-such-module"}), 404),
        ("promote", json!({"name": "favorites"}), 404),
        ("abort", json!({"name": "no-such-module"}), 404),
        ("abort", json!({"name": "favorites"}), 404),
        ("rollback", json!({"to": "x"}), 400),
        ("rollback", json!({"to": 1_000_000}), 409),
        ("unload", json!({"name": "no-such-module"}), 404),
        ("unload", json!({"name": "favorites"}), 409),
    ] {
        let (got, body) = admin.post(&format!("modules/{action}"), fields.clone()).await;
        assert_eq!(got, status, "{action} {fields}: {body}");
    }
    let bytes = variant(&module("favorites"), "never live");
    for (query, status) in [
        ("&force=maybe", 400),
        ("&probation=-1", 400),
        ("&maxFaults=0", 400),
        ("&maxErrors=200", 400),
        ("&size=3", 400),
        ("&unknown=1", 400),
        ("&name=favorites&size=0", 400),
    ] {
        let (got, body) = admin.upload("swap", &[("favorites", &bytes)], query).await;
        assert_eq!(got, status, "{query}: {body}");
    }
    for name in ["", "..", "a%2Fb", "a%20b"] {
        assert_eq!(admin.upload("swap", &[(name, &bytes)], "").await.0, 400, "{name}");
    }
    for path in [
        "modules/no-such-module/shadow",
        "modules/favorites/shadow",
        "x",
        "modules/x",
        "modules/a/b/shadow",
        "modules/no-such-module/log",
        "modules/a/b/log",
    ] {
        assert_eq!(admin.get(path).await.0, 404, "{path}");
    }
    assert_eq!(admin.get("history?limit=x").await.0, 400);
    assert_eq!(admin.get("modules?x=1").await.0, 400);
    assert_eq!(admin.get("overview?since=x").await.0, 400);
    assert_eq!(admin.get("modules/favorites/log?after=-1").await.0, 400);
    assert_eq!(admin.get("migration").await, (200, json!({"migration": null})));
    assert_eq!(admin.generation().await, before);
}

#[tokio::test]
async fn a_module_that_is_too_large_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path()).start().await;
    let admin = Admin::of(&host);
    let large = vec![0; (64 << 20) + 1];
    assert_eq!(admin.upload("check", &[("large", &large)], "").await.0, 413);
    assert_eq!(admin.upload("swap", &[("large", &large)], "").await.0, 413);
    assert!(admin.module("favorites").await.is_some(), "the server goes on");
}

#[tokio::test]
async fn a_swap_is_listed_and_rolled_back() {
    let scene = Scene::new().await;
    let admin = Admin::of(&scene.host);
    let built_in = module("favorites");
    let before = admin.module("favorites").await.unwrap();
    assert_eq!(
        (&before["version"], &before["source"]),
        (&json!(version(&built_in)), &json!("built-in"))
    );
    assert_eq!(
        (&before["by"], &before["size"]),
        (&json!("start"), &json!(built_in.len()))
    );
    let methods = before["methods"].as_array().unwrap();
    assert!(
        methods
            .iter()
            .any(|m| m.as_str().unwrap().ends_with("createImFavoriteFolder")),
        "{methods:?}"
    );
    let first = admin.generation().await;

    let next = variant(&built_in, "next");
    let (status, check) = admin.upload("check", &[("favorites", &next)], "").await;
    assert_eq!((status, &check["passed"]), (200, &json!(true)), "{check:#}");
    assert_eq!(
        (&check["name"], &check["version"]),
        (&json!("favorites"), &json!(version(&next)))
    );
    assert!(!check["steps"].as_array().unwrap().is_empty());
    assert_eq!(admin.generation().await, first, "a check changes nothing");

    let report = admin
        .upload("swap", &[("favorites", &next)], "&from=/x/favorites.wasm&probation=30")
        .await
        .1;
    assert_eq!(
        (&report["generation"], &report["unchanged"]),
        (&json!(first + 1), &json!(false)),
        "{report:#}"
    );
    let after = admin.module("favorites").await.unwrap();
    assert_eq!(after["version"], version(&next));
    assert_eq!(
        (&after["by"], &after["source"]),
        (&json!("command"), &json!("/x/favorites.wasm"))
    );
    assert!(after["probation"]["until"].is_u64(), "{after:#}");
    assert_eq!(
        scene.host.ok("createImFavoriteFolder", json!({"name": "x"})).await,
        true
    );
    assert_eq!(admin.module("favorites").await.unwrap()["calls"]["calls"], 1);
    assert_eq!(admin.swap(&[("favorites", &next)]).await["unchanged"], true);

    let (status, report) = admin.post("modules/promote", json!({"name": "favorites"})).await;
    assert_eq!(status, 200, "{report:#}");
    assert_eq!(
        admin.module("favorites").await.unwrap()["probation"],
        Value::Null,
        "the probation has ended"
    );

    let (status, report) = admin.post("modules/rollback", json!({})).await;
    assert_eq!(
        (status, report["unchanged"].as_bool()),
        (200, Some(false)),
        "{report:#}"
    );
    assert_eq!(admin.version("favorites").await, Some(version(&built_in)));
    let (_, history) = admin.get("history?limit=10").await;
    let entries = history["history"].as_array().unwrap();
    let actions: Vec<_> = entries.iter().map(|e| e["action"].as_str().unwrap()).collect();
    assert_eq!(
        (actions.first(), actions.last()),
        (Some(&"rollback"), Some(&"start")),
        "{history:#}"
    );
    assert!(actions.contains(&"swap"));
    assert_eq!(
        admin.get("history?limit=1").await.1["history"]
            .as_array()
            .unwrap()
            .len(),
        1
    );

    let host = scene.host.restart().await;
    let admin = Admin::of(&host);
    assert_eq!(
        admin.version("favorites").await,
        Some(version(&built_in)),
        "a restart comes back with what was live"
    );
}

#[tokio::test]
async fn a_refused_module_has_a_report_and_refuses_the_whole_set() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path()).start().await;
    let admin = Admin::of(&host);
    let before = admin.generation().await;
    let good = variant(&module("common"), "good");
    for bad in [&b""[..], b"no module", b"\0asm\x01\0\0\0", &good[..good.len() / 2]] {
        let (status, check) = admin.upload("check", &[("favorites", bad)], "").await;
        assert_eq!((status, &check["passed"]), (200, &json!(false)), "{check:#}");
        let (status, body) = admin
            .upload("swap", &[("common", &good), ("favorites", bad)], "&force=true")
            .await;
        assert_eq!(status, 409, "{body:#}");
        let report = &body["error"]["report"];
        assert_eq!(
            (&report["name"], &report["passed"]),
            (&json!("favorites"), &json!(false)),
            "{body:#}"
        );
        assert!(
            report["steps"]
                .as_array()
                .unwrap()
                .iter()
                .any(|step| step["passed"] == false)
        );
    }
    // The bytes of another module have none of this module's functions.
    let other = module("common");
    let (status, body) = admin.upload("swap", &[("favorites", &other)], "").await;
    assert_eq!(status, 409, "{body:#}");
    assert_eq!(
        (admin.generation().await, admin.version("common").await),
        (before, Some(version(&other)))
    );

    let favorites = variant(&module("favorites"), "good");
    admin.swap(&[("common", &good), ("favorites", &favorites)]).await;
    assert_eq!(admin.generation().await, before + 1, "both in one generation");
    assert_eq!(admin.version("common").await, Some(version(&good)));
    assert_eq!(admin.version("favorites").await, Some(version(&favorites)));
}

#[tokio::test]
async fn a_new_module_is_served_at_once_and_can_be_unloaded() {
    let scene = Scene::new().await;
    let admin = Admin::of(&scene.host);
    assert_eq!(scene.host.code("tests/read", json!({"key": "a"})).await, 300);
    admin.swap(&[("probe", &module("probe"))]).await;
    assert_eq!(scene.host.ok("tests/increment", json!({"key": "a"})).await, 1);
    let (status, body) = admin.post("modules/unload", json!({"name": "probe"})).await;
    assert_eq!(status, 409, "nobody else serves its methods: {body:#}");
    assert_eq!(scene.host.ok("tests/read", json!({"key": "a"})).await, 1);
    let (status, report) = admin
        .post("modules/unload", json!({"name": "probe", "force": true}))
        .await;
    assert_eq!(status, 200, "{report:#}");
    assert_eq!(scene.host.code("tests/read", json!({"key": "a"})).await, 300);
    assert!(admin.module("probe").await.is_none());
}

#[tokio::test]
async fn a_canary_answers_its_share_until_it_is_promoted_or_aborted() {
    let scene = Scene::new().await;
    let admin = Admin::of(&scene.host);
    let candidate = variant(&module("favorites"), "candidate");
    let query = "&percent=100&method=getImFavoriteFolders&maxFaults=7&maxErrors=2.5";
    let (status, canary) = admin.upload("canary", &[("favorites", &candidate)], query).await;
    assert_eq!(status, 200, "{canary:#}");
    assert_eq!(
        (&canary["version"], &canary["percent"]),
        (&json!(version(&candidate)), &json!(100.0))
    );
    assert_eq!(
        (&canary["thresholds"]["faults"], &canary["thresholds"]["errorsPercent"]),
        (&json!(7), &json!(2.5))
    );
    scene
        .host
        .ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 1}))
        .await;
    scene.host.ok("createImFavoriteFolder", json!({"name": "x"})).await;
    let live = admin.module("favorites").await.unwrap();
    assert_eq!(live["version"], version(&module("favorites")));
    assert_eq!(live["canary"]["watch"]["calls"], 1, "{live:#}");

    // Of a share that no call draws, the live version answers.
    let fields = json!({"name": "favorites", "percent": 0.000_000_01});
    let (status, smaller) = admin.post("modules/canary/percent", fields).await;
    assert_eq!(
        (status, &smaller["percent"]),
        (200, &json!(0.000_000_01)),
        "{smaller:#}"
    );
    assert_eq!(smaller["watch"]["calls"], 1, "what was counted stays");
    let folders = json!({"page": 1, "pageSize": 1});
    scene.host.ok("getImFavoriteFolders", folders.clone()).await;
    let fields = json!({"name": "favorites", "percent": 100});
    let (_, larger) = admin.post("modules/canary/percent", fields).await;
    assert_eq!(larger["watch"]["calls"], 1, "{larger:#}");
    scene.host.ok("getImFavoriteFolders", folders).await;
    let live = admin.module("favorites").await.unwrap();
    assert_eq!(live["canary"]["watch"]["calls"], 2, "{live:#}");
    let (status, body) = admin.post("modules/abort", json!({"name": "favorites"})).await;
    assert_eq!((status, body), (200, json!({})));
    assert_eq!(admin.module("favorites").await.unwrap()["canary"], Value::Null);

    admin.upload("canary", &[("favorites", &candidate)], "").await;
    let (status, report) = admin
        .post("modules/promote", json!({"name": "favorites", "probation": 0}))
        .await;
    assert_eq!(status, 200, "{report:#}");
    let live = admin.module("favorites").await.unwrap();
    assert_eq!(
        (&live["version"], &live["probation"]),
        (&json!(version(&candidate)), &Value::Null)
    );
    let (_, history) = admin.get("history?limit=1").await;
    assert_eq!(
        (&history["history"][0]["action"], &history["history"][0]["by"]),
        (&json!("promote"), &json!("command"))
    );
}

#[tokio::test]
async fn all_calls_succeed_while_modules_are_swapped() {
    let scene = Scene::new().await;
    let admin = Admin::of(&scene.host);
    let built_in = module("favorites");
    let versions = ["one", "two"].map(|text| variant(&built_in, text));
    let over = Arc::new(AtomicBool::new(false));
    let host = &scene.host;
    let calls = async {
        let caller = |id: usize| {
            let over = Arc::clone(&over);
            async move {
                let mut calls = 0;
                while !over.load(Ordering::Relaxed) {
                    host.ok("createImFavoriteFolder", json!({"name": format!("{id} {calls}")}))
                        .await;
                    host.ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 10}))
                        .await;
                    calls += 1;
                }
                calls
            }
        };
        futures_util::future::join_all((0..8).map(caller)).await
    };
    let swaps = async {
        for round in 0..20 {
            admin.swap(&[("favorites", &versions[round % 2])]).await;
        }
        over.store(true, Ordering::Relaxed);
    };
    let (calls, ()) = tokio::join!(calls, swaps);
    assert!(calls.iter().all(|calls| *calls > 0), "{calls:?}");
    let mut folders = 0;
    for page in 1.. {
        let list = host
            .ok("getImFavoriteFolders", json!({"page": page, "pageSize": 1000}))
            .await;
        match list.as_array().unwrap().len() {
            0 => break,
            some => folders += some,
        }
    }
    assert_eq!(
        folders,
        calls.iter().sum::<usize>() + 1,
        "each was made once, beside the default folder"
    );
}
