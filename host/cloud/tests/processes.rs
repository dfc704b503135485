//! Two processes that write one space at once.

#![allow(clippy::unwrap_used)]

mod common;

use std::process::{Child, Command};

use common::s3::{BUCKET, KEY, S3, SECRET};
use common::{CREATE, Host, bounded, neighbours, put};
use serde_json::json;
use stowage_cloud::{Space, verify};

const URL: &str = "STOWAGE_TEST_SPACE";
const WRITER: &str = "STOWAGE_TEST_WRITER";
const ROWS: usize = 30;

/// Not a test: the child processes of the other tests run it.
#[tokio::test(flavor = "multi_thread")]
async fn writer() {
    let (Ok(url), Ok(writer)) = (std::env::var(URL), std::env::var(WRITER)) else {
        return;
    };
    let host = Host::start(&Space::open(&url, CREATE).await.unwrap()).await;
    for (n, name) in neighbours(ROWS).iter().enumerate() {
        let fields = json!({ (format!("by-{writer}")): n });
        host.change(&[put("favorites", name, fields)]).await;
        if n % 3 == 0 {
            host.published().await;
        }
    }
    host.published().await;
}

fn spawn_writer(url: &str, writer: &str, environment: &[(&str, &str)]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer", "--nocapture"])
        .env(URL, url)
        .env(WRITER, writer)
        .envs(environment.iter().copied())
        .spawn()
        .unwrap()
}

async fn write_at_once(url: &str, environment: &[(&str, &str)]) {
    let mut writers: Vec<_> = ["one", "two"]
        .iter()
        .map(|name| spawn_writer(url, name, environment))
        .collect();
    let finished = tokio::task::spawn_blocking(move || {
        writers
            .iter_mut()
            .all(|writer| writer.wait().is_ok_and(|status| status.success()))
    });
    assert!(bounded("both writers", finished).await.unwrap());
}

async fn check(space: &Space) {
    let host = Host::start(space).await;
    host.sync().await;
    let rows = host.rows("favorites");
    assert_eq!(rows.len(), ROWS);
    for row in rows {
        assert!(row.contains_key("by-one") && row.contains_key("by-two"), "{row:?}");
    }
    assert!(verify(space, true).await.unwrap().is_sound());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_that_write_one_directory_lose_nothing() {
    let root = tempfile::tempdir().unwrap();
    let url = format!("file://{}", root.path().join("space").display());
    write_at_once(&url, &[]).await;
    check(&Space::open(&url, CREATE).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_that_write_one_bucket_by_url_and_environment_lose_nothing() {
    let server = S3::start().await;
    let environment = [
        ("AWS_ENDPOINT", server.endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ];
    write_at_once(&format!("s3://{BUCKET}/some/space"), &environment).await;
    check(&server.space("some/space").await).await;
}
