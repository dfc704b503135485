//! Damaged stores: what is verified, and what is salvaged.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use stowage_storage::{
    Config, Gap, Import, KeyRange, OpenError, Row, RowValue, SalvageReport, Salvaged, Store, salvage, verify,
};
use tempfile::TempDir;

const PAGE_BYTES: usize = 4096;
/// Bytes before the body of a record of the log.
const RECORD_HEADER_BYTES: usize = 24;

type Place = (String, Vec<u8>);
type Rows = BTreeMap<Place, Vec<u8>>;
type Strays = Vec<(Place, Vec<u8>)>;

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("test.redb");
    (dir, path)
}

fn owned(row: Row<'_>) -> (Place, Vec<u8>) {
    let value = match row.value {
        RowValue::Value(bytes) => bytes.to_vec(),
        RowValue::Counter(counter) => counter.to_le_bytes().to_vec(),
    };
    ((row.table.to_owned(), row.key.to_vec()), value)
}

/// What is salvaged of a store: its rows after the log, its stray rows, and the report.
fn salvaged(path: &Path) -> Result<(Rows, Strays, SalvageReport), OpenError> {
    let (mut rows, mut strays) = (Rows::new(), vec![]);
    let report = salvage(path, |found| match found {
        Salvaged::Row(row) => rows.extend([owned(row)]),
        Salvaged::Removed { table, key } => drop(rows.remove(&(table.to_owned(), key.to_vec()))),
        Salvaged::Stray(row) => strays.push(owned(row)),
    })?;
    Ok((rows, strays, report))
}

fn is_inside(gap: &Gap, place: &Place) -> bool {
    gap.after.as_ref().is_none_or(|after| after < place) && gap.before.as_ref().is_none_or(|before| place < before)
}

/// A closed store with known rows in three tables, all in pages of 4 KiB.
async fn closed_store(path: &Path) -> Rows {
    let store = Store::open(path, Config::default()).unwrap();
    let mut rows = Rows::new();
    for chunk in 0..20_u32 {
        let mut tx = store.begin();
        for n in chunk * 200..chunk * 200 + 200 {
            let table = ["a", "b.2", "c"][(n % 3) as usize];
            let (key, value) = (
                n.wrapping_mul(2_654_435_761).to_be_bytes(),
                vec![n as u8; (n % 200) as usize],
            );
            tx.put(table, &key, value.clone()).unwrap();
            rows.insert((table.to_owned(), key.to_vec()), value);
        }
        tx.add("sums", &chunk.to_be_bytes(), i64::from(chunk)).unwrap();
        let sum = i64::from(chunk).to_le_bytes().to_vec();
        rows.insert(("sums".to_owned(), chunk.to_be_bytes().to_vec()), sum);
        store.commit(tx).await.unwrap();
    }
    store.close().await;
    rows
}

