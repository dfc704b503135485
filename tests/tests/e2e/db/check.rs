//! Checks: a sound database, beside calls too, and each inconsistency that is planted.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use stowage_storage::{Config, Error as StorageError, KeyRange, ScanOptions, Store, Transaction};
use stowage_tests::fixture::hex_of;

use super::{bring_back, busy_scene, db, rows, sound};

/// The first key of a table that begins with these bytes.
fn first_key(tx: &mut Transaction, table: &str, prefix: &[u8]) -> Vec<u8> {
    let options = ScanOptions {
        limit: 1,
        ..ScanOptions::default()
    };
    let page = tx.scan(table, &KeyRange::prefix(prefix), &options).unwrap();
    page.entries
        .first()
        .unwrap_or_else(|| panic!("{table} has no row"))
        .key
        .clone()
}

fn first_value(tx: &mut Transaction, table: &str) -> (Vec<u8>, Vec<u8>) {
    let key = first_key(tx, table, b"");
    let value = tx.get(table, &key).unwrap().unwrap();
    (key, value)
}

/// A change of a database that a check must find.
type Plant = fn(&mut Transaction) -> Result<(), StorageError>;

/// What is planted: its name, the beginning of the finding's subject, and the change.
const PLANTS: &[(&str, &str, Plant)] = &[
    ("an index entry is lost", "favorites-by-folder ", |tx| {
        let key = first_key(tx, "favorites-by-folder", b"");
        tx.delete("favorites-by-folder", &key)
    }),
    ("an index entry has no row", "temp-files-by-time ", |tx| {
        tx.put("temp-files-by-time", b"\0\0nobody", b"".to_vec())
    }),
    ("the text of an entry is another", "backups-by-time ", |tx| {
        let key = first_key(tx, "backups-by-time", b"");
        tx.put("backups-by-time", &key, b"another text".to_vec())
    }),
    ("a counter is too high", "totals ", |tx| {
        tx.add("totals", b"storage-files", 1)
    }),
    ("a counter of a folder is too low", "temp-folder-totals ", |tx| {
        let key = first_key(tx, "temp-folder-totals", b"");
        tx.add("temp-folder-totals", &key, -1)
    }),
    ("a counter is lost", "blobs ", |tx| {
        let key = first_key(tx, "blobs", b"");
        tx.delete("blobs", &key)
    }),
    ("a counter counts nothing", "blobs ", |tx| tx.add("blobs", b"nobody", 3)),
    ("a counter became a value", "totals ", |tx| {
        tx.put("totals", b"favorites", vec![0; 8])
    }),
    ("a row is gone and its entries stay", "favorites-by-hash ", |tx| {
        let key = first_key(tx, "favorites", b"");
        tx.delete("favorites", &key)
    }),
    ("a row cannot be decoded", "storage-folders ", |tx| {
        tx.put("storage-folders", b"x", b"\xc1".to_vec())
    }),
    ("a row has another identity than its key", "backup-folders ", |tx| {
        let (_, value) = first_value(tx, "backup-folders");
        tx.put("backup-folders", b"other", value)
    }),
    ("a task is not found by its identifier", "host.tasks ", |tx| {
        let key = first_key(tx, "host.task-ids", b"");
        tx.delete("host.task-ids", &key)
    }),
    ("an identifier leads nowhere", "host.task-ids ", |tx| {
        tx.put("host.task-ids", b"gone", 999_u64.to_be_bytes().to_vec())
    }),
    ("a control has no task", "host.task-controls ", |tx| {
        tx.put("host.task-controls", &999_u64.to_be_bytes(), b"\x80".to_vec())
    }),
    ("a task cannot be decoded", "host.tasks ", |tx| {
        tx.put("host.tasks", &999_u64.to_be_bytes(), b"\x80".to_vec())
    }),
    ("a pending change is damaged", "host.cloud-outbox ", |tx| {
        let key = first_key(tx, "host.cloud-outbox", b"");
        tx.put("host.cloud-outbox", &key, b"\x80".to_vec())
    }),
    ("a pending change has another key", "host.cloud-outbox ", |tx| {
        let (key, value) = first_value(tx, "host.cloud-outbox");
        tx.delete("host.cloud-outbox", &key)?;
        tx.put("host.cloud-outbox", &[&key[..8], &[7; 16]].concat(), value)
    }),
    ("a blob is wanted by nobody", "host.cloud-wanted ", |tx| {
        tx.put("host.cloud-wanted", &[9; 40], Vec::new())
    }),
    ("the mirror lost an entry of a blob", "host.cloud-rows ", |tx| {
        let key = first_key(tx, "host.cloud-blobs", b"");
        tx.delete("host.cloud-blobs", &key)
    }),
    ("the mirror has a blob of no row", "host.cloud-blobs ", |tx| {
        let key = [&[1; 32][..], b"favorites\0aa\0nobody"].concat();
        tx.put("host.cloud-blobs", &key, Vec::new())
    }),
    ("the mirror has a place of no row", "host.cloud-places ", |tx| {
        tx.put("host.cloud-places", b"favorites\0nobody\0aa", Vec::new())
    }),
    ("a row of the mirror is malformed", "host.cloud-rows ", |tx| {
        tx.put("host.cloud-rows", b"favorites\0aa\0x", vec![1; 5])
    }),
    ("the live set is damaged", "host.modules ", |tx| {
        tx.put("host.modules", b"live", b"\x80".to_vec())
    }),
    ("a data version is damaged", "host.module-schemas ", |tx| {
        tx.put("host.module-schemas", b"x", vec![1])
    }),
];

