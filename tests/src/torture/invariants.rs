//! What must hold between tables, files and the space, whatever happened before.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::state::World;
use crate::admin::Admin;
use crate::cli::Cli;
use crate::fixture::{SpaceFixture, hex_of, identity_field};
use crate::wait::eventually;

/// How long tasks and the outbox may take to come to rest.
const REST_PATIENCE: Duration = Duration::from_secs(120);

/// The collections whose rows a client can read, with the field of an answer that is the identity.
const COLLECTIONS: [(&str, &str); 8] = [
    ("favorite-folders", "id"),
    ("favorites", "unique"),
    ("temp-folders", "unique"),
    ("temp-files", "unique"),
    ("backup-folders", "unique"),
    ("backups", "unique"),
    ("storage-folders", "unique"),
    ("storage-files", "unique"),
];

/// Fields that an answer and a row of the space have in common. Sizes are checked by sum.
const FIELDS: [&str; 12] = [
    "name",
    "path",
    "parent",
    "folder",
    "msgId",
    "msgContent",
    "msgType",
    "hash",
    "time",
    "type",
    "messageNum",
    "ext",
];

/// A size as the API writes it: units of 1024, two decimals, no zeros at the end.
pub fn size_text(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut scale = 1024u64;
    for unit in ["KB", "MB", "GB"] {
        let hundredths = (bytes * 100 + scale / 2) / scale;
        if hundredths < 102_400 {
            let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
            return format!("{} {unit}", text.trim_end_matches('0').trim_end_matches('.'));
        }
        scale *= 1024;
    }
    panic!("no test has {bytes} bytes")
}

/// The length of the blob that a row names; 0 for a text message.
///
/// # Errors
/// The blob is not in the space.
fn len_bytes(space: &SpaceFixture, row: &Value) -> Result<u64, String> {
    if row["msgContent"].as_str().is_some_and(|text| !text.is_empty()) {
        return Ok(0);
    }
    let hash = row["hash"].as_str().unwrap_or_default();
    let metadata = fs::metadata(space.blob_path(hash));
    metadata
        .map(|metadata| metadata.len())
        .map_err(|error| format!("the blob that {row} names: {error}"))
}

/// The counters fit the rows, and each row's blob is there. `dapp_bytes` is what the DAPP files
/// have.
///
/// # Errors
/// Names the counter, its value, and the sum of the rows.
pub fn counters(world: &World, space: &SpaceFixture, dapp_bytes: u64) -> Result<(), String> {
    let mut sums = BTreeMap::from([("dappSize", dapp_bytes)]);
    for (counter, collection) in [
        ("storageSize", "storage-files"),
        ("collectSize", "favorites"),
        ("backupsSize", "backups"),
        ("tempFilesSize", "temp-files"),
    ] {
        let mut sum = 0;
        for row in world.of(collection) {
            sum += len_bytes(space, row)?;
        }
        sums.insert(counter, sum);
    }
    let all = sums.values().sum();
    sums.insert("occupySize", all);
    for (counter, sum) in sums {
        if world.info[counter] != size_text(sum).as_str() {
            return Err(format!(
                "{counter} is {}, and the rows have {sum} bytes, {}",
                world.info[counter],
                size_text(sum)
            ));
        }
    }
    for (folders, files) in [("temp-folders", "temp-files"), ("backup-folders", "backups")] {
        for folder in world.of(folders) {
            let mut sum = 0;
            for file in world.of(files).iter().filter(|file| file["parent"] == folder["unique"]) {
                sum += len_bytes(space, file)?;
            }
            if folder["size"] != size_text(sum).as_str() {
                return Err(format!("{folder} of {folders} has rows of {sum} bytes"));
            }
        }
    }
    Ok(())
}

