//! The files: what they keep, who may open them, and which files are refused.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use redb::{Database, TableDefinition};
use stowage_storage::{BackendError, CommitError, Config, Error, KeyRange, OpenError, Store};
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("test.redb");
    (dir, path)
}

fn open(path: &Path) -> Store {
    Store::open(path, Config::default()).unwrap()
}

async fn write(store: &Store, key: &[u8]) -> Result<(), CommitError> {
    let mut tx = store.begin();
    tx.put("t", key, vec![7; 100]).unwrap();
    tx.add("n", b"rows", 1).unwrap();
    store.commit(tx).await.map(drop)
}

#[tokio::test]
async fn what_was_committed_is_there_after_closing() {
    let (_dir, path) = place();
    let store = open(&path);
    for n in 0..50u8 {
        write(&store, &[n]).await.unwrap();
    }
    store.close().await;
    let store = open(&path);
    let mut tx = store.begin();
    assert_eq!(tx.count("t", &KeyRange::all()).unwrap(), 50);
    assert_eq!(tx.counter("n", b"rows").unwrap(), 50);
    assert_eq!(tx.get("t", &[7]).unwrap().unwrap(), vec![7; 100]);
}

/// A new database in its place would take the log for one of another database, and empty it.
#[tokio::test]
async fn a_log_without_its_database_is_refused_and_left_alone() {
    let (_dir, path) = place();
    let store = open(&path);
    write(&store, b"k").await.unwrap();
    let (killed_dir, killed) = place();
    for extension in ["redb", "wal"] {
        fs::copy(path.with_extension(extension), killed.with_extension(extension)).unwrap();
    }
    drop(store);
    let saved = killed_dir.path().join("saved");
    fs::rename(&killed, &saved).unwrap();
    let log = fs::read(killed.with_extension("wal")).unwrap();
    for make_empty in [false, true] {
        if make_empty {
            fs::write(&killed, b"").unwrap();
        }
        let refused = Store::open(&killed, Config::default());
        assert!(
            matches!(refused, Err(OpenError::LogWithoutDatabase { .. })),
            "{refused:?}"
        );
        assert!(
            fs::read(killed.with_extension("wal")).unwrap() == log,
            "the log is as it was"
        );
    }
    fs::rename(&saved, &killed).unwrap();
    assert_eq!(open(&killed).begin().count("t", &KeyRange::all()).unwrap(), 1);
}

#[tokio::test]
async fn dropping_the_last_handle_frees_the_file() {
    let (_dir, path) = place();
    for n in 0..5u8 {
        let store = open(&path);
        let snapshot = store.snapshot();
        write(&store, &[n]).await.unwrap();
        drop(store);
        // A held snapshot keeps no file open.
        let store = open(&path);
        assert_eq!(store.begin().count("t", &KeyRange::all()).unwrap(), u64::from(n) + 1);
        drop(snapshot);
    }
}

#[tokio::test]
async fn what_was_answered_is_there_when_the_process_is_killed() {
    // A killed process leaves at least what a copy of the files between two commits has.
    let (dir, path) = place();
    let store = open(&path);
    for n in 0..30u8 {
        write(&store, &[n]).await.unwrap();
        let copy = dir.path().join("copy.redb");
        std::fs::copy(&path, &copy).unwrap();
        std::fs::copy(path.with_extension("wal"), copy.with_extension("wal")).unwrap();
        let copied = open(&copy);
        let mut tx = copied.begin();
        assert_eq!(tx.count("t", &KeyRange::all()).unwrap(), u64::from(n) + 1);
        assert_eq!(tx.counter("n", b"rows").unwrap(), i64::from(n) + 1);
    }
}

