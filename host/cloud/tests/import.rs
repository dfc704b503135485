//! Imports of files into a space, and the check of a space.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use common::{Host, memory, read, store_blob, write};
use object_store::memory::InMemory;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use serde_json::{Value, json};
use stowage_cloud::import::{ImportProgress, Kind, Plan};
use stowage_cloud::{Cloud, Hash, import, verify};

#[derive(Default)]
struct Log {
    started: Vec<(String, u64)>,
    bytes: u64,
    done: u64,
}

impl ImportProgress for Log {
    fn file_started(&mut self, name: &str, len_bytes: u64) {
        self.started.push((name.to_owned(), len_bytes));
    }
    fn bytes(&mut self, count: u64) {
        self.bytes += count;
    }
    fn file_done(&mut self) {
        self.done += 1;
    }
}

fn files() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("in")).unwrap();
    std::fs::write(root.path().join("a.JPG"), b"\xff\xd8 a picture").unwrap();
    std::fs::write(root.path().join("in/chat.txt"), "one\n\ntwo\nthree").unwrap();
    std::fs::write(root.path().join("in/voice.wav"), vec![3; 70_000]).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("/etc/hostname", root.path().join("in/link")).unwrap();
    root
}

fn plan(kind: Kind, password: Option<&str>) -> Plan {
    Plan {
        kind,
        password: password.map(str::to_owned),
    }
}

#[tokio::test]
async fn every_kind_of_import_makes_rows_that_a_host_can_read_and_a_sound_space() {
    let (space, _) = memory().await;
    let root = files();
    let paths = [root.path().to_path_buf(), root.path().join("missing")];
    let kinds = [
        (
            Kind::Favorites {
                folder: "Trip".to_owned(),
            },
            "favorites",
            "favorite-folders",
        ),
        (
            Kind::TempFiles {
                conversation: "node".to_owned(),
            },
            "temp-files",
            "temp-folders",
        ),
        (
            Kind::Backups {
                folder: "backup_1".to_owned(),
            },
            "backups",
            "backup-folders",
        ),
        (Kind::Storage, "storage-files", ""),
        (Kind::Dapp, "dapp-files", ""),
    ];
    for (n, (kind, collection, folders)) in kinds.into_iter().enumerate() {
        for again in [false, true] {
            let mut log = Log::default();
            let report = import(&space, &plan(kind.clone(), None), &paths, &mut log)
                .await
                .unwrap();
            assert_eq!((report.files, report.failures.len()), (3, 1), "{report:?}");
            assert_eq!(report.present, if n == 0 && !again { 0 } else { 3 });
            assert_eq!((log.done, log.bytes), (3, report.len_bytes));
        }
        let host = Host::start(&space).await;
        host.sync().await;
        let rows = host.rows(collection);
        assert_eq!(rows.len(), 3, "importing twice changes nothing");
        for row in &rows {
            let bytes = std::fs::read(match row["name"].as_str().unwrap() {
                "a.JPG" => root.path().join("a.JPG"),
                name => root.path().join("in").join(name),
            })
            .unwrap();
            assert_eq!(
                (&row["hash"], &row["size"]),
                (&json!(Hash::of(&bytes).to_string()), &json!(bytes.len()))
            );
            let seconds = row["time"].as_u64().unwrap() < 100_000_000_000;
            assert_eq!(seconds, matches!(kind, Kind::Favorites { .. } | Kind::Backups { .. }));
        }
        if !folders.is_empty() {
            assert_eq!(host.rows(folders).len(), 1);
        }
        let named = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
        match collection {
            "favorites" => {
                let folder = &host.rows(folders)[0];
                assert_eq!((&folder["name"], &rows[0]["folder"]), (&json!("Trip"), &folder["id"]));
                let content: Value = serde_json::from_str(named("a.JPG")["msgContent"].as_str().unwrap()).unwrap();
                assert_eq!(content["imageInfoArray"][0]["fileName"], "a.JPG");
                let content: Value = serde_json::from_str(named("chat.txt")["msgContent"].as_str().unwrap()).unwrap();
                assert_eq!(content["text"], "one\n\ntwo\nthree");
            }
            "backups" => assert_eq!(named("chat.txt")["messageNum"], 3),
            "temp-files" => assert_eq!(named("a.JPG")["ext"], ".jpg"),
            _ => {}
        }
    }
    let report = verify(&space, true).await.unwrap();
    assert!(report.is_sound() && report.unreferenced.is_empty(), "{report:?}");
    assert_eq!(
        (report.blobs, report.collections.iter().map(|c| c.rows).sum::<u64>()),
        (3, 18)
    );
}

