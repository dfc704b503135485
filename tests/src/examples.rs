//! The documented examples: each request, the rows that its answer needs, and the answer.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::fixture::{SpaceFixture, backup, backup_folder, favorite_folder, stored_file, temp_file, temp_folder};

/// Writes rows and blobs into an empty space.
pub type Fill = fn(&SpaceFixture);

/// A documented request.
pub struct Documented {
    /// The name of its file.
    pub name: &'static str,
    /// The request's body, as documented.
    pub request: Value,
    /// The answer: code, message and data.
    pub answer: Value,
    /// Writes the rows that the answer needs.
    pub space: Fill,
}

impl Documented {
    /// The method, as the client writes it.
    pub fn method(&self) -> &str {
        self.request["__SERVER_ROUTE_METHOD"].as_str().unwrap_or_default()
    }
}

/// The document of an example: its request and its response.
///
/// # Panics
/// When there is no such example.
pub fn document(name: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(format!("{name}.json"));
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).expect("an example is JSON")
}

/// All examples, with what the reference leaves open:
///
/// - Success is code 200, also where the reference shows 0 (`deleteImBackups`).
/// - The feed needs a key, which the documented request lacks: see [`feed_request`].
pub fn all() -> Vec<Documented> {
    let fixtures: [(&'static str, Fill); 18] = [
        ("createImFavoriteFolder", |_| {}),
        ("deleteImBackups", |space| {
            space.row("backup-folders", &backup_folder("backup_20250402", "", 1_743_585_227));
            let unique = "JsfdXa4TAMFCpC3JcYJ8p5QArVrJwZXCadgZFQjHBeC";
            space.row(
                "backups",
                &backup(unique, "backup_20250402", "a.txt", unique, 8520, 1_743_585_227),
            );
        }),
        ("deleteImFavoriteFolder", documented_folder),
        ("downloadStorageFileTask", |space| {
            space.row("temp-folders", &temp_folder("conversation", 1_744_163_398_055));
            let hash = "FKBgzrvr6wwt853VWW3RgdX4fLoeoDhgyexVbsuPaEhz";
            let row = temp_file(
                hash,
                "conversation",
                "0c0f869d.JPG",
                hash,
                12_542_638,
                1_744_163_398_055,
            );
            space.row("temp-files", &row);
        }),
        ("getAllDownloadOrUploadFileProgress", |_| {}),
        ("getImBackupsFileList", documented_backups),
        ("getImBackupsFolderList", |space| {
            space.row("backup-folders", &backup_folder("backup_20250402", "", 1_743_585_227));
            let mut row = backup("b", "backup_20250402", "b.txt", "b", 8520, 1_743_585_227);
            row["messageNum"] = json!(7);
            space.row("backups", &row);
        }),
        ("getImFavoriteFolders", default_folder),
        ("getImFavoriteList", |space| {
            default_folder(space);
            for mut row in data("getImFavoriteList") {
                row["folder"] = json!("1");
                row["size"] = json!(if row["name"] == "" { 0 } else { 261_677 });
                space.row("favorites", &row);
            }
        }),
        ("getLocalTempFileList", |space| {
            for row in data("getLocalTempFileList") {
                let parent = row["parent"].as_str().unwrap_or_default();
                space.row("temp-folders", &temp_folder(parent, 1_744_163_398_055));
                space.row("temp-files", &sized(row));
            }
        }),
        ("getLocalTempFolderList", |space| {
            for row in data("getLocalTempFolderList") {
                space.row("temp-folders", &without(row, &["fileNum", "size"]));
            }
            let (first, second) = (
                "3UiVSDYfWejuuRSVxH42fekZnyW33R5WWiJXrCYdj4gP",
                "GPqZSzxsBJJrNywBiv8ieAUn9xFZvJkbcyP3f6ynk3Yk",
            );
            // 4.78 MB in two files.
            for (unique, parent, size) in [
                ("a", first, 12_542_638),
                ("b", second, 5_000_000),
                ("c", second, 12_193),
            ] {
                let row = temp_file(unique, parent, "x.bin", unique, size, 1_744_163_398_055);
                space.row("temp-files", &row);
            }
        }),
        ("getStorageSpaceInfo", |space| {
            let file = "FKBgzrvr6wwt853VWW3RgdX4fLoeoDhgyexVbsuPaEhz";
            space.row(
                "storage-files",
                &stored_file(file, "0c0f869d.JPG", 12_542_638, 1_744_163_398_055),
            );
            space.row("backup-folders", &backup_folder("backup_20250402", "", 1_743_585_227));
            // 5.93 KB.
            space.row(
                "backups",
                &backup("b", "backup_20250402", "b.txt", "b", 6072, 1_743_585_227),
            );
        }),
        ("initStorage_IMDataFromSdk", documented_backups),
        ("localTempFileToFavorite", |space| {
            upload_source(space, "paQTTdxdvwfYUygWsZ8tCsXyExxGVF4YNJ1uh6GSRmm");
        }),
        ("localTempFileToStorage", |space| {
            upload_source(space, "FKBgzrvr6wwt853VWW3RgdX4fLoeoDhgyexVbsuPaEhz");
        }),
        ("renameImFavoriteFolder", documented_folder),
        ("searchImBackupsList", |space| {
            let found = &document("searchImBackupsList")["response"]["data"];
            for row in array(&found["folders"]) {
                space.row(
                    "backup-folders",
                    &without(row, &["size", "singleChatNum", "groupChatNum"]),
                );
            }
            for row in array(&found["files"]) {
                space.row("backups", &sized(row));
            }
        }),
        ("searchLocalTempFile", |space| {
            let found = &document("searchLocalTempFile")["response"]["data"];
            for row in array(&found["folders"]) {
                space.row("temp-folders", &without(row, &["fileNum", "size"]));
            }
            for row in array(&found["files"]) {
                space.row("temp-files", &sized(row));
            }
        }),
    ];
    fixtures
        .into_iter()
        .map(|(name, space)| {
            let document = document(name);
            Documented {
                name,
                request: document["request"].clone(),
                answer: answer(name, &document["response"]),
                space,
            }
        })
        .collect()
}

/// The documented request for the feed, with the key that its text requires. The answer is 200 with
/// null.
pub fn feed_request(key: &str) -> Value {
    let mut request = document("getAllDownloadOrUploadFileProgress")["request"].clone();
    request["key"] = json!(key);
    request
}

fn answer(name: &str, response: &Value) -> Value {
    match name {
        // The documented request has no key. That is a parameter error, whose message is not
        // documented.
        "getAllDownloadOrUploadFileProgress" => json!({"code": 600, "data": null}),
        _ => json!({"code": 200, "message": response["message"], "data": response["data"]}),
    }
}

fn data(name: &str) -> Vec<Value> {
    array(&document(name)["response"]["data"])
}

fn array(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn without(mut row: Value, fields: &[&str]) -> Value {
    if let Value::Object(row) = &mut row {
        for field in fields {
            row.remove(*field);
        }
    }
    row
}

/// A row of an answer as the space has it: with the size in bytes.
fn sized(mut row: Value) -> Value {
    row["size"] = json!(match row["size"].as_str() {
        Some("11.96 MB") => 12_542_638,
        Some("8.32 KB") => 8520,
        Some("4.15 KB") => 4246,
        Some("2.33 KB") => 2386,
        other => panic!("no size in bytes is known for {other:?}"),
    });
    row
}

fn default_folder(space: &SpaceFixture) {
    space.row("favorite-folders", &favorite_folder("1", "我的收藏", 1_744_104_587_216));
}

fn documented_folder(space: &SpaceFixture) {
    default_folder(space);
    let row = favorite_folder("66053280-446f-488e-82f3-95884938a30c", "图片", 1_744_104_590_000);
    space.row("favorite-folders", &row);
}

fn documented_backups(space: &SpaceFixture) {
    space.row("backup-folders", &backup_folder("backup_20250402", "", 1_743_585_227));
    for row in data("getImBackupsFileList") {
        space.row("backups", &sized(row));
    }
}

fn upload_source(space: &SpaceFixture, hash: &str) {
    space.row("temp-folders", &temp_folder("conversation", 1_744_163_398_055));
    let row = temp_file(
        hash,
        "conversation",
        "0c0f869d.JPG",
        hash,
        12_542_638,
        1_744_163_398_055,
    );
    space.row("temp-files", &row);
}