/// One page after the other is damaged. All rows of the others come back, as they were, and the
/// report says between which rows something is lost.
#[tokio::test]
async fn all_rows_of_undamaged_pages_are_salvaged_and_lost_ranges_are_reported() {
    let (dir, path) = place();
    let rows = closed_store(&path).await;
    let image = fs::read(&path).unwrap();
    let damaged = dir.path().join("damaged.redb");
    let pages = image.len() / PAGE_BYTES;
    let (mut with_gaps, mut with_strays, mut earlier, mut missing_rows) = (0, 0, 0, 0);
    // Page 1 has the checksums. The heads are another test.
    for page in (1..pages).filter(|page| *page != 2) {
        let mut bytes = image.clone();
        bytes[page * PAGE_BYTES + page * 31 % PAGE_BYTES] ^= 0x10;
        fs::write(&damaged, &bytes).unwrap();
        let (found, strays, report) = salvaged(&damaged).unwrap();
        for (place, value) in &found {
            assert_eq!(rows.get(place), Some(value), "page {page}: {place:?}");
        }
        let missing: Vec<_> = rows.iter().filter(|(place, _)| !found.contains_key(*place)).collect();
        missing_rows += missing.len();
        // An earlier commit is found whole or not; what it did not have yet is no gap in it.
        earlier += u32::from(report.is_earlier_commit);
        for (place, _) in missing.iter().filter(|_| !report.is_earlier_commit) {
            let told = report.gaps.iter().any(|gap| is_inside(gap, place));
            assert!(told, "page {page}: the loss of {place:?} is not in {:?}", report.gaps);
        }
        // Below a lost branch, rows of whole pages are stray ones. Only those of one page are gone.
        let lost = missing.iter().filter(|(place, value)| {
            let is_stray = |(at, found): &(Place, Vec<u8>)| at == *place && found == *value;
            !strays.iter().any(is_stray)
        });
        let lost_bytes: usize = lost
            .map(|((table, key), value)| table.len() + key.len() + value.len())
            .sum();
        assert!(
            report.is_earlier_commit || lost_bytes <= PAGE_BYTES,
            "page {page}: {lost_bytes} bytes are lost"
        );
        let verified = verify(&damaged).unwrap();
        assert!(missing.is_empty() || !verified.problems.is_empty(), "page {page}");
        assert_eq!(report.gap_count, report.gaps.len() as u64);
        with_gaps += u32::from(report.gap_count > 0);
        with_strays += u32::from(!strays.is_empty());
    }
    println!(
        "scorecard: R6 {pages} pages damaged one by one: {with_gaps} with reported gaps, {with_strays} with stray rows, \
         {earlier} times an earlier commit, no wrong row"
    );
    assert!(with_gaps > 50 && with_strays > 0, "{with_gaps} {with_strays}");
    // Each row is in one page.
    assert!(missing_rows >= rows.len(), "{missing_rows}");
}

/// The heads tell where everything is. Without them there may be nothing, but never a wrong row.
#[tokio::test]
async fn a_store_with_damaged_heads_is_salvaged_without_wrong_rows() {
    let (dir, path) = place();
    let rows = closed_store(&path).await;
    let image = fs::read(&path).unwrap();
    let damaged = dir.path().join("damaged.redb");
    let (mut whole, mut refused) = (0, 0);
    for byte in (0..24).chain(512..536).chain(2 * PAGE_BYTES..2 * PAGE_BYTES + 320) {
        let mut bytes = image.clone();
        bytes[byte] ^= 1 << (byte % 8);
        fs::write(&damaged, &bytes).unwrap();
        match salvaged(&damaged) {
            Ok((found, _, report)) => {
                // The commit before the last one may be all that is found.
                let is_wrong = found.iter().any(|(place, value)| rows.get(place) != Some(value));
                assert!(!is_wrong || report.is_earlier_commit, "byte {byte}");
                whole += u32::from(found == rows);
            }
            Err(OpenError::NotAStore { .. }) => refused += 1,
            Err(other) => panic!("byte {byte}: {other}"),
        }
    }
    assert!(
        whole > 250,
        "{whole} times everything was found, {refused} times it was refused"
    );
}

/// Where the second half of the log begins.
const SECOND_HALF: usize = 32 << 20;
/// Batches that are only in the log: one row each.
const LOGGED: u8 = 20;

/// The files of a store that was killed, and where each record of its log ends.
async fn killed_store(path: &Path) -> Vec<usize> {
    let original = path.with_file_name("original.redb");
    let store = Store::open(&original, Config::default()).unwrap();
    let mut tx = store.begin();
    tx.put("t", b"flushed", vec![1; 100]).unwrap();
    store.commit(tx).await.unwrap();
    store.checkpoint().await.unwrap();
    for n in 0..LOGGED {
        let mut tx = store.begin();
        tx.put("t", &[n], vec![n; 50]).unwrap();
        store.commit(tx).await.unwrap();
    }
    fs::copy(&original, path).unwrap();
    fs::copy(original.with_extension("wal"), path.with_extension("wal")).unwrap();
    store.close().await;
    let log = fs::read(path.with_extension("wal")).unwrap();
    // A checkpoint changes the half.
    let mut ends = vec![SECOND_HALF];
    for _ in 0..LOGGED {
        let at = *ends.last().unwrap();
        let body = u32::from_le_bytes(log[at + 4..at + 8].try_into().unwrap());
        ends.push(at + RECORD_HEADER_BYTES + body as usize);
    }
    ends
}

