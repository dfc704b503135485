//! Changed bits in both files: what was written is served, or an error.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::disk::{Disk, Name};
use super::open_disk;
use crate::backend::flusher::FlushMode;
use crate::backend::page_layout::PAGE_BYTES;
use crate::random::Random;
use crate::{BackendError, CommitError, Error, KeyRange, OpenError, ScanOptions, Store, Transaction};

const HALF_BYTES: usize = 32 << 10;

type Rows = BTreeMap<(&'static str, Vec<u8>), Vec<u8>>;

/// A closed store with known rows: small ones, some that fill pages of their own, and counters.
async fn closed_store() -> (Arc<Disk>, Rows) {
    let disk = Arc::new(Disk::default());
    let store = open_disk(&disk, HALF_BYTES, FlushMode::Thread).unwrap();
    let mut rows = Rows::new();
    for chunk in 0..10_u32 {
        let mut tx = store.begin();
        for n in chunk * 100..chunk * 100 + 100 {
            let key = n.wrapping_mul(2_654_435_761).to_be_bytes().to_vec();
            let len = if n % 97 == 0 { 10_000 } else { n % 120 };
            let value = vec![n as u8; len as usize];
            let table = ["a", "b.2", "c"][(n % 3) as usize];
            tx.put(table, &key, value.clone()).unwrap();
            rows.insert((table, key), value);
        }
        tx.add("sums", &chunk.to_be_bytes(), i64::from(chunk)).unwrap();
        rows.insert(
            ("sums", chunk.to_be_bytes().to_vec()),
            i64::from(chunk).to_le_bytes().to_vec(),
        );
        store.commit(tx).await.unwrap();
    }
    store.close().await;
    (disk, rows)
}

/// What reading everything met.
#[derive(Debug, Default)]
struct Met {
    right: usize,
    failed: usize,
}

/// Reads, and waits while the store is closed because it is being reopened.
fn read<T>(store: &Store, read: impl Fn(&mut Transaction) -> Result<T, Error>) -> Result<T, Error> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match read(&mut store.begin()) {
            Err(Error::Backend(BackendError::Closed)) => {
                assert!(Instant::now() < deadline, "it stays closed");
                std::thread::yield_now();
            }
            other => return other,
        }
    }
}

/// Reads each row alone, some that are absent, and all tables. Nothing may be wrong.
fn read_everything(store: &Store, rows: &Rows, hint: &str) -> Met {
    let mut met = Met::default();
    for ((table, key), value) in rows {
        match read(store, |tx| tx.get(table, key)) {
            Ok(Some(found)) if found == *value => met.right += 1,
            Ok(other) => panic!("{hint}: {table} {key:?} is served as {other:?}"),
            Err(error) => {
                assert!(is_damage(&error), "{hint}: {error}");
                met.failed += 1;
            }
        }
    }
    for n in 0..200_u32 {
        let key = [n.to_be_bytes(), n.to_be_bytes()].concat();
        let absent = read(store, |tx| tx.get("a", &key));
        assert!(
            absent.is_err() || absent.as_ref().is_ok_and(Option::is_none),
            "{hint}: {absent:?}"
        );
    }
    for table in ["a", "b.2", "c", "sums"] {
        for reverse in [false, true] {
            let options = ScanOptions {
                limit: 10_000,
                reverse,
                ..ScanOptions::default()
            };
            let expected = rows.iter().filter(|((of, _), _)| *of == table);
            let mut expected: Vec<_> = expected.map(|((_, key), value)| (key.clone(), value.clone())).collect();
            if reverse {
                expected.reverse();
            }
            match read(store, |tx| tx.scan(table, &KeyRange::all(), &options)) {
                Ok(page) => {
                    let found: Vec<_> = page.entries.into_iter().map(|entry| (entry.key, entry.value)).collect();
                    assert!(found == expected, "{hint}: a scan of {table} is wrong");
                }
                Err(error) => assert!(is_damage(&error), "{hint}: {error}"),
            }
        }
    }
    met
}

fn is_damage(error: &Error) -> bool {
    matches!(error, Error::Backend(error) if error.is_damage())
}

#[derive(Debug, Default)]
struct Tally {
    /// The bit was in no page that is used.
    harmless: u32,
    /// The file was refused.
    refused: u32,
    /// Some rows could not be read, and all others could.
    partial: u32,
    /// Rows that could be read, and not, in those files.
    served: usize,
    failed: usize,
    /// Stores that still took writes.
    writable: u32,
}

