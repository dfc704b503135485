//! The size of the database after many changes.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::client::Client;
use super::invariants;
use crate::admin::Admin;
use crate::cli::Cli;
use crate::fixture::noise;
use crate::host::{Launch, TestHost};

/// Favourites that live at the same time.
const LIVE: u64 = 4000;
/// The bytes of a favourite's text.
const TEXT_BYTES: usize = 1200;
/// Changes between which the outbox becomes empty: each favourite twice.
const ROUND: u64 = 2 * LIVE;
/// Clients that change them.
const CLIENTS: u64 = 32;

/// Sizes in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sizes {
    /// Of all keys and values in the database, indexes included.
    pub live: u64,
    /// Of the database after the changes.
    pub after: u64,
    /// Of the database after it was compacted.
    pub compacted: u64,
}

/// Changes and deletes favourites `changes` times, lets the server publish them, stops it and
/// compacts its database.
///
/// # Errors
/// The program cannot compact.
///
/// # Panics
/// When a call fails, or a row is lost.
pub async fn run(dir: &Path, changes: u64) -> Result<Sizes, String> {
    if Cli::new(["db", "compact", "--help"]).run().await.status != 0 {
        return Err("this program has no `stowage db compact`".to_owned());
    }
    let host = Launch::new(dir.join("data")).start().await;
    change(&host, 0, LIVE, false).await;
    for from in (0..changes).step_by(ROUND as usize) {
        change(&host, LIVE + from, ROUND.min(changes - from), true).await;
        // Else the file is as large as the outbox becomes, whatever the changes leave in it.
        invariants::rest(&mut Client::new(host.address()), &Admin::of(&host)).await;
    }
    let launch = host.stop().await;
    let checked = Cli::new(["db", "check", "--json"]).data(launch.data()).succeeds().await;
    let tables = checked.json()["tables"].as_array().cloned().unwrap_or_default();
    let live = tables.iter().filter_map(|table| table["bytes"].as_u64()).sum();
    let after = len_bytes(launch.data());
    Cli::new(["db", "compact"]).data(launch.data()).succeeds().await;
    let compacted = len_bytes(launch.data());
    let host = launch.start().await;
    let rows = Client::new(host.address())
        .pages("getImFavoriteList", json!({"favId": "1", "type": 0}))
        .await;
    assert_eq!(rows.len() as u64, LIVE, "every favourite is there");
    host.stop().await;
    Ok(Sizes { live, after, compacted })
}

/// Each client replaces its own favourites in turn, and deletes every second one before.
async fn change(host: &TestHost, from: u64, changes: u64, deletes: bool) {
    let address = host.address();
    let clients = (0..CLIENTS).map(|client| async move {
        let mut connection = Client::new(address);
        for n in (client..changes).step_by(usize::try_from(CLIENTS).unwrap_or(1)) {
            let unique = format!("favourite {}", n % LIVE);
            if deletes && (n / LIVE).is_multiple_of(2) {
                connection
                    .ok("transferApi/deleteImFavorites", json!({ "uniques": [unique] }))
                    .await;
            }
            connection
                .ok("transferApi/addImFavorite", favorite(&unique, from + n))
                .await;
        }
    });
    futures_util::future::join_all(clients).await;
}

fn favorite(unique: &str, n: u64) -> Value {
    let hex: String = noise(TEXT_BYTES / 2, n)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let text = json!({ "text": hex }).to_string();
    json!({"unique": unique, "msgId": unique, "msgType": 1, "msgContent": text})
}

fn len_bytes(data: &Path) -> u64 {
    fs::metadata(data.join("stowage.redb")).map_or(0, |data| data.len())
}
