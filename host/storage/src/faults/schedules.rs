//! The threads of a store, in thousands of orders: callers, committer and flusher.
//!
//! shuttle runs the real code, and chooses after each operation on something shared which thread
//! goes on (`sync/modelled.rs`). A schedule that breaks a claim of docs/storage.md is an error, and
//! so is one in which all threads wait.

use std::collections::BTreeSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex};

use redb::StorageBackend;
use shuttle::future::block_on;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::thread::{self, JoinHandle};
use shuttle::{Config as Shuttle, FailurePersistence, Runner};

use super::disk::{Attached, Disk, Name};
use super::trace::opener;
use crate::backend::redb::RedbBackend;
use crate::random::Random;
use crate::sync::modelled::{Late, do_perhaps_late, interleave, with_late};
use crate::{BackendError, CommitError, Config, Error, KeyRange, Store, Transaction};

/// Bytes of a half of the log. Two or three batches fill it, so that flushes overlap with commits.
const HALF_BYTES: usize = 256;
/// Points where a schedule of the PCT scheduler changes its mind.
const DEPTH: usize = 4;

/// How many times more schedules than usual.
const FACTOR: &str = "STOWAGE_MODEL_SCHEDULES";

/// Runs a scenario in many orders, which are the same each time. Returns how many.
fn run(random: usize, pct: usize, scenario: impl Fn() + Send + Sync + Copy + 'static) -> usize {
    let factor = std::env::var(FACTOR).map_or(1, |factor| factor.parse().unwrap());
    let (random, pct) = (random * factor, pct * factor);
    let with = |scheduler: Box<dyn Scheduler + Send>| {
        let mut shuttle = Shuttle::new();
        // redb needs more than shuttle's default.
        shuttle.stack_size = 1 << 20;
        shuttle.failure_persistence = FailurePersistence::None;
        Runner::new(scheduler, shuttle).run(scenario)
    };
    with(Box::new(RandomScheduler::new_from_seed(7, random)))
        + with(Box::new(PctScheduler::new_from_seed(7, DEPTH, pct)))
}

/// Whether some order of the scenario fails.
fn fails(late: Late, random: usize, scenario: impl Fn() + Send + Sync + Copy + 'static) -> bool {
    with_late(late, || {
        catch_unwind(AssertUnwindSafe(|| run(random, random, scenario))).is_err()
    })
}

/// The commits that were answered, by number.
#[derive(Clone, Default)]
struct Answered(Arc<Mutex<BTreeSet<u8>>>);

impl Answered {
    fn add(&self, n: u8) {
        self.0.lock().unwrap().insert(n);
    }

    fn all(&self) -> BTreeSet<u8> {
        self.0.lock().unwrap().clone()
    }
}

/// A transaction that adds a row and counts it.
fn numbered(store: &Store, n: u8) -> Transaction {
    let mut tx = store.begin();
    tx.put("t", &[n], vec![n; 40]).unwrap();
    tx.add("sums", b"rows", 1).unwrap();
    tx
}

/// The rows of a state. Their number is in the counter, or a part of a batch is there.
fn numbers(tx: &mut Transaction) -> Result<BTreeSet<u8>, Error> {
    let rows = (0..=u8::MAX).map(|n| Ok((n, tx.get("t", &[n])?.is_some())));
    let rows = rows.collect::<Result<Vec<_>, Error>>()?;
    let found: BTreeSet<u8> = rows
        .into_iter()
        .filter_map(|(n, is_there)| is_there.then_some(n))
        .collect();
    assert_eq!(tx.counter("sums", b"rows")?, found.len() as i64, "a part of a batch");
    Ok(found)
}