#[tokio::test]
async fn a_row_that_another_writer_keeps_elsewhere_is_not_made_a_second_time() {
    let (space, store) = memory().await;
    let root = files();
    let file = root.path().join("in/chat.txt");
    let conversation = "node".to_owned();
    let kinds = [
        (Kind::Storage, "storage-files"),
        (Kind::TempFiles { conversation }, "temp-files"),
    ];
    for (kind, collection) in kinds {
        let run = async || {
            let paths = [file.clone(), root.path().join("a.JPG")];
            import(&space, &plan(kind.clone(), None), &paths, &mut Log::default())
                .await
                .unwrap()
        };
        run().await;
        // Another tool has one of the rows, in a segment of its own.
        let host = Host::start(&space).await;
        host.sync().await;
        let rows = host.rows(collection);
        let row = rows.iter().find(|row| row["name"] == "chat.txt").unwrap();
        let text = serde_json::to_string(row).unwrap() + "\n";
        for name in stored(&store, &format!("lists/{collection}")).await {
            store.delete(&name.as_str().into()).await.unwrap();
        }
        let all = format!("lists/{collection}/all.ndjson");
        write(store.as_ref(), &all, text.clone()).await;
        assert_eq!(run().await.present, 2);
        assert_eq!(read(store.as_ref(), &all).await, text, "as it was");
        let report = verify(&space, false).await.unwrap();
        assert!(report.is_sound(), "{report:#?}");
        host.sync().await;
        assert_eq!(host.rows(collection).len(), 2);
    }
}

async fn stored(store: &Arc<InMemory>, folder: &str) -> Vec<String> {
    let listed = store.list_with_delimiter(Some(&folder.into())).await.unwrap();
    listed.objects.iter().map(|meta| meta.location.to_string()).collect()
}

#[tokio::test]
async fn known_bytes_under_another_name_rename_nothing() {
    let (space, _) = memory().await;
    let root = files();
    let [first, second, third] = ["a.JPG", "b.JPG", "c.JPG"].map(|name| root.path().join(name));
    std::fs::copy(&first, &second).unwrap();
    std::fs::copy(&first, &third).unwrap();
    for (kind, collection) in [(Kind::Storage, "storage-files"), (Kind::Dapp, "dapp-files")] {
        // The first file of an import gives the name. The name of an earlier import stays.
        for paths in [[&first, &second], [&third, &third]] {
            let paths = paths.map(Clone::clone);
            let plan = plan(kind.clone(), None);
            let report = import(&space, &plan, &paths, &mut Log::default()).await.unwrap();
            assert_eq!(report.files, 2);
            if paths[0] == third {
                assert_eq!(report.present, 2);
            }
        }
        let host = Host::start(&space).await;
        host.sync().await;
        let rows = host.rows(collection);
        assert_eq!((rows.len(), &rows[0]["name"]), (1, &json!("a.JPG")), "{collection}");
    }
}

