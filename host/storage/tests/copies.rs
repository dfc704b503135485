//! Copies of a whole store: checkpoints, imports, compaction, verification and salvage.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use stowage_storage::{
    BackendError, Config, Import, Row, RowValue, Salvaged, Store, compact, inspect, salvage, verify,
};
use tempfile::TempDir;

type Rows = BTreeMap<(String, Vec<u8>), Vec<u8>>;

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("test.redb");
    (dir, path)
}

fn owned(row: Row<'_>) -> ((String, Vec<u8>), Vec<u8>) {
    let value = match row.value {
        RowValue::Value(bytes) => [b"v", bytes].concat(),
        RowValue::Counter(counter) => format!("c{counter}").into_bytes(),
    };
    ((row.table.to_owned(), row.key.to_vec()), value)
}

/// All rows of a store.
fn rows(store: &Store) -> Rows {
    let mut rows = Rows::new();
    let walked = store.snapshot().walk(None, |row| {
        let (place, value) = owned(row);
        rows.insert(place, value);
        ControlFlow::Continue(())
    });
    walked.unwrap();
    rows
}

async fn fill(store: &Store, from: u32, to: u32) {
    for chunk in (from..to).collect::<Vec<_>>().chunks(500) {
        let mut tx = store.begin();
        for n in chunk {
            tx.put("t", &n.to_be_bytes(), vec![*n as u8; (n % 300) as usize])
                .unwrap();
            tx.add("sums", b"all", i64::from(*n)).unwrap();
            tx.add("sums-by-ten", &[(n % 10) as u8], 1).unwrap();
        }
        store.commit(tx).await.unwrap();
    }
}

/// However much is written after it, and however often that is flushed.
#[tokio::test]
async fn a_checkpoint_stays_as_it_was_while_everything_changes() {
    let (_dir, path) = place();
    let config = Config {
        wal_bytes: 20_000,
        ..Config::default()
    };
    let store = Store::open(&path, config).unwrap();
    fill(&store, 0, 3000).await;
    let expected = rows(&store);
    let checkpoint = store.checkpoint().await.unwrap();
    for round in 0..20_u8 {
        let mut tx = store.begin();
        for n in 0..3000_u32 {
            tx.put("t", &n.to_be_bytes(), vec![round; 200]).unwrap();
        }
        store.commit(tx).await.unwrap();
    }
    let mut seen = Rows::new();
    let walked = checkpoint.walk(None, |row| {
        let (place, value) = owned(row);
        seen.insert(place, value);
        ControlFlow::Continue(())
    });
    walked.unwrap();
    assert!(seen == expected);
    let later = store.checkpoint().await.unwrap();
    assert!(later.batch() > checkpoint.batch());
    assert_eq!(
        store.checkpoint().await.unwrap().batch(),
        later.batch(),
        "nothing was written"
    );
    store.close().await;
    assert!(matches!(store.checkpoint().await, Err(BackendError::Closed)));
}

#[tokio::test]
async fn the_files_of_a_store_are_private() {
    let (_dir, path) = place();
    let store = Store::open(&path, Config::default()).unwrap();
    fill(&store, 0, 10).await;
    store.close().await;
    for file in [path.clone(), path.with_extension("wal")] {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
}

/// Opening a pipe would wait for its writer forever.
#[tokio::test]
async fn a_pipe_in_place_of_the_log_is_an_error() {
    let (_dir, path) = place();
    let store = Store::open(&path, Config::default()).unwrap();
    fill(&store, 0, 10).await;
    store.close().await;
    let log = path.with_extension("wal");
    std::fs::remove_file(&log).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&log).status().unwrap();
    assert!(made.success());
    for told in [
        format!("{:?}", verify(&path)),
        format!("{:?}", salvage(&path, |_| {})),
        format!("{:?}", inspect(&path)),
    ] {
        assert!(told.contains("expected a regular file"), "{told}");
    }
}

