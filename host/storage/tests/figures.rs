//! Figures of large stores. The slow ones run with `--ignored`, one at a time.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use stowage_storage::{Config, Import, KeyRange, Row, RowValue, Store, compact, verify};

/// The path for the writer below. It is set in the process that runs the writer.
const WRITER: &str = "STOWAGE_TEST_LARGE_WRITER";

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

fn key(n: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    key[8..].copy_from_slice(&n.to_be_bytes());
    key
}

/// Not a test by itself: it writes until it is killed.
#[test]
fn large_writer() {
    let Some(path) = std::env::var_os(WRITER) else {
        return;
    };
    let store = Store::open(Path::new(&path), Config::default()).unwrap();
    for n in 0.. {
        let mut tx = store.begin();
        for part in 0..50 {
            tx.put("new", &key(50 * n + part), vec![n as u8; 300]).unwrap();
        }
        runtime().block_on(store.commit(tx)).unwrap();
        println!("{n} is written");
    }
}

/// Forgets the pages of all files, if that is allowed.
fn drop_caches() -> bool {
    let _ = Command::new("sync").status();
    std::fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}

#[test]
#[ignore = "it writes a gigabyte"]
fn a_gigabyte_is_opened_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("test.redb");
    let start = Instant::now();
    let mut keys: Vec<_> = (0..2_600_000).map(key).collect();
    keys.sort_unstable();
    let mut import = Import::create(&path).unwrap();
    for (n, key) in (0_u64..).zip(&keys) {
        let value = [n as u8; 350];
        let value = RowValue::Value(&value);
        import.put(Row { table: "t", key, value }).unwrap();
    }
    let rows = import.finish().unwrap();
    let bytes = std::fs::metadata(&path).unwrap().len();
    println!(
        "import: {rows} rows, {} MB, {:.1} s",
        bytes >> 20,
        start.elapsed().as_secs_f64()
    );
    let mut times = vec![];
    for cold in [false, false, true] {
        kill_a_writer(&path);
        let is_cold = cold && drop_caches();
        let start = Instant::now();
        let store = Store::open(&path, Config::default()).unwrap();
        let opened = start.elapsed().as_secs_f64();
        assert!(store.begin().get("t", &keys[77]).unwrap().is_some());
        assert!(store.begin().count("new", &KeyRange::all()).unwrap() > 0);
        times.push(format!("{opened:.2} s{}", if is_cold { " cold" } else { "" }));
        runtime().block_on(store.close());
    }
    println!(
        "scorecard: R5 {} MB opened after kill -9 in {}",
        bytes >> 20,
        times.join(", ")
    );
    let start = Instant::now();
    let report = verify(&path).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    println!("verify: {:.1} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let store = Store::open(&path, Config::default()).unwrap();
    let mut walked = 0_u64;
    store
        .snapshot()
        .walk(None, |_| {
            walked += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    println!("walk of {walked} rows: {:.1} s", start.elapsed().as_secs_f64());
    runtime().block_on(store.close());
    let start = Instant::now();
    let (before, after) = compact(&path).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    println!("compact: {} MB to {} MB, {seconds:.1} s", before >> 20, after >> 20);
}

/// Runs a writer and kills it after some flushes.
fn kill_a_writer(path: &Path) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "large_writer", "--nocapture"])
        .env(WRITER, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let written = lines.map_while(Result::ok).filter(|line| line.ends_with(" is written"));
    let written = written.take(4000).count();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(written, 4000, "the writer gave up");
}

/// Updates and deletions while a reader holds an old state.
#[test]
fn the_file_stays_in_proportion_to_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join("test.redb");
    let (runtime, rows) = (runtime(), 40_000_u64);
    let store = Store::open(&path, Config::default()).unwrap();
    let write = |from: u64, to: u64, value_bytes: usize| {
        for chunk in (from..to).collect::<Vec<_>>().chunks(1000) {
            let mut tx = store.begin();
            for n in chunk {
                match n % 10 {
                    9 if value_bytes != 300 => tx.delete("t", &key(n % rows)).unwrap(),
                    _ => tx.put("t", &key(n % rows), vec![*n as u8; value_bytes]).unwrap(),
                }
            }
            runtime.block_on(store.commit(tx)).unwrap();
        }
    };
    write(0, rows, 300);
    let reader = runtime.block_on(store.checkpoint()).unwrap();
    write(rows, rows + 100_000, 310);
    runtime.block_on(store.checkpoint()).unwrap();
    let held = std::fs::metadata(&path).unwrap().len();
    drop(reader);
    // The space that the reader held is used again.
    write(rows, rows + 100_000, 305);
    let mut live = 0;
    let walked = store.snapshot().walk(None, |row| {
        live += (row.table.len() + 1 + row.key.len() + row.value.len_bytes() + 1) as u64;
        ControlFlow::Continue(())
    });
    walked.unwrap();
    runtime.block_on(store.close());
    let (before, after) = compact(&path).unwrap();
    let times = |bytes: u64| bytes as f64 / live as f64;
    println!(
        "scorecard: R7 {:.2} times the live bytes with a reader, {:.2} after it, {:.2} compacted",
        times(held),
        times(before),
        times(after)
    );
    assert!(
        times(before) <= 4.0 && times(after) <= 1.6,
        "{live} live, {before}, {after}"
    );
}
