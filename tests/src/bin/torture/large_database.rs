//! A database of a gigabyte, made once, and how soon a server on it answers after a crash.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;
use stowage_storage::{Config, Store};
use stowage_tests::fixture::noise;
use stowage_tests::host::Launch;
use stowage_tests::torture::client::Client;
use stowage_tests::torture::kill;

use super::run::Task;

/// The bytes of all rows.
const LONG_BYTES: u64 = 1 << 30;
const SHORT_BYTES: u64 = 32 << 20;
/// The bytes of a row.
const ROW_BYTES: usize = 2000;
/// Rows of one transaction.
const ROWS: u64 = 2000;
/// Starts that are measured.
const STARTS: u64 = 5;

/// The size of the database in a directory.
pub fn len_bytes(dir: &Path) -> u64 {
    fs::metadata(dir.join("data/stowage.redb")).map_or(0, |data| data.len())
}

/// The times from the start of the program to its first answer, each after a kill during writes.
pub async fn first_answers(task: &Task) -> Vec<Duration> {
    let wanted = if task.short { SHORT_BYTES } else { LONG_BYTES };
    let data = task.dir.join("data");
    // Another build may keep its rows in another way.
    fill(&kill::empty(&data), wanted).await;
    let mut times = Vec::new();
    let mut launch = Launch::new(&data);
    for start in 0..=STARTS {
        let begun = Instant::now();
        let host = launch.start().await;
        let mut client = Client::new(host.address());
        let params = json!({"name": format!("after start {start}")});
        client.ok("createImFavoriteFolder", params).await;
        // The first one is after a clean stop.
        if start > 0 {
            times.push(begun.elapsed());
        }
        for n in 0..200 {
            let params = json!({"name": format!("before the crash {start} {n}")});
            client.ok("createImFavoriteFolder", params).await;
        }
        launch = host.kill().await;
    }
    times
}

async fn fill(data: &Path, wanted: u64) {
    let file: PathBuf = data.join("stowage.redb");
    let store = Store::open(&file, Config::default()).expect("a new store");
    let mut number = 0;
    while number * (ROW_BYTES as u64) < wanted {
        let mut transaction = store.begin();
        for _ in 0..ROWS {
            let key = number.to_be_bytes();
            transaction
                .put("fill", &key, noise(ROW_BYTES, number))
                .expect("a row within its bounds");
            number += 1;
        }
        store.commit(transaction).await.expect("a disk with room");
    }
    store.close().await;
}
