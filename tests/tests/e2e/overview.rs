//! What the admin API tells about a running server: the overview, its warnings, the log of a
//! module, and both answers of a shadow.

use std::fs;

use serde_json::{Value, json};
use stowage_tests::admin::Admin;
use stowage_tests::changing::{Work, changing, plain};
use stowage_tests::feed::Feed;
use stowage_tests::fixture::SpaceFixture;
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::scene::Scene;
use stowage_tests::wait::eventually;

async fn overview(host: &TestHost, since: u64) -> Value {
    let (status, overview) = Admin::of(host).get(&format!("overview?since={since}")).await;
    assert_eq!(status, 200, "{overview:#}");
    overview
}

/// The warning of this kind, once there is one.
async fn warned(host: &TestHost, id: &str) -> Value {
    eventually(&format!("the warning {id}"), || async {
        let overview = overview(host, 0).await;
        let warnings = overview["warnings"].as_array().unwrap();
        warnings.iter().find(|warning| warning["id"] == id).cloned()
    })
    .await
}

async fn log(host: &TestHost, query: &str) -> Value {
    let (status, log) = Admin::of(host).get(&format!("modules/changing/log{query}")).await;
    assert_eq!(status, 200, "{log:#}");
    log
}

fn lines(log: &Value) -> &[Value] {
    log["lines"].as_array().unwrap()
}