async fn flip(image: &[u8], wal: &[u8], rows: &Rows, bit: usize, tally: &mut Tally) {
    let disk = Arc::new(Disk::default());
    let mut bytes = image.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    disk.replace(Name::Database, bytes);
    disk.replace(Name::Wal, wal.to_vec());
    let hint = format!("bit {} of byte {}", bit % 8, bit / 8);
    let store = match open_disk(&disk, HALF_BYTES, FlushMode::Thread) {
        Ok(store) => store,
        Err(OpenError::Damaged { .. } | OpenError::FormatTooNew { .. }) => {
            tally.refused += 1;
            return;
        }
        Err(other) => panic!("{hint}: {other}"),
    };
    let met = read_everything(&store, rows, &hint);
    match met.failed {
        0 => tally.harmless += 1,
        failed => {
            tally.partial += 1;
            tally.served += met.right;
            tally.failed += failed;
        }
    }
    // What is harmless for reads is seldom more interesting for writes.
    if met.failed == 0 && !bit.is_multiple_of(8) {
        store.close().await;
        return;
    }
    // Writes near all rows reach every page, so some of them meet the damage.
    let mut written = rows.clone();
    let mut tx = store.begin();
    for ((table, key), value) in rows.iter().filter(|((table, _), _)| *table != "sums").step_by(7) {
        let value = [value, &b"new"[..]].concat();
        tx.put(table, key, value.clone()).unwrap();
        written.insert((table, key.clone()), value);
    }
    let committed = store.commit(tx).await;
    let flushed = store.checkpoint().await;
    match (&committed, &flushed) {
        (Ok(_), Ok(_)) => tally.writable += 1,
        (Ok(_), Err(error)) | (Err(CommitError::Backend(error)), _) => {
            assert!(error.is_damage() || is_closed(error), "{hint}: {error:?}");
        }
        (Err(other), _) => panic!("{hint}: {other}"),
    }
    // What was acknowledged is read from the log, if the database cannot take it.
    let expected = if committed.is_ok() { &written } else { rows };
    read_everything(&store, expected, &hint);
    store.close().await;
    match open_disk(&disk, HALF_BYTES, FlushMode::Thread) {
        Ok(store) => {
            read_everything(&store, expected, &hint);
            store.close().await;
        }
        Err(OpenError::Damaged { .. }) => assert!(met.failed > 0 || flushed.is_err(), "{hint}"),
        Err(other) => panic!("{hint}: {other}"),
    }
}

fn is_closed(error: &BackendError) -> bool {
    matches!(error, BackendError::Closed)
}

#[tokio::test]
async fn a_changed_bit_in_the_database_is_never_served() {
    let (disk, rows) = closed_store().await;
    let (image, wal) = (disk.bytes(Name::Database), disk.bytes(Name::Wal));
    let mut random = Random::new(11);
    let mut tally = Tally::default();
    let pages = image.len() / PAGE_BYTES;
    for page in 0..pages {
        let bit = page * PAGE_BYTES * 8 + random.below(PAGE_BYTES as u64 * 8) as usize;
        flip(&image, &wal, &rows, bit, &mut tally).await;
    }
    // The heads of the file and of redb.
    for byte in (0..24).chain(2 * PAGE_BYTES..2 * PAGE_BYTES + 320) {
        flip(&image, &wal, &rows, 8 * byte + random.below(8) as usize, &mut tally).await;
    }
    let scattered = 1000_u32.saturating_sub(pages as u32);
    for _ in 0..scattered {
        flip(
            &image,
            &wal,
            &rows,
            random.below(image.len() as u64 * 8) as usize,
            &mut tally,
        )
        .await;
    }
    println!(
        "scorecard: R6 {tally:?} of {} flips in {pages} pages, 0 wrong answers",
        scattered + pages as u32 + 344
    );
    assert!(
        tally.partial > 100 && tally.refused > 100 && tally.harmless > 10,
        "{tally:?}"
    );
    assert!(tally.served > 10 * tally.failed, "most rows are served: {tally:?}");
}

#[tokio::test]
async fn a_changed_bit_in_the_log_is_told_or_is_like_its_end() {
    let disk = Arc::new(Disk::default());
    let store = open_disk(&disk, HALF_BYTES, FlushMode::Thread).unwrap();
    for n in 0..20_u8 {
        let mut tx = store.begin();
        tx.put("t", &[n], vec![n; 50]).unwrap();
        tx.add("n", b"rows", 1).unwrap();
        store.commit(tx).await.unwrap();
    }
    let killed = disk.after_kill();
    let (image, wal) = (killed.bytes(Name::Database), killed.bytes(Name::Wal));
    store.close().await;
    let end = wal.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let (mut told, mut cut) = (0, 0);
    for byte in 0..end {
        let disk = Arc::new(Disk::default());
        let mut bytes = wal.clone();
        bytes[byte] ^= 1 << (byte % 8);
        disk.replace(Name::Database, image.clone());
        disk.replace(Name::Wal, bytes);
        match open_disk(&disk, HALF_BYTES, FlushMode::Thread) {
            Err(OpenError::Damaged { path, damage }) => {
                assert!(path.ends_with("disk.wal") && damage.contains("batch"), "{damage}");
                told += 1;
            }
            Ok(store) => {
                let mut tx = store.begin();
                let rows = tx.counter("n", b"rows").unwrap();
                assert_eq!(tx.count("t", &KeyRange::all()).unwrap(), rows as u64);
                // The last record of a log may be one that was not finished.
                assert_eq!(rows, 19, "byte {byte}");
                cut += 1;
                drop(tx);
                store.close().await;
            }
            Err(other) => panic!("byte {byte}: {other}"),
        }
    }
    assert!(told > 15 * cut, "{told} told, {cut} like the end");
}
