//! Backups by a schedule: made, counted, retried, shown.

use std::fs;

use serde_json::Value;
use stowage_tests::admin::Admin;
use stowage_tests::cli::Cli;
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::wait::eventually;

use super::{restored, shown, sound};

async fn overview(host: &TestHost) -> Value {
    let (status, overview) = Admin::of(host).get("overview").await;
    assert_eq!(status, 200, "{overview:#}");
    overview
}

async fn listed(place: &std::path::Path) -> Vec<Value> {
    let listed = Cli::new(["db", "backups", shown(place), "--json"])
        .succeeds()
        .await
        .json();
    listed["backups"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backups_are_made_by_a_schedule_and_the_newest_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("place");
    let launch = Launch::new(dir.path().join("data"));
    let scheduled = [
        "--backup-every",
        "1s",
        "--backup-to",
        shown(&place),
        "--backup-keep",
        "2",
    ];
    let host = launch.clone().args(scheduled).start().await;
    let seen = std::cell::RefCell::new(std::collections::BTreeSet::new());
    eventually("three backups are made", || {
        let host = &host;
        let seen = &seen;
        async move {
            let backup = overview(host).await["backup"].clone();
            assert_eq!(backup["failure"], Value::Null, "{backup:#}");
            assert_eq!(backup["everySeconds"], 1);
            let mut seen = seen.borrow_mut();
            seen.extend(backup["last"]["id"].as_str().map(str::to_owned));
            (seen.len() >= 3).then_some(())
        }
    })
    .await;
    let launch_again = host.stop().await;
    let kept = listed(&place).await;
    assert!((1..=3).contains(&kept.len()), "{kept:?}");
    restored(&place, &dir.path().join("restored")).await;
    sound(&dir.path().join("restored")).await;
    drop(launch_again);

    // After a restart, the last one counts: with a long time, none is due.
    let daily = ["--backup-every", "1day", "--backup-to", shown(&place)];
    let host = launch.args(daily).start().await;
    let backup = eventually("the newest backup is known", || async {
        let backup = overview(&host).await["backup"].clone();
        backup["next"].is_number().then_some(backup)
    })
    .await;
    assert_eq!(backup["last"]["at"], kept.last().unwrap()["at"], "{backup:#}");
    assert_eq!(backup["running"], false);
    assert_eq!(listed(&place).await.len(), kept.len());
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scheduled_backup_that_fails_is_a_warning_and_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("place");
    let scheduled = ["--backup-every", "1s", "--backup-to", shown(&place)];
    let host = Launch::new(dir.path().join("data")).args(scheduled).start().await;
    eventually("a backup is made", || async {
        overview(&host).await["backup"]["last"]["id"].is_string().then_some(())
    })
    .await;
    // Its disk is gone, and something else is there.
    let away = dir.path().join("away");
    eventually("the place is taken away between two backups", || async {
        fs::rename(&place, &away).ok()
    })
    .await;
    fs::write(&place, b"no folder")
        .or_else(|_| {
            fs::remove_dir_all(&place)?;
            fs::write(&place, b"no folder")
        })
        .unwrap();
    let warning = eventually("the failure is a warning", || async {
        let overview = overview(&host).await;
        let warnings = overview["warnings"].as_array().unwrap().clone();
        warnings.into_iter().find(|warning| warning["id"] == "backup-failed")
    })
    .await;
    assert!(warning["parameters"]["reason"].is_string(), "{warning:#}");
    assert!(host.log().contains("the backup failed"), "{}", host.log());

    fs::remove_file(&place).unwrap();
    fs::rename(&away, &place).unwrap();
    eventually("it succeeds by itself", || async {
        let overview = overview(&host).await;
        let warnings = overview["warnings"].as_array().unwrap();
        let is_gone = warnings.iter().all(|warning| warning["id"] != "backup-failed");
        (is_gone && overview["backup"]["failure"].is_null()).then_some(())
    })
    .await;
    host.stop().await;
}

#[tokio::test]
async fn a_schedule_that_cannot_work_is_refused_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let launch = Launch::new(dir.path().join("data"));
    for (args, text) in [
        (&["--backup-every", "1h"][..], "--backup-to"),
        (&["--backup-to", "/x"], "--backup-every"),
        (&["--backup-every", "soon", "--backup-to", "/x"], "--backup-every"),
        (&["--backup-every", "1ms", "--backup-to", "/x"], "--backup-every"),
        (&["--backup-every", "1h", "--backup-to", "ftp://x/y"], "--backup-to"),
        (
            &["--backup-every", "1h", "--backup-to", "/x", "--backup-keep", "0"],
            "--backup-keep",
        ),
    ] {
        let refused = launch.clone().args(args.iter().copied()).refused().await;
        assert!(refused.stderr.contains(text), "{args:?}: {refused}");
    }
}