/// Those who ask while a checkpoint waits for its flush get the next one, although nothing is
/// written any more.
#[tokio::test]
async fn checkpoints_that_overlap_all_end() {
    let (_dir, path) = place();
    let store = Store::open(&path, Config::default()).unwrap();
    for round in 0..5 {
        fill(&store, 3000 * round, 3000 * (round + 1)).await;
        let asked = (0..12).map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_micros(500 * n)).await;
                store.checkpoint().await.map(|checkpoint| checkpoint.batch())
            })
        });
        for asking in asked.collect::<Vec<_>>() {
            let ended = tokio::time::timeout(Duration::from_secs(30), asking).await;
            ended.expect("it ends without another commit").unwrap().unwrap();
        }
    }
    store.close().await;
}

#[tokio::test]
async fn a_checkpoint_has_what_was_committed_before_it_while_others_write() {
    let (_dir, path) = place();
    let store = Store::open(&path, Config::default()).unwrap();
    for n in 0..50_u32 {
        let writer = store.clone();
        let writing = tokio::spawn(async move { fill(&writer, 1000 * n, 1000 * n + 1000).await });
        let before = rows(&store);
        let checkpoint = store.checkpoint().await.unwrap();
        let (mut sum, mut count, mut missing) = (0, 0, before);
        let walked = checkpoint.walk(None, |row| {
            let (place, _) = owned(row);
            missing.remove(&place);
            match (row.table, row.value) {
                ("t", _) => {
                    count += 1;
                    sum += i64::from(u32::from_be_bytes(row.key.try_into().unwrap()));
                }
                ("sums", RowValue::Counter(counter)) => sum -= counter,
                ("sums-by-ten", RowValue::Counter(counter)) => count -= counter,
                other => panic!("{other:?}"),
            }
            ControlFlow::Continue(())
        });
        walked.unwrap();
        assert_eq!((sum, count), (0, 0), "it is one moment");
        assert!(missing.is_empty(), "it has what was committed before");
        writing.await.unwrap();
        if n == 5 {
            break;
        }
    }
    store.close().await;
}

#[tokio::test]
async fn a_walk_goes_on_where_it_stopped() {
    let store = Store::in_memory(Config::default());
    fill(&store, 0, 100).await;
    let expected: Vec<_> = rows(&store).into_keys().collect();
    let mut found: Vec<(String, Vec<u8>)> = vec![];
    loop {
        let after = found.last().map(|(table, key)| (table.clone(), key.clone()));
        let before = found.len();
        let walked = store
            .snapshot()
            .walk(after.as_ref().map(|(table, key)| (&table[..], &key[..])), |row| {
                found.push(owned(row).0);
                match found.len() - before {
                    7 => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                }
            });
        walked.unwrap();
        if found.len() == before {
            break;
        }
    }
    assert_eq!(found, expected);
}

#[tokio::test]
async fn an_import_of_all_rows_is_the_same_store() {
    let (dir, path) = place();
    let store = Store::open(&path, Config::default()).unwrap();
    fill(&store, 0, 5000).await;
    let copy = dir.path().join("copy.redb");
    let mut import = Import::create(&copy).unwrap();
    let walked = store.checkpoint().await.unwrap().walk(None, |row| {
        import.put(row).unwrap();
        ControlFlow::Continue(())
    });
    walked.unwrap();
    assert_eq!(import.finish().unwrap(), 5011);
    let copied = Store::open(&copy, Config::default()).unwrap();
    assert!(rows(&copied) == rows(&store));
    assert!(
        Import::create(&copy).is_err(),
        "a file with contents is not overwritten"
    );
    fill(&copied, 0, 10).await;
    copied.close().await;
}

/// An import that was interrupted must not look like a store.
#[test]
fn an_unfinished_import_is_no_store() {
    let (_dir, path) = place();
    let mut import = Import::create(&path).unwrap();
    for n in 0..10_000_u32 {
        let row = Row {
            table: "t",
            key: &n.to_be_bytes(),
            value: RowValue::Counter(1),
        };
        import.put(row).unwrap();
    }
    drop(import);
    assert!(Store::open(&path, Config::default()).is_err());
}