/// Memory for old snapshots is bounded: beyond the bound, the oldest become unreadable.
#[tokio::test]
async fn many_old_snapshots_hold_no_more_than_a_few_memtables() {
    let (_dir, path) = place();
    let config = Config {
        wal_bytes: 512,
        ..Config::default()
    };
    let store = Store::open(&path, config).unwrap();
    let mut held = vec![];
    for n in 0..200u8 {
        write(&store, &[n]).await.unwrap();
        held.push(store.begin());
    }
    let kept = held.iter_mut().map(|tx| match tx.count("t", &KeyRange::all()) {
        Ok(count) => Some(count),
        Err(Error::Backend(BackendError::Outdated)) => {
            assert!(tx.is_outdated());
            None
        }
        Err(other) => panic!("{other}"),
    });
    let kept: Vec<_> = kept.collect();
    let outdated = kept.iter().take_while(|count| count.is_none()).count();
    assert!((50..200).contains(&outdated), "{outdated} cannot be read any more");
    for (n, count) in kept.iter().enumerate().skip(outdated) {
        assert_eq!(*count, Some(n as u64 + 1), "of those that can, each sees its own state");
    }
    assert_eq!(store.begin().count("t", &KeyRange::all()).unwrap(), 200);
}

/// The path for the writer below. It is set in the process that runs the writer.
const WRITER: &str = "STOWAGE_TEST_WRITER";

/// Not a test by itself: it writes until it is killed, and prints what was acknowledged.
#[test]
fn writer() {
    let Some(path) = std::env::var_os(WRITER) else {
        return;
    };
    let config = Config {
        wal_bytes: 20_000,
        ..Config::default()
    };
    let store = Store::open(Path::new(&path), config).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let first = u32::try_from(store.begin().counter("n", b"rows").unwrap()).unwrap();
    for n in first.. {
        runtime.block_on(write(&store, &n.to_be_bytes())).unwrap();
        println!("{n} is written");
    }
}

