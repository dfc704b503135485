//! One process has a data directory; and what a clean stop leaves.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::client::Client;
use crate::host::Launch;

/// Clients that write while the server is stopped.
const CLIENTS: usize = 16;
/// How long they write before.
const BEFORE: Duration = Duration::from_millis(400);

/// Starts a second server on the data of a running one. Returns the time until it refused.
///
/// # Panics
/// When it starts, does not say why it refuses, or disturbs the first one.
pub async fn second_host(dir: &Path) -> Duration {
    let launch = Launch::new(dir.join("data"));
    let host = launch.clone().start().await;
    let mut client = Client::new(host.address());
    client.ok("createImFavoriteFolder", json!({"name": "before"})).await;
    let begun = Instant::now();
    let refused = launch.refused().await;
    let took = begun.elapsed();
    assert!(
        refused.stderr.contains("in use") || refused.stderr.contains("another process"),
        "it says why: {refused}"
    );
    client.ok("createImFavoriteFolder", json!({"name": "after"})).await;
    let host = host.restart().await;
    let folders = Client::new(host.address())
        .pages("getImFavoriteFolders", json!({}))
        .await;
    assert_eq!(folders.len(), 3, "{folders:?}");
    host.stop().await;
    took
}

/// What a stop under load did.
#[derive(Clone, Copy, Debug)]
pub struct Stopped {
    /// The time from the signal to the end.
    pub took: Duration,
    /// Changes that were acknowledged.
    pub acknowledged: usize,
}

/// Stops a server while clients write.
///
/// # Panics
/// When an acknowledged change is lost, or the next start has something to repair.
pub async fn stop_under_load(dir: &Path) -> Stopped {
    let host = Launch::new(dir.join("data")).start().await;
    let address = host.address();
    let writing: Vec<_> = (0..CLIENTS)
        .map(|number| {
            tokio::spawn(async move {
                let (mut client, mut acknowledged) = (Client::new(address), Vec::new());
                for n in 0.. {
                    let name = format!("folder {number} {n}");
                    match client.call("createImFavoriteFolder", &json!({ "name": name })).await {
                        Ok(answer) if answer.code == 200 => acknowledged.push(name),
                        Ok(answer) => panic!("{answer:?} to {name}"),
                        Err(_) => break,
                    }
                }
                acknowledged
            })
        })
        .collect();
    tokio::time::sleep(BEFORE).await;
    let begun = Instant::now();
    let launch = host.stop().await;
    let took = begun.elapsed();
    let mut acknowledged = Vec::new();
    for writer in writing {
        acknowledged.extend(writer.await.expect("every call is answered or cut off"));
    }
    // What a clean stop leaves: an empty log. So the next start has nothing to read from it.
    let log = fs::metadata(launch.data().join("stowage.wal")).map_or(0, |data| data.len());
    assert_eq!(log, 0, "the log is empty after a clean stop");
    let host = launch.start().await;
    let folders = Client::new(host.address())
        .pages("getImFavoriteFolders", json!({}))
        .await;
    let there: std::collections::BTreeSet<&str> = folders.iter().filter_map(|row| row["name"].as_str()).collect();
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|name| !there.contains(name.as_str()))
        .take(5)
        .collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let log = host.log();
    assert!(!log.contains("repair"), "{log}");
    host.stop().await;
    Stopped {
        took,
        acknowledged: acknowledged.len(),
    }
}