#[tokio::test]
async fn compaction_keeps_the_rows_and_gives_space_back() {
    let (dir, path) = place();
    let store = Store::open(&path, Config::default()).unwrap();
    fill(&store, 0, 20_000).await;
    store.checkpoint().await.unwrap();
    store
        .update::<_, stowage_storage::Error>(|tx| tx.delete_range("t", &stowage_storage::KeyRange::all()))
        .await
        .unwrap();
    fill(&store, 20_000, 20_500).await;
    let expected = rows(&store);
    store.close().await;
    let (before, after) = compact(&path).unwrap();
    assert!(after * 3 < before, "{before} bytes before, {after} after");
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        2,
        "no file is left behind"
    );
    let store = Store::open(&path, Config::default()).unwrap();
    assert!(rows(&store) == expected);
    fill(&store, 0, 100).await;
    store.close().await;
    assert!(compact(&dir.path().join("none.redb")).is_err());
    assert!(!dir.path().join("none.redb").exists());
}

/// Copies both files while they are open, as after a kill.
fn copy_open(path: &Path, to: &Path) {
    std::fs::copy(path, to).unwrap();
    std::fs::copy(path.with_extension("wal"), to.with_extension("wal")).unwrap();
}

#[tokio::test]
async fn verification_counts_everything_and_changes_nothing() {
    let (dir, path) = place();
    let store = Store::open(&path, Config::default()).unwrap();
    fill(&store, 0, 5000).await;
    store.checkpoint().await.unwrap();
    fill(&store, 5000, 6000).await;
    let copy = dir.path().join("copy.redb");
    copy_open(&path, &copy);
    store.close().await;
    for (path, in_database, in_log) in [(&copy, 5000, 2), (&path, 6000, 0)] {
        let before = std::fs::read(path).unwrap();
        let report = verify(path).unwrap();
        assert_eq!(report.problems, Vec::<String>::new());
        assert_eq!((report.format, report.log_batches), (2, in_log));
        assert_eq!(report.tables["t"].values, in_database);
        assert_eq!((report.tables["sums"].counters, report.tables["sums"].values), (1, 0));
        assert!(std::fs::read(path).unwrap() == before, "nothing is written");
    }
    let store = Store::open(&copy, Config::default()).unwrap();
    assert_eq!(rows(&store).len(), 6011);
    store.close().await;
}

/// Puts what is salvaged into a new store. Returns its rows without the stray ones.
fn salvaged(path: &Path, into: &Path) -> (Rows, stowage_storage::SalvageReport) {
    let mut import = Import::create(into).unwrap();
    let report = salvage(path, |found| match found {
        Salvaged::Row(row) => import.put(row).unwrap(),
        Salvaged::Removed { table, key } => import.remove(table, key).unwrap(),
        Salvaged::Stray(_) => {}
    });
    import.finish().unwrap();
    let store = Store::open(into, Config::default()).unwrap();
    (rows(&store), report.unwrap())
}

#[tokio::test]
async fn everything_is_salvaged_of_a_store_that_is_whole() {
    let (dir, path) = place();
    let store = Store::open(&path, Config::default()).unwrap();
    fill(&store, 0, 5000).await;
    store.checkpoint().await.unwrap();
    fill(&store, 4000, 6000).await;
    let mut tx = store.begin();
    tx.delete("t", &3_u32.to_be_bytes()).unwrap();
    tx.put("t", b"long", vec![7; 100_000]).unwrap();
    store.commit(tx).await.unwrap();
    let expected = rows(&store);
    let copy = dir.path().join("copy.redb");
    copy_open(&path, &copy);
    store.close().await;
    for (n, path) in [copy, path].iter().enumerate() {
        let (found, report) = salvaged(path, &dir.path().join(format!("salvaged-{n}.redb")));
        let lost = expected.keys().filter(|place| !found.contains_key(place)).count();
        assert!(found == expected, "file {n}: {lost} lost, {report:?}");
        assert_eq!(
            (report.gap_count, report.unknown_rows, report.lost_log_batches),
            (0, 0, 0)
        );
        assert!(report.is_checked && !report.is_earlier_commit);
    }
}