/// Waits until no task runs and the outbox is empty. Returns the tasks.
///
/// # Panics
/// When they do not come to rest in time.
pub async fn rest(client: &mut Client, admin: &Admin) -> Vec<Value> {
    let begun = std::time::Instant::now();
    loop {
        // It publishes the outbox at once.
        let synced = client.call("initStorage$IMDataFromSdk", &json!({})).await;
        let tasks = client.pages("transferApi/listTasks", json!({})).await;
        let unfinished: Vec<&Value> = tasks.iter().filter(|task| !has_ended(task)).collect();
        let (_, overview) = admin.get("overview").await;
        let waiting = overview["space"]["outbox"].as_u64();
        if unfinished.is_empty() && waiting == Some(0) {
            return tasks;
        }
        assert!(
            begun.elapsed() < REST_PATIENCE,
            "after {REST_PATIENCE:?} {waiting:?} changes wait in the outbox, and these tasks run: {unfinished:?}; \
             the last sync: {synced:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether a task has ended, however it did.
pub fn has_ended(task: &Value) -> bool {
    let status = task["status"].as_i64().unwrap_or(-1);
    if task["type"] == 0 {
        matches!(status, 1 | 3 | 5)
    } else {
        matches!(status, 0 | 3 | 4 | 5)
    }
}

/// Every row that the server shows is once in the space, with the same fields, and the space has no
/// others. The outbox must be empty.
///
/// # Errors
/// Names the first row that is not.
pub fn same_as_space(world: &World, space: &SpaceFixture) -> Result<u64, String> {
    let mut compared = 0;
    for (collection, identity) in COLLECTIONS {
        let field = identity_field(collection);
        let mut rows: BTreeMap<String, Value> = BTreeMap::new();
        for row in space.read(collection) {
            let id = row[field].as_str().unwrap_or_default().to_owned();
            if collection == "favorite-folders" && id == "1" {
                continue;
            }
            if rows.insert(id.clone(), row).is_some() {
                return Err(format!("{collection} of the space has {id} twice"));
            }
        }
        for row in world.of(collection) {
            let id = row[identity].as_str().unwrap_or_default();
            let Some(there) = rows.remove(id) else {
                return Err(format!("{collection} of the space lacks {row}"));
            };
            for field in FIELDS {
                let (here, there) = (&row[field], &there[field]);
                let is_left_out = here.is_null() || there.is_null() || field == "type" && collection == "storage-files";
                if !is_left_out && here != there {
                    return Err(format!(
                        "{field} of {collection} {id}: {here} here, {there} in the space"
                    ));
                }
            }
            compared += 1;
        }
        if let Some((id, row)) = rows.first_key_value() {
            return Err(format!("{collection} of the space has {id}, which is not here: {row}"));
        }
    }
    Ok(compared)
}

/// The space is as its format says: each row has its blob, and each blob its hash. Waits until no
/// blob is without a row.
///
/// # Panics
/// When the space is not sound, or blobs without rows stay.
pub async fn sound_space(space: &SpaceFixture) {
    eventually("no blob of the space is without a row", || async {
        let output = Cli::new(["space", "verify", "--deep", "--json", "--space", &space.url()])
            .succeeds()
            .await;
        let report = output.json();
        assert_eq!(report["problemsLen"], 0, "{report}");
        report["unreferenced"].as_array()?.is_empty().then_some(())
    })
    .await;
}

/// No file in the data directory is left over: there is no staging file without an upload, no
/// unfinished download without a task. All tasks must have ended.
///
/// # Errors
/// Names the files.
pub fn no_left_files(data: &Path) -> Result<(), String> {
    let mut left = Vec::new();
    for dir in ["staging", "staging/incoming"] {
        let Ok(entries) = fs::read_dir(data.join(dir)) else {
            continue;
        };
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                left.push(entry.path());
            }
        }
    }
    for platform in 0..5 {
        let Ok(entries) = fs::read_dir(data.join("downloads").join(platform.to_string())) else {
            continue;
        };
        left.extend(
            entries
                .flatten()
                .filter(|entry| entry.file_name().to_string_lossy().starts_with('.'))
                .map(|entry| entry.path()),
        );
    }
    if left.is_empty() {
        Ok(())
    } else {
        Err(format!("files that nothing needs: {left:?}"))
    }
}

/// Every downloaded file has the bytes of a blob of the space. Returns how many there are.
///
/// # Errors
/// Names the file.
pub fn downloads_are_right(dir: &Path, hashes: &BTreeMap<String, String>) -> Result<u64, String> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Ok(0);
    };
    let mut files = 0;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let stem = name.split([' ', '.']).next().unwrap_or_default();
        let wanted = hashes.get(stem).ok_or_else(|| format!("{name} was not asked for"))?;
        let bytes = fs::read(entry.path()).map_err(|error| format!("{name}: {error}"))?;
        let found = crate::fixture::hash_of(&bytes);
        if found != *wanted {
            let hex = hex_of(wanted);
            return Err(format!("{name} has {} bytes that are not those of {hex}", bytes.len()));
        }
        files += 1;
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::size_text;

    #[test]
    fn sizes_are_written_as_the_api_writes_them() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KB"),
            (1034, "1.01 KB"),
            (1126, "1.1 KB"),
            (8520, "8.32 KB"),
            ((1 << 20) - 6, "1023.99 KB"),
            ((1 << 20) - 5, "1 MB"),
            (12_542_638, "11.96 MB"),
            (10_724_869_530, "9.99 GB"),
        ] {
            assert_eq!(size_text(bytes), text, "{bytes}");
        }
    }
}