fn join<T>(threads: Vec<JoinHandle<T>>) -> Vec<T> {
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

/// The log of a disk. Another thread may run before each write and sync.
#[derive(Debug)]
struct Log(Arc<Disk>, Attached);

impl StorageBackend for Log {
    fn len(&self) -> io::Result<u64> {
        self.1.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.1.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        interleave();
        self.1.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        interleave();
        let log = self.0.attach(Name::Wal);
        do_perhaps_late(Late::Sync, move || log.sync_data().unwrap());
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        interleave();
        self.1.write(offset, data)
    }
}

fn on_disk(disk: &Arc<Disk>, config: Config) -> Store {
    let (database, wal) = (Arc::clone(disk), Arc::clone(disk));
    let opener = opener(
        move || database.attach(Name::Database),
        move || Ok(Log(Arc::clone(&wal), wal.attach(Name::Wal))),
        HALF_BYTES,
    );
    let backend = RedbBackend::open_with(Path::new("disk"), opener).unwrap();
    Store::with_backend(Box::new(backend), config).unwrap()
}

/// Callers commit, and look at once at snapshots and table versions. A reader does so all the time.
fn replies_and_snapshots() {
    let store = Store::in_memory(Config::default());
    let answered = Answered::default();
    let callers = (0..3).map(|n| {
        let (store, answered) = (store.clone(), answered.clone());
        thread::spawn(move || {
            let mut before = store.begin();
            before.get("t", &[n]).unwrap();
            let versions = before.table_versions().unwrap();
            let commit = block_on(store.commit(numbered(&store, n))).unwrap();
            answered.add(n);
            assert!(!versions.are_current(), "an older table version after the reply");
            let mut tx = store.begin();
            assert!(
                tx.snapshot().sequence() >= commit.sequence,
                "an older snapshot after the reply"
            );
            assert!(
                tx.get("t", &[n]).unwrap().is_some(),
                "the writes are missing after the reply"
            );
        })
    });
    let mut threads: Vec<_> = callers.collect();
    let reader = (store.clone(), answered.clone());
    threads.push(thread::spawn(move || {
        let (store, answered) = reader;
        for _ in 0..3 {
            let before = answered.all();
            let mut tx = store.begin();
            let mut seen = BTreeSet::new();
            for n in 0..3 {
                seen.extend(tx.get("t", &[n]).unwrap().is_some().then_some(n));
            }
            assert!(seen.is_superset(&before), "an answered commit is missing");
            let versions = tx.table_versions().unwrap();
            let is_old = !answered.all().is_subset(&seen);
            assert!(
                !(is_old && versions.are_current()),
                "a reply came, and the version is older"
            );
        }
    }));
    join(threads);
    assert_eq!(store.stats().commits, 3);
    block_on(store.close());
}

/// The queue has room for one, and a batch for two. Everybody waits, and everybody gets an answer.
fn full_queue() {
    let config = Config {
        queue_capacity: 1,
        batch_transactions: 2,
        ..Config::default()
    };
    let store = Store::in_memory(config);
    let callers = (0..5).map(|n| {
        let store = store.clone();
        thread::spawn(move || block_on(store.commit(numbered(&store, n))).unwrap().sequence)
    });
    let sequences = join(callers.collect());
    assert_eq!(sequences.into_iter().collect::<BTreeSet<_>>(), (1..=5).collect());
    let stats = store.stats();
    assert!(stats.largest_batch <= 2 && stats.commits == 5, "{stats:?}");
    assert_eq!(numbers(&mut store.begin()).unwrap().len(), 5);
    block_on(store.close());
}

/// Two handles close the store while callers wait for room. Whoever got an answer is on the disk.
fn close_while_callers_wait() {
    let disk = Arc::new(Disk::default());
    let config = Config {
        queue_capacity: 1,
        ..Config::default()
    };
    let store = on_disk(&disk, config);
    let callers = (0..3).map(|n| {
        let store = store.clone();
        thread::spawn(move || match block_on(store.commit(numbered(&store, n))) {
            Ok(_) => Some(n),
            Err(CommitError::Closed) => None,
            Err(other) => panic!("{other}"),
        })
    });
    let callers: Vec<_> = callers.collect();
    let closers = (0..2).map(|_| {
        let store = store.clone();
        thread::spawn(move || {
            block_on(store.close());
            assert!(store.begin().get("t", &[0]).is_err(), "a closed store can be read");
        })
    });
    let closers: Vec<_> = closers.collect();
    let answered: BTreeSet<u8> = join(callers).into_iter().flatten().collect();
    join(closers);
    drop(store);
    let store = on_disk(&disk, Config::default());
    assert_eq!(numbers(&mut store.begin()).unwrap(), answered);
    block_on(store.close());
}

/// Flushes overlap with commits and readers, and the power fails at some moment.
fn flush_and_power_loss() {
    let disk = Arc::new(Disk::default());
    let store = on_disk(&disk, Config::default());
    let answered = Answered::default();
    let callers = (0..2).map(|caller| {
        let (store, answered) = (store.clone(), answered.clone());
        thread::spawn(move || {
            for n in 0..4 {
                let n = 10 * caller + n;
                block_on(store.commit(numbered(&store, n))).unwrap();
                answered.add(n);
            }
        })
    });
    let mut threads: Vec<_> = callers.collect();
    let reader = store.clone();
    threads.push(thread::spawn(move || {
        let snapshot = reader.snapshot();
        let read = || {
            let mut tx = reader.begin_at(&snapshot);
            Ok((tx.count("t", &KeyRange::all())?, tx.counter("sums", b"rows")?))
        };
        let first: Result<_, Error> = read();
        for _ in 0..3 {
            match (&first, read()) {
                (Ok((rows, counted)), Ok(again)) => {
                    assert_eq!((*rows, *counted), again, "a snapshot changed");
                    assert_eq!(*rows as i64, *counted, "a part of a batch");
                }
                // The halves are small, so old memtables are discarded early.
                (_, Err(Error::Backend(BackendError::Outdated))) | (Err(Error::Backend(BackendError::Outdated)), _) => {
                }
                failed => panic!("{failed:?}"),
            }
        }
    }));
    let (power, at_loss) = (Arc::clone(&disk), answered.clone());
    let loss = thread::spawn(move || {
        for _ in 0..shuttle::rand::Rng::gen_range(&mut shuttle::rand::thread_rng(), 0..150) {
            interleave();
        }
        let seed = u64::from(shuttle::rand::Rng::r#gen::<u32>(&mut shuttle::rand::thread_rng()));
        (power.after_power_loss(&mut Random::new(seed | 1 << 32)), at_loss.all())
    });
    join(threads);
    let (image, answered_then) = loss.join().unwrap();
    assert_eq!(numbers(&mut store.begin()).unwrap(), answered.all());
    block_on(store.close());
    let store = on_disk(&Arc::new(image), Config::default());
    let found = numbers(&mut store.begin()).unwrap();
    assert!(
        found.is_superset(&answered_then),
        "{answered_then:?} were answered, {found:?} are left"
    );
    block_on(store.close());
}

#[test]
fn whoever_got_a_reply_finds_its_writes_and_no_older_table_version() {
    let schedules = run(3000, 2000, replies_and_snapshots);
    println!("scorecard: R14 {schedules} schedules of callers, committer and readers");
}

#[test]
fn a_full_queue_delays_callers_and_forgets_nobody() {
    let schedules = run(2000, 1000, full_queue);
    println!("scorecard: R14 {schedules} schedules of a full queue");
}

#[test]
fn a_close_answers_everybody_who_waits() {
    let schedules = run(500, 300, close_while_callers_wait);
    println!("scorecard: R14 {schedules} schedules of a close while callers wait");
}

#[test]
fn flushes_change_no_snapshot_and_lose_no_answered_commit() {
    let schedules = run(400, 200, flush_and_power_loss);
    println!("scorecard: R14 {schedules} schedules of flushes, readers and a power loss");
}

#[test]
fn a_snapshot_that_is_published_after_the_reply_is_found() {
    assert!(fails(Late::Publish, 1000, replies_and_snapshots));
}

#[test]
fn a_table_version_that_rises_after_the_reply_is_found() {
    assert!(fails(Late::Version, 1000, replies_and_snapshots));
}

#[test]
fn a_reply_before_the_log_is_synced_is_found() {
    assert!(fails(Late::Sync, 400, flush_and_power_loss));
}
