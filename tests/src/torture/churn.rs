//! The size of the database after many changes.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::client::Client;
use crate::cli::Cli;
use crate::fixture::noise;
use crate::host::{Launch, TestHost};

/// Favourites that live at the same time.
const LIVE: u64 = 4000;
/// The bytes of a favourite's text.
const TEXT_BYTES: usize = 1200;
/// Clients that change them.
const CLIENTS: u64 = 32;

/// Sizes in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sizes {
    /// Of the rows: texts alone.
    pub live: u64,
    /// Of the database when the rows were there, before the changes.
    pub before: u64,
    /// Of the database after the changes.
    pub after: u64,
    /// Of the database after it was compacted.
    pub compacted: u64,
}

/// Changes and deletes favourites `changes` times, stops the server and compacts its database.
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
    let launch = host.stop().await;
    let mut sizes = Sizes {
        live: LIVE * TEXT_BYTES as u64,
        before: len_bytes(launch.data()),
        ..Sizes::default()
    };
    let host = launch.start().await;
    change(&host, LIVE, changes, true).await;
    let launch = host.stop().await;
    sizes.after = len_bytes(launch.data());
    Cli::new(["db", "compact"]).data(launch.data()).succeeds().await;
    sizes.compacted = len_bytes(launch.data());
    let host = launch.start().await;
    let rows = Client::new(host.address())
        .pages("getImFavoriteList", json!({"favId": "1", "type": 0}))
        .await;
    assert_eq!(rows.len() as u64, LIVE, "every favourite is there");
    host.stop().await;
    Ok(sizes)
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
