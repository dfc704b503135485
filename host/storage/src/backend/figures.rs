//! What checksums and two-phase commits cost. Run with `--ignored --nocapture`.

use std::hint::black_box;
use std::time::Instant;

use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableDatabase as _, StorageBackend};

use super::format::{KV, create_tables};
use super::page_layout::PAGE_BYTES;
use super::pages::CheckedPages;
use crate::random::Random;

const ROWS: u64 = 400_000;

fn key(n: u64) -> [u8; 8] {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()
}

fn create(path: &std::path::Path, is_checked: bool) -> Database {
    let mut options = std::fs::File::options();
    let file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .unwrap();
    let disk: Box<dyn StorageBackend> = Box::new(FileBackend::new(file).unwrap());
    let mut builder = Builder::new();
    builder.set_cache_size(8 << 20);
    match is_checked {
        true => builder.create_with_backend(CheckedPages::new(disk)).unwrap(),
        false => builder.create(path).unwrap(),
    }
}

/// Writes random rows in chunks, as a flush does. Returns milliseconds a chunk.
fn write_chunks(db: &Database, quick_repair: bool, chunks: u64) -> f64 {
    let mut random = Random::new(5);
    let start = Instant::now();
    for _ in 0..chunks {
        let mut keys: Vec<_> = (0..4096).map(|_| key(random.below(ROWS))).collect();
        keys.sort_unstable();
        let mut write = db.begin_write().unwrap();
        write.set_quick_repair(quick_repair);
        {
            let mut table = write.open_table(KV).unwrap();
            for key in keys {
                table.insert(&key[..], &[7; 250][..]).unwrap();
            }
        }
        write.commit().unwrap();
    }
    start.elapsed().as_secs_f64() * 1000.0 / chunks as f64
}

/// Reads random rows. Most of them are not in the cache. Returns microseconds a row.
fn read_rows(db: &Database) -> f64 {
    let read = db.begin_read().unwrap();
    let table = read.open_table(KV).unwrap();
    let mut random = Random::new(9);
    let start = Instant::now();
    for _ in 0..200_000 {
        black_box(
            table
                .get(&key(random.below(ROWS))[..])
                .unwrap()
                .map(|value| value.value().len()),
        );
    }
    start.elapsed().as_secs_f64() * 1e6 / 200_000.0
}

#[test]
#[ignore = "it takes half a minute"]
fn checksums_and_two_phases_cost() {
    let page = vec![0x5a_u8; PAGE_BYTES];
    let start = Instant::now();
    for _ in 0..200_000 {
        black_box(crc32fast::hash(black_box(&page)));
    }
    println!(
        "checksum of a page: {:.0} ns",
        start.elapsed().as_secs_f64() * 1e9 / 200_000.0
    );
    for (is_checked, quick_repair) in [(false, false), (false, true), (true, true)] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("test.redb");
        let db = create(&path, is_checked);
        create_tables(&db).unwrap();
        write_chunks(&db, quick_repair, 150);
        let chunk = write_chunks(&db, quick_repair, 50);
        let read = read_rows(&db);
        db.close().unwrap();
        let len = std::fs::metadata(&path).unwrap().len();
        println!(
            "checked {is_checked}, quick repair {quick_repair}: {chunk:.1} ms a chunk of 4096 rows, {read:.2} µs \
             a row read, {} MB",
            len >> 20
        );
    }
}