#[tokio::test]
async fn all_batches_of_a_damaged_log_but_one_are_salvaged() {
    let (dir, path) = place();
    let ends = killed_store(&path).await;
    let log = fs::read(path.with_extension("wal")).unwrap();
    let file = File::options().write(true).open(path.with_extension("wal")).unwrap();
    for damaged in 0..LOGGED {
        let at = ends[usize::from(damaged) + 1] - 1;
        file.write_all_at(&[log[at] ^ 1], at as u64).unwrap();
        let is_last = damaged == LOGGED - 1;
        let (found, strays, report) = salvaged(&path).unwrap();
        let expected = (0..LOGGED).filter(|n| *n != damaged).map(|n| vec![n]);
        let keys: Vec<_> = found.keys().map(|(_, key)| key.clone()).collect();
        assert_eq!(keys, expected.chain([b"flushed".to_vec()]).collect::<Vec<_>>());
        assert!(strays.is_empty());
        assert_eq!(report.log_batches, u64::from(LOGGED) - 1);
        // The last one looks like a record that was not finished.
        assert_eq!(report.lost_log_batches, u64::from(!is_last));
        let verified = verify(&path).unwrap();
        assert_eq!(verified.problems.is_empty(), is_last, "{:?}", verified.problems);
        if !is_last {
            assert!(
                verified.problems[0].contains("the log: batch"),
                "{:?}",
                verified.problems
            );
            let opened = Store::open(&path, Config::default());
            assert!(matches!(opened, Err(OpenError::Damaged { .. })));
            file.write_all_at(&log[at..=at], at as u64).unwrap();
        }
    }
    // What was salvaged is a store.
    let copy = dir.path().join("copy.redb");
    let mut import = Import::create(&copy).unwrap();
    salvage(&path, |found| match found {
        Salvaged::Row(row) => import.put(row).unwrap(),
        Salvaged::Removed { table, key } => import.remove(table, key).unwrap(),
        Salvaged::Stray(_) => {}
    })
    .unwrap();
    import.finish().unwrap();
    let store = Store::open(&copy, Config::default()).unwrap();
    assert_eq!(store.begin().get("t", &[3]).unwrap(), Some(vec![3; 50]));
    store.close().await;
}

#[tokio::test]
async fn all_batches_before_the_cut_of_a_log_are_salvaged_and_recovered() {
    let (_dir, path) = place();
    let ends = killed_store(&path).await;
    let log = fs::read(path.with_extension("wal")).unwrap();
    let file = File::options().write(true).open(path.with_extension("wal")).unwrap();
    for (whole, window) in ends.windows(2).enumerate().rev() {
        for cut in [window[1] - 1, window[0] + RECORD_HEADER_BYTES + 1, window[0]] {
            file.set_len(cut as u64).unwrap();
            let (found, _, report) = salvaged(&path).unwrap();
            assert_eq!(found.len(), whole + 1, "cut at {cut}");
            assert_eq!((report.log_batches, report.lost_log_batches), (whole as u64, 0));
            let verified = verify(&path).unwrap();
            assert_eq!((verified.problems.len(), verified.log_batches), (0, whole as u64));
        }
    }
    fs::write(path.with_extension("wal"), &log[..ends[10] + 1]).unwrap();
    let store = Store::open(&path, Config::default()).unwrap();
    let found = store.begin().count("t", &KeyRange::all()).unwrap();
    assert_eq!(found, 1 + 10, "the flushed row, and those of the whole records");
    store.close().await;
}