#[tokio::test]
async fn a_backup_folder_whose_name_is_the_identity_of_another_is_a_folder_of_its_own() {
    let (space, store) = memory().await;
    let root = files();
    let line = "{\"unique\":\"june\",\"parent\":\"\",\"name\":\"Summer\",\"time\":1}\n";
    write(store.as_ref(), "lists/backup-folders/all.ndjson", line).await;
    let long = "图".repeat(255);
    for folder in ["june", &long] {
        let kind = || Kind::Backups {
            folder: folder.to_owned(),
        };
        for _ in 0..2 {
            import(
                &space,
                &plan(kind(), None),
                &[root.path().join("a.JPG")],
                &mut Log::default(),
            )
            .await
            .unwrap();
        }
    }
    let host = Host::start(&space).await;
    host.sync().await;
    let folders = host.rows("backup-folders");
    assert_eq!(folders.len(), 3, "{folders:?}");
    assert_eq!(host.row("backup-folders", "june").unwrap()["name"], "Summer");
    let backups = host.rows("backups");
    assert_eq!(backups.len(), 2);
    for name in ["june", &long] {
        let folder = folders.iter().find(|folder| folder["name"] == name).unwrap();
        assert!(backups.iter().any(|row| row["parent"] == folder["unique"]));
    }
}

#[tokio::test]
async fn a_password_protects_the_stored_bytes_and_the_row_says_so() {
    let (space, _) = memory().await;
    let root = files();
    let paths = [root.path().join("in/chat.txt")];
    let kind = Kind::Favorites { folder: String::new() };
    let report = import(&space, &plan(kind, Some("stowage")), &paths, &mut Log::default())
        .await
        .unwrap();
    assert_eq!((report.files, report.failures.len()), (1, 0));
    let host = Host::start(&space).await;
    host.sync().await;
    let row = &host.rows("favorites")[0];
    assert_eq!((&row["protected"], &row["folder"]), (&json!(true), &json!("1")));
    assert!(
        !row["msgContent"].as_str().unwrap().contains("three"),
        "the text is not beside the locked file"
    );
    let hash: Hash = row["hash"].as_str().unwrap().parse().unwrap();
    let cloud = Cloud::open(space.clone(), host.store.clone()).await.unwrap();
    assert!(cloud.check_password(&hash, Some("stowage")).await.unwrap());
    assert!(!cloud.check_password(&hash, Some("wrong")).await.unwrap());
    assert!(verify(&space, true).await.unwrap().is_sound());
}

#[tokio::test]
async fn verify_finds_what_is_wrong() {
    let (space, store) = memory().await;
    let good = store_blob(&space, b"good").await;
    let stray = store_blob(&space, b"stray").await;
    let absent = Hash::of(b"absent");
    let row = |id: &str, hash: &Hash, size: u64| {
        json!({ "unique": id, "hash": hash.to_string(), "size": size }).to_string() + "\n"
    };
    let text = row("a", &good, 4) + &row("b", &good, 5) + &row("c", &absent, 1) + "garbage\n" + &row("d", &stray, 5);
    write(store.as_ref(), "lists/favorites/aa.ndjson", text).await;
    write(store.as_ref(), "lists/favorites/bb.ndjson", row("a", &good, 4)).await;
    let hex = Hash::of(b"rotten").to_hex();
    write(store.as_ref(), &format!("blobs/{}/{hex}", &hex[..2]), "changed").await;
    write(store.as_ref(), &format!("blobs/zz/{hex}"), "elsewhere").await;
    write(store.as_ref(), "blobs/readme", "hello").await;
    let shallow = verify(&space, false).await.unwrap();
    // Size, missing blob, garbage, two segments, two strays.
    assert_eq!(shallow.problems_len, 6, "{:#?}", shallow.problems);
    assert_eq!(shallow.unreferenced.len(), 1);
    assert_eq!(verify(&space, true).await.unwrap().problems_len, 7);
    write(store.as_ref(), "space.json", "{").await;
    assert_eq!(verify(&space, false).await.unwrap().problems_len, 7);
    assert!(
        read(store.as_ref(), "lists/favorites/aa.ndjson")
            .await
            .contains("garbage"),
        "nothing is changed"
    );
}