#[tokio::test]
async fn the_overview_counts_every_call_by_second() {
    let scene = Scene::new().await;
    let host = &scene.host;
    // The second call is answered by the response cache.
    for _ in 0..2 {
        host.ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 1})).await;
    }
    assert_eq!(host.code("noSuchMethod", json!({})).await, 300);
    assert_eq!(
        host.code("getImFavoriteFolders", json!({"page": "x", "pageSize": 1}))
            .await,
        600
    );
    // The scene has made one call before.
    let seconds = eventually("the calls are counted", || async {
        let seconds = overview(host, 0).await["seconds"].as_array().unwrap().clone();
        let sum = |field: &str| seconds.iter().map(|s| s[field].as_u64().unwrap()).sum::<u64>();
        assert!(sum("calls") <= 5 && sum("failed") <= 2, "{seconds:?}");
        ((sum("calls"), sum("failed")) == (5, 2)).then_some(seconds)
    })
    .await;
    for second in &seconds {
        let (p50, p99) = (second["p50Us"].as_u64(), second["p99Us"].as_u64());
        assert_eq!(p50.is_some(), second["calls"] != 0, "{second}");
        assert!(p50 <= p99, "{second}");
    }
    let numbers: Vec<u64> = seconds.iter().map(|s| s["at"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    let last = *numbers.last().unwrap();
    let later = overview(host, last).await;
    assert!(
        later["seconds"]
            .as_array()
            .unwrap()
            .iter()
            .all(|s| s["at"].as_u64().unwrap() > last)
    );
}

#[tokio::test]
async fn the_overview_tells_what_the_server_is_and_has() {
    let scene = Scene::new().await;
    let host = &scene.host;
    let _feed = Feed::connect(host, &["key"]).await;
    let overview = overview(host, 0).await;
    assert_eq!(overview["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(overview["generation"], Admin::of(host).generation().await);
    let (started, now) = (overview["started"].as_u64().unwrap(), overview["now"].as_u64().unwrap());
    assert!(started > 1_700_000_000_000 && started <= now, "{overview:#}");
    assert_eq!(overview["data"]["dir"], host.data().display().to_string());
    assert!(overview["data"]["free"].as_u64() <= overview["data"]["total"].as_u64());
    assert!(overview["memory"].as_u64().unwrap() > 1 << 20);
    assert_eq!(overview["subscribers"], 1);
    assert!(
        overview["connections"].as_u64().unwrap() >= 2,
        "the feed and this request: {overview:#}"
    );
    let space = &overview["space"];
    assert_eq!((&space["reachable"], &space["reason"]), (&json!(true), &Value::Null));
    assert!(space["name"].as_str().unwrap().starts_with("file://"), "{space}");
    let ids: Vec<_> = overview["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| w["id"].clone())
        .collect();
    // The disk of the machine that runs the tests may be nearly full.
    assert!(ids.iter().all(|id| id == "disk-low"), "{overview:#}");
}

#[tokio::test]
async fn a_space_that_is_away_is_a_warning_until_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let (mounted, disk) = (dir.path().join("mounted"), dir.path().join("disk"));
    let space = SpaceFixture::create(&mounted);
    let host = Launch::new(dir.path().join("data")).space(space.url()).start().await;
    host.init().await;
    fs::rename(&mounted, &disk).unwrap();
    assert_eq!(host.code("initStorage$IMDataFromSdk", json!({})).await, 500);
    host.ok("createImFavoriteFolder", json!({"name": "meanwhile"})).await;
    let warning = warned(&host, "space-away").await;
    assert_eq!(warning["severity"], "error");
    assert!(warning["parameters"]["since"].as_u64().unwrap() > 1_700_000_000_000);
    for field in ["message", "action"] {
        assert!(!warning[field].as_str().unwrap().is_empty(), "{warning:#}");
    }
    let away = overview(&host, 0).await;
    assert_eq!(
        (&away["space"]["reachable"], &away["space"]["outbox"]),
        (&json!(false), &json!(1))
    );
    assert_eq!(away["space"]["reason"], warning["parameters"]["reason"]);
    fs::rename(&disk, &mounted).unwrap();
    eventually("the space is back and the outbox is empty", || async {
        let space = overview(&host, 0).await["space"].clone();
        (space["reachable"] == true && space["outbox"] == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_module_that_traps_is_a_warning_and_its_log_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path().join("data"))
        .env("STOWAGE_LOG", "off")
        .start()
        .await;
    let admin = Admin::of(&host);
    assert_eq!(admin.get("modules/changing/log").await.0, 404);
    assert_eq!(admin.get("modules/favorites/log?limit=1").await.0, 200);
    admin
        .swap(&[("changing", &changing(plain('a').work(Work::Trap)))])
        .await;
    assert_eq!(host.code("tests/work", json!({"key": "k"})).await, 500);
    let warning = warned(&host, "module-fails").await;
    assert_eq!(
        (
            &warning["severity"],
            &warning["parameters"]["module"],
            &warning["parameters"]["traps"]
        ),
        (&json!("error"), &json!("changing"), &json!(1))
    );
    let module = admin.module("changing").await.unwrap();
    assert!(module["calls"]["lastFault"].as_u64().unwrap() > 1_700_000_000_000);

    let all = log(&host, "").await;
    let failed = lines(&all)
        .iter()
        .find(|line| line["message"] == "call failed")
        .unwrap();
    assert_eq!(
        (&failed["level"], &failed["fields"]["method"]),
        (&json!("error"), &json!("work"))
    );
    assert!(
        failed["fields"]["error"].as_str().unwrap().contains("wasm"),
        "{failed:#}"
    );
    let version = failed["version"].as_str().unwrap();
    assert!(
        module["version"]
            .as_str()
            .unwrap()
            .starts_with(version.trim_end_matches('…')),
        "{failed:#}"
    );
    assert!(
        lines(&all).iter().any(|line| line["message"] == "a module goes live"),
        "{all:#}"
    );
    assert!(host.log().is_empty(), "the log is turned off, what is kept is not");
}

#[tokio::test]
async fn the_log_of_a_module_is_read_in_pages_and_followed() {
    let scene = Scene::new().await;
    let host = &scene.host;
    Admin::of(host)
        .swap(&[("changing", &changing(plain('a').work(Work::PrintMuch)))])
        .await;
    host.ok("tests/work", json!({"key": "k"})).await;
    let all = log(host, "?after=0&limit=1000").await;
    let numbers: Vec<u64> = lines(&all).iter().map(|line| line["n"].as_u64().unwrap()).collect();
    assert!(numbers.len() > 100 && numbers.is_sorted(), "{numbers:?}");
    let printed = |line: &Value| line["message"] == "line 7 of a module that floods the log";
    assert!(lines(&all).iter().any(printed));
    assert_eq!(all["next"], *numbers.last().unwrap());
    let page = log(host, "?after=3&limit=2").await;
    assert_eq!(
        (&page["lines"][0]["n"], &page["next"], lines(&page).len()),
        (&json!(4), &json!(5), 2)
    );
    let last = log(host, "?limit=1").await;
    assert_eq!(last["lines"][0]["n"], all["next"]);
    let none = log(host, &format!("?after={}", all["next"])).await;
    assert_eq!((lines(&none).len(), &none["next"]), (0, &all["next"]));

    let shown = host
        .cli(["module", "log", "changing", "--limit", "1000"])
        .succeeds()
        .await;
    assert!(shown.stdout.contains(" info  line 7 of a module"), "{shown}");
    assert_eq!(shown.stdout.lines().count(), numbers.len());
    let json = host
        .cli(["module", "log", "changing", "--limit", "1", "--json"])
        .succeeds()
        .await
        .json();
    assert_eq!(json["n"], all["next"]);
    host.cli(["module", "log", "no-such-module"]).fails(1).await;

    let follow = host
        .cli(["module", "log", "changing", "--limit", "1", "--follow"])
        .spawn();
    follow
        .until_printed("the last line", |lines| (!lines.is_empty()).then_some(()))
        .await;
    Admin::of(host).swap(&[("changing", &changing(plain('b')))]).await;
    follow
        .until_printed("the swap", |lines| {
            lines
                .iter()
                .any(|line| line.contains("a module goes live"))
                .then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_shadow_that_differs_shows_both_answers() {
    let scene = Scene::new().await;
    let host = &scene.host;
    let admin = Admin::of(host);
    admin.swap(&[("changing", &changing(plain('a')))]).await;
    admin.post("modules/promote", json!({"name": "changing"})).await;
    let (status, shadow) = admin
        .upload("shadow", &[("changing", &changing(plain('b').work(Work::Error)))], "")
        .await;
    assert_eq!(status, 200, "{shadow:#}");
    assert_eq!(host.ok("tests/work", json!({"key": "k"})).await, 1);
    let difference = eventually("the call is compared", || async {
        let (_, report) = admin.get("modules/changing/shadow").await;
        report["differences"].get(0).cloned()
    })
    .await;
    assert_eq!(difference["live"], json!({"ok": 1}), "{difference:#}");
    assert_eq!(difference["shadow"]["err"]["code"], 777, "{difference:#}");
    let listed = admin.module("changing").await.unwrap();
    let listed = &listed["shadow"]["differences"][0];
    assert_eq!(
        (&listed["lines"], &listed["live"]),
        (&difference["lines"], &Value::Null)
    );
}

#[tokio::test]
async fn a_version_that_is_rolled_back_by_the_host_is_a_warning() {
    let scene = Scene::new().await;
    let host = &scene.host;
    let admin = Admin::of(host);
    admin.swap(&[("changing", &changing(plain('a')))]).await;
    admin.post("modules/promote", json!({"name": "changing"})).await;
    let bad = changing(plain('b').work(Work::Trap));
    admin.upload("swap", &[("changing", &bad)], "&maxFaults=1").await;
    assert_eq!(
        host.ok("tests/work", json!({"key": "k"})).await,
        1,
        "the version before answers"
    );
    let warning = warned(host, "rolled-back").await;
    assert_eq!(warning["severity"], "warning");
    assert!(
        warning["message"]
            .as_str()
            .unwrap()
            .contains(warning["parameters"]["reason"].as_str().unwrap())
    );
    let all = log(host, "?limit=1000").await;
    let text = "a new version exceeded its thresholds and is rolled back";
    assert!(
        lines(&all)
            .iter()
            .any(|line| line["message"] == text && line["level"] == "error"),
        "{all:#}"
    );
}