/// A copy of a data directory without its downloads.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_planted_inconsistency_is_found() {
    let (scene, waiting) = busy_scene().await;
    let launch = scene.host.stop().await;
    sound(launch.data()).await;
    for (name, subject, plant) in PLANTS {
        let data = scene.dir.path().join("copy");
        copy(launch.data(), &data);
        let store = Store::open(&data.join("stowage.redb"), Config::default()).unwrap();
        store.update(plant).await.unwrap();
        store.close().await;
        let report = db(["check", "--json"], &data).fails(1).await.json();
        let findings = report["findings"].as_array().unwrap();
        let is_found = findings
            .iter()
            .any(|finding| finding["subject"].as_str().unwrap().starts_with(subject));
        assert!(is_found, "{name}: expected a finding about {subject}: {findings:#?}");
        assert_eq!(report["findingsLen"], findings.len(), "{name}");
        assert!(findings.len() <= 8, "{name}: {findings:#?}");
        fs::remove_dir_all(&data).unwrap();
    }
    // Files that rows name.
    let module = fs::read_dir(launch.data().join("modules"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let module = module.strip_prefix(launch.data()).unwrap().to_owned();
    let staged = Path::new("staging").join(hex_of(&waiting));
    for (file, is_damaged) in [(&module, false), (&module, true), (&staged, false), (&staged, true)] {
        let data = scene.dir.path().join("copy");
        copy(launch.data(), &data);
        match is_damaged {
            true => fs::write(data.join(file), b"other bytes").unwrap(),
            false => fs::remove_file(data.join(file)).unwrap(),
        }
        let report = db(["check", "--deep", "--json"], &data).fails(1).await.json();
        let findings = report["findings"].as_array().unwrap();
        assert_eq!(findings.len(), 1, "{file:?}: {findings:#?}");
        assert_eq!(findings[0]["subject"], file.to_str().unwrap(), "{findings:#?}");
        fs::remove_dir_all(&data).unwrap();
    }
}

/// A check beside a server sees one moment, whatever calls do meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_beside_calls_finds_nothing() {
    let (scene, _) = busy_scene().await;
    let end = AtomicBool::new(false);
    let calling = async {
        for n in 0.. {
            if end.load(Ordering::Relaxed) {
                break;
            }
            let name = format!("another folder {n}");
            scene.host.ok("createImFavoriteFolder", json!({"name": name})).await;
        }
    };
    let checking = async {
        for deep in [false, true, false, true] {
            let words = if deep {
                &["check", "--deep", "--json"][..]
            } else {
                &["check", "--json"]
            };
            let checked = db(words.iter().copied(), scene.host.data()).run().await;
            assert_eq!(checked.status, 0, "{checked}");
        }
        end.store(true, Ordering::Relaxed);
    };
    tokio::join!(calling, checking);
    bring_back(&scene);
    scene.host.init().await;
    sound(scene.host.data()).await;
    scene.host.stop().await;
}

/// The dump of a server and that of its files have the same rows; a table can be chosen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_printed_as_text_from_a_server_and_from_files() {
    let (scene, _) = busy_scene().await;
    let data = scene.host.data().to_owned();
    let favorites = db(["dump", "--table", "favorites"], &data).succeeds().await;
    let lines: Vec<Value> = favorites
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 40);
    assert!(
        lines
            .iter()
            .all(|line| line["table"] == "favorites" && line["form"] == "messagepack")
    );
    assert_eq!(lines[0]["value"]["name"], "cat.jpg");
    let total = db(["dump", "--table", "totals"], &data).succeeds().await;
    assert!(
        total
            .stdout
            .contains(r#""key":"favorites","form":"counter","value":280"#),
        "{total}"
    );
    let refused = db(["dump", "--table", "none"], &data).fails(1).await;
    assert!(refused.stderr.contains("there is no table \"none\""), "{refused}");
    let tables = |lines: &[String]| {
        let mut tables: Vec<String> = lines
            .iter()
            .map(|line| {
                serde_json::from_str::<Value>(line).unwrap()["table"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .filter(|table| !table.starts_with("host."))
            .collect();
        tables.dedup();
        (
            tables,
            lines.iter().filter(|line| !line.contains(r#""table":"host."#)).count(),
        )
    };
    let online = rows(&data).await;
    scene.host.stop().await;
    assert_eq!(tables(&online), tables(&rows(&data).await));
}