#[tokio::test]
async fn what_was_answered_outlives_the_process_wherever_it_is_killed() {
    let (_dir, path) = place();
    let mut answered = 0;
    for cycle in 0..20 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer", "--nocapture"])
            .env(WRITER, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut left = 37 * (cycle + 1);
        for line in lines.map_while(Result::ok) {
            let Some(n) = line.strip_suffix(" is written") else {
                continue;
            };
            answered = n.parse::<u32>().unwrap() + 1;
            left -= 1;
            if left == 0 {
                // The child writes until the kill arrives. Those lines are read, too.
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(left <= 0, "the writer gave up");
        let store = open(&path);
        let mut tx = store.begin();
        let kept = u32::try_from(tx.counter("n", b"rows").unwrap()).unwrap();
        // One more write may be durable without a reply.
        assert!((answered..=answered + 1).contains(&kept), "{kept} of {answered}");
        assert_eq!(tx.count("t", &KeyRange::all()).unwrap(), u64::from(kept));
        drop(tx);
        if cycle % 2 == 0 {
            store.close().await;
        }
    }
}

#[tokio::test]
async fn a_file_in_use_is_refused_until_it_is_closed() {
    let (_dir, path) = place();
    let store = open(&path);
    let Err(OpenError::InUse { path: named }) = Store::open(&path, Config::default()) else {
        panic!("opened twice");
    };
    assert_eq!(named, path);
    write(&store, b"a").await.unwrap();
    store.close().await;
    assert!(open(&path).begin().get("t", b"a").unwrap().is_some());
}

/// The current format.
const FORMAT: u64 = 2;

/// Makes a closed file look as if a newer version had written it: the version in its head.
fn raise_format(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[8..12].copy_from_slice(&(FORMAT as u32 + 1).to_le_bytes());
    let crc = crc32fast::hash(&bytes[..20]);
    bytes[20..24].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_newer_format_is_refused() {
    let (_dir, path) = place();
    drop(open(&path));
    raise_format(&path);
    let opened = Store::open(&path, Config::default());
    assert!(
        matches!(opened, Err(OpenError::FormatTooNew { found, supported, .. }) if (found, supported) == (FORMAT + 1, FORMAT))
    );
}

/// Writes a database of format 1: a plain file of redb with two tables.
fn write_format_1(path: &Path, rows: u32) {
    let db = Database::create(path).unwrap();
    let tx = db.begin_write().unwrap();
    {
        let mut meta = tx.open_table(TableDefinition::<&str, u64>::new("meta")).unwrap();
        for (name, value) in [("format", 1), ("file", 77), ("batch", 9)] {
            meta.insert(name, value).unwrap();
        }
        let mut kv = tx.open_table(TableDefinition::<&[u8], &[u8]>::new("kv")).unwrap();
        for n in 0..rows {
            let key = [b"t\0", &n.to_be_bytes()[..]].concat();
            kv.insert(&key[..], &b"seven bytes\0"[..]).unwrap();
        }
        let counter = [&i64::from(rows).to_le_bytes()[..], &[1]].concat();
        kv.insert(&b"n\0rows"[..], &counter[..]).unwrap();
    }
    tx.commit().unwrap();
}

#[tokio::test]
async fn a_database_of_format_1_is_converted_when_it_is_opened() {
    let (dir, path) = place();
    for rows in [0, 1, 10_000] {
        let _ = std::fs::remove_file(&path);
        write_format_1(&path, rows);
        for _ in 0..2 {
            let store = open(&path);
            let mut tx = store.begin();
            assert_eq!(tx.count("t", &KeyRange::all()).unwrap(), u64::from(rows));
            assert_eq!(tx.counter("n", b"rows").unwrap(), i64::from(rows));
            store.close().await;
        }
        assert_eq!(&std::fs::read(&path).unwrap()[..8], b"stowage\n");
        let left = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, 2, "only the database and its log are left");
    }
}

#[test]
fn a_damaged_database_of_format_1_is_refused_and_left_alone() {
    let (_dir, path) = place();
    write_format_1(&path, 10_000);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(11).position(|part| part == b"seven bytes").unwrap();
    bytes[at] ^= 4;
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(
        Store::open(&path, Config::default()),
        Err(OpenError::Damaged { .. })
    ));
    let left = std::fs::read(&path).unwrap();
    assert!(left.starts_with(b"redb") && left.len() == bytes.len());
}

#[test]
fn a_file_that_is_something_else_is_refused_and_left_alone() {
    let (dir, path) = place();
    let text = vec![b'x'; 100_000];
    std::fs::write(&path, &text).unwrap();
    assert!(matches!(
        Store::open(&path, Config::default()),
        Err(OpenError::NotAStore { .. })
    ));
    assert_eq!(std::fs::read(&path).unwrap(), text);

    let foreign = dir.path().join("foreign.redb");
    let db = Database::create(&foreign).unwrap();
    let tx = db.begin_write().unwrap();
    tx.open_table(TableDefinition::<u64, u64>::new("theirs")).unwrap();
    tx.commit().unwrap();
    drop(db);
    assert!(matches!(
        Store::open(&foreign, Config::default()),
        Err(OpenError::NotAStore { .. })
    ));
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("missing").join("test.redb");
    let Err(OpenError::Backend { path: named, .. }) = Store::open(&path, Config::default()) else {
        panic!("opened in a directory that is not there");
    };
    assert_eq!(named, path);
}

#[test]
fn the_file_stays_small_when_the_same_rows_are_written_again_and_again() {
    let (_dir, path) = place();
    let store = open(&path);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for _ in 0..300 {
        let mut tx = store.begin();
        for key in 0..20u8 {
            tx.put("t", &[key], vec![key; 1000]).unwrap();
        }
        runtime.block_on(store.commit(tx)).unwrap();
    }
    runtime.block_on(store.close());
    let len = std::fs::metadata(&path).unwrap().len();
    assert!(len < 1 << 20, "{len} bytes for 20 KB");
}
