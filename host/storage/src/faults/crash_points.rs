//! Each crash point of docs/storage.md, with the real backend stopped exactly there.
//!
//! Each test looks at many disks that a power loss may leave at its crash point, and at what
//! recovery makes of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::batches::{HALF_BYTES, after, long, rows, short};
use super::disk::{Disk, Name};
use super::engine::{Call, Engine, Event, commit_syncs};
use super::stops::{Go, Role, Stop};
use super::trace::{Kept, Trace, recovered};
use crate::error::OpenError;
use crate::model::state::{Rows, Write};

/// The most unsynced operations of which all subsets are tried.
const ALL_SUBSETS: usize = 6;
/// Random subsets of more operations, and of sectors.
const SAMPLES: u64 = 24;

/// A crash point that is tested.
struct Point {
    name: &'static str,
    images: usize,
    /// Whether redb makes its file now: it may refuse one that is there in part.
    is_unfinished: bool,
}

impl Point {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            images: 0,
            is_unfinished: false,
        }
    }

    /// Recovers from every power loss at this moment. What is found after each is one of `allowed`,
    /// and each of them is found.
    fn outcomes(&mut self, engine: &Engine, allowed: &[Rows]) {
        let found = self.found(&engine.trace());
        assert_eq!(found, allowed.iter().copied().collect(), "{}", self.name);
    }

    fn found(&mut self, trace: &Trace) -> BTreeSet<Rows> {
        let unsynced = trace.unsynced();
        let subsets: Vec<u64> = match unsynced <= ALL_SUBSETS {
            true => (0..1 << unsynced).collect(),
            false => (1..=SAMPLES).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect(),
        };
        let whole = subsets.into_iter().map(Kept::Operations);
        let torn = (1..=SAMPLES).map(|seed| Kept::Sectors { seed });
        let kept: Vec<_> = [Kept::Nothing, Kept::Everything]
            .into_iter()
            .chain(whole)
            .chain(torn)
            .collect();
        self.images += kept.len();
        let found = kept.into_iter().filter_map(|kept| {
            let stored = match recovered(&trace.after_power_loss(kept), HALF_BYTES) {
                Err(OpenError::NotAStore { .. }) if self.is_unfinished => return None,
                opened => opened.unwrap_or_else(|error| panic!("{}, {kept:?}: {error}", self.name)),
            };
            Some(rows(&stored).unwrap_or_else(|part| panic!("{}, {kept:?}: {part}", self.name)))
        });
        found.collect()
    }

    /// [`Point::outcomes`] at every stop of the current call, and after it.
    fn outcomes_until_return(&mut self, engine: &Engine, allowed: &[Rows]) {
        loop {
            self.outcomes(engine, allowed);
            match engine.event() {
                Event::Stopped(stop) => engine.go(Role::Committer, stop, Go::Succeed),
                Event::Returned(returned) => {
                    returned.unwrap();
                    return self.outcomes(engine, allowed);
                }
            }
        }
    }
}

impl Drop for Point {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            println!("scorecard: R15 {}: {} power losses recovered", self.name, self.images);
        }
    }
}

/// An engine that serves, on an empty disk.
fn engine() -> Engine {
    let engine = Engine::new(Arc::new(Disk::default()), HALF_BYTES);
    engine.call(Call::Open).unwrap();
    engine
}

fn commit(engine: &Engine, writes: impl IntoIterator<Item = Write>) {
    for write in writes {
        engine.call(Call::Apply(short(write))).unwrap();
    }
}

/// Writes 1 and 2 are in the frozen memtable, which is being flushed. Write 3 is in the other half.
fn flushing() -> Engine {
    let engine = engine();
    commit(&engine, 1..=3);
    engine
}

/// Chunks of the flush of writes 1 and 2: their three keys, and the one that sets `batch`.
const CHUNKS: usize = 4;

#[test]
fn c1_while_the_log_grows() {
    let mut point = Point::new("C1");
    // The first half, then the second one.
    for before in [0, 2] {
        let engine = engine();
        commit(&engine, 1..=before);
        engine.begin(Call::Apply(short(before + 1)));
        engine.run_to(Stop::GrowLog);
        while let Event::Stopped(Stop::GrowLog) = engine.event() {
            point.outcomes(&engine, &[after(1..=before)]);
            engine.go(Role::Committer, Stop::GrowLog, Go::Succeed);
        }
        engine.run_to(Stop::WriteRecord);
        assert!(engine.trace().unsynced() >= 2, "the new length and the zeros");
        point.outcomes(&engine, &[after(1..=before)]);
    }
}

#[test]
fn c2_while_a_record_is_written_before_its_fsync_ends() {
    let mut point = Point::new("C2");
    let engine = engine();
    commit(&engine, 1..=1);
    engine.begin(Call::Apply(short(2)));
    engine.run_to(Stop::WriteRecord);
    point.outcomes(&engine, &[after(1..=1)]);
    engine.run_to(Stop::SyncLog);
    point.outcomes(&engine, &[after(1..=1), after(1..=2)]);
}

#[test]
fn c3_after_the_fsync_before_the_reply() {
    let mut point = Point::new("C3");
    let engine = engine();
    commit(&engine, 1..=1);
    engine.begin(Call::Apply(short(2)));
    engine.run_to(Stop::SyncLog);
    engine.go(Role::Committer, Stop::SyncLog, Go::Succeed);
    point.outcomes(&engine, &[after(1..=2)]);
}

#[test]
fn c4_while_a_record_overwrites_the_older_pass_of_its_half() {
    let mut point = Point::new("C4");
    let engine = flushing();
    engine.flush(CHUNKS);
    engine.release().unwrap();
    commit(&engine, 4..=4);
    // Writes 5 and 6 go where the records of 1 and 2 are.
    for write in 5..=6 {
        engine.begin(Call::Apply(short(write)));
        engine.run_to(Stop::WriteRecord);
        point.outcomes(&engine, &[after(1..write)]);
        engine.run_to(Stop::SyncLog);
        assert_eq!(
            engine.trace().unsynced_on(Name::Wal),
            1,
            "only the record: nothing grows"
        );
        point.outcomes(&engine, &[after(1..write), after(1..=write)]);
        engine.finish().unwrap();
        point.outcomes(&engine, &[after(1..=write)]);
    }
}

#[test]
fn c5_at_the_change_of_halves() {
    let mut point = Point::new("C5");
    let engine = engine();
    commit(&engine, 1..=2);
    engine.begin(Call::Apply(short(3)));
    engine.run_to(Stop::GrowLog);
    engine.flusher_stops();
    point.outcomes(&engine, &[after(1..=2)]);
    // The flush may end before the other half has a record.
    engine.flush(CHUNKS);
    engine.run_to(Stop::WriteRecord);
    point.outcomes(&engine, &[after(1..=2)]);
    engine.run_to(Stop::SyncLog);
    point.outcomes(&engine, &[after(1..=2), after(1..=3)]);
}

#[test]
fn c6_between_two_chunks_of_a_flush_or_in_one() {
    let mut point = Point::new("C6");
    let engine = flushing();
    for _ in 0..(CHUNKS - 1) * commit_syncs() {
        engine.flusher_stops();
        point.outcomes(&engine, &[after(1..=3)]);
        engine.go(Role::Flusher, Stop::SyncDatabase, Go::Succeed);
        point.outcomes(&engine, &[after(1..=3)]);
    }
}

#[test]
fn c7_at_the_last_chunk_of_a_flush() {
    let mut point = Point::new("C7");
    let engine = flushing();
    engine.flush(CHUNKS - 1);
    engine.flusher_stops();
    point.outcomes(&engine, &[after(1..=3)]);
    engine.flush(1);
    point.outcomes(&engine, &[after(1..=3)]);
}

#[test]
fn c8_while_a_long_batch_is_written_to_redb() {
    let mut point = Point::new("C8");
    let engine = engine();
    commit(&engine, 1..=1);
    engine.begin(Call::Apply(long(2)));
    // The flush of write 1: two keys, and the chunk that sets `batch`.
    for _ in 0..3 * commit_syncs() {
        engine.run_to(Stop::SyncDatabase);
        point.outcomes(&engine, &[after(1..=1)]);
        engine.go(Role::Committer, Stop::SyncDatabase, Go::Succeed);
    }
    for _ in 1..commit_syncs() {
        engine.run_to(Stop::SyncDatabase);
        point.outcomes(&engine, &[after(1..=1)]);
        engine.go(Role::Committer, Stop::SyncDatabase, Go::Succeed);
    }
    engine.run_to(Stop::SyncDatabase);
    point.outcomes(&engine, &[after(1..=1), after(1..=2)]);
    engine.finish().unwrap();
    point.outcomes(&engine, &[after(1..=2)]);
}

#[test]
fn c9_while_the_store_is_closed() {
    let mut point = Point::new("C9");
    let engine = flushing();
    engine.flush(CHUNKS);
    engine.begin(Call::Close);
    point.outcomes_until_return(&engine, &[after(1..=3)]);
    assert!(
        engine.trace().unsynced_on(Name::Wal) > 0,
        "the truncation is not synced"
    );
    // The next process grows the log again. The old records may come back behind its own.
    let engine = Engine::new(engine.trace().after_power_loss(Kept::Nothing), HALF_BYTES);
    engine.call(Call::Open).unwrap();
    engine.begin(Call::Apply(short(4)));
    engine.run_to(Stop::SyncLog);
    point.outcomes(&engine, &[after(1..=3), after(1..=4)]);
}

/// The sync of a record fails, but the record is on the disk. The close flushes the batches before
/// it, and the power fails before the log is truncated. The record has the next batch, and is not
/// where the replay looks for it. That is no damage.
#[test]
fn c9_while_the_store_is_closed_after_a_batch_failed() {
    let mut point = Point::new("C9 after a failed batch");
    let engine = engine();
    commit(&engine, 1..=1);
    engine.begin(Call::Apply(short(2)));
    engine.run_to(Stop::SyncLog);
    engine.go(Role::Committer, Stop::SyncLog, Go::FailLate);
    assert!(engine.finish().is_err());
    engine.begin(Call::Reopen);
    engine.run_to(Stop::TruncateLog);
    point.outcomes_until_return(&engine, &[after(1..=1)]);
}

/// The sync of the first record of a half fails, but the record is on the disk. A power loss undoes
/// the truncation of the log: the record counts again. Nobody may have seen a state without it.
#[test]
fn c9_while_the_store_is_closed_after_the_first_batch_of_a_half_failed() {
    let mut point = Point::new("C9 after a failed batch at the start of a half");
    let engine = engine();
    engine.call(Call::Apply(long(1))).unwrap();
    engine.begin(Call::Apply(short(2)));
    engine.run_to(Stop::SyncLog);
    engine.go(Role::Committer, Stop::SyncLog, Go::Fail);
    assert!(engine.finish().is_err());
    engine.begin(Call::Reopen);
    engine.run_to(Stop::OpenLog);
    point.outcomes(&engine, &[after(1..=1), after(1..=2)]);
    engine.run_to(Stop::SyncLog);
    point.outcomes(&engine, &[after(1..=1), after(1..=2)]);
    engine.go(Role::Committer, Stop::SyncLog, Go::Succeed);
    point.outcomes_until_return(&engine, &[after(1..=1)]);
}

#[test]
fn c10_during_recovery() {
    let mut point = Point::new("C10");
    let engine = flushing();
    engine.flush(1);
    let mut disks = vec![engine.trace().after_power_loss(Kept::Nothing)];
    // Recovery is interrupted at each of its steps, three times in a row.
    for _ in 0..3 {
        let mut interrupted = vec![];
        for disk in disks {
            let engine = Engine::new(disk, HALF_BYTES);
            engine.begin(Call::Open);
            loop {
                point.outcomes(&engine, &[after(1..=3)]);
                match engine.event() {
                    Event::Stopped(stop) => {
                        interrupted.push(engine.trace().after_power_loss(Kept::Everything));
                        engine.go(Role::Committer, stop, Go::Succeed);
                    }
                    Event::Returned(returned) => break drop(returned.unwrap()),
                }
            }
        }
        // The last ones have the most behind them.
        disks = interrupted.split_off(interrupted.len().saturating_sub(2));
    }
}

/// The next process after a kill between the write of a record and its fsync, so that the record is
/// in the page cache alone. It has read both files.
fn killed_before_the_fsync() -> Engine {
    let engine = engine();
    commit(&engine, 1..=1);
    engine.begin(Call::Apply(short(2)));
    engine.run_to(Stop::SyncLog);
    let engine = engine.kill();
    engine.begin(Call::Open);
    engine.run_to(Stop::SyncLog);
    engine
}

#[test]
fn c10_during_recovery_of_a_record_that_was_never_synced() {
    let mut point = Point::new("C10 after a kill at C2");
    let engine = killed_before_the_fsync();
    point.outcomes(&engine, &[after(1..=1), after(1..=2)]);
    engine.go(Role::Committer, Stop::SyncLog, Go::Succeed);
    point.outcomes_until_return(&engine, &[after(1..=2)]);
}

/// The sync of the recovery fails, and the next one succeeds without having written the record.
/// Recovery once flushed in chunks: the record was gone, and a part of its batch stayed.
#[test]
fn c10_during_recovery_of_a_record_that_no_sync_makes_durable() {
    let mut point = Point::new("C10 after a kill at C2 and a failed sync");
    let engine = killed_before_the_fsync();
    engine.go(Role::Committer, Stop::SyncLog, Go::Fail);
    assert!(engine.finish().is_err());
    engine.begin(Call::Open);
    engine.run_to(Stop::SyncLog);
    point.outcomes(&engine, &[after(1..=1), after(1..=2)]);
    engine.go(Role::Committer, Stop::SyncLog, Go::Succeed);
    for _ in 0..commit_syncs() {
        engine.run_to(Stop::SyncDatabase);
        point.outcomes(&engine, &[after(1..=1), after(1..=2)]);
        engine.go(Role::Committer, Stop::SyncDatabase, Go::Succeed);
    }
    point.outcomes_until_return(&engine, &[after(1..=2)]);
}

/// The disk is full as well, so the record is served from memory. It must stay.
#[test]
fn c10_during_recovery_of_such_a_record_without_space_for_a_flush() {
    let mut point = Point::new("C10 after a kill at C2 and a failed sync, on a full disk");
    let engine = killed_before_the_fsync();
    engine.go(Role::Committer, Stop::SyncLog, Go::Fail);
    assert!(engine.finish().is_err());
    engine.begin(Call::Open);
    engine.run_to(Stop::SyncLog);
    engine.go(Role::Committer, Stop::SyncLog, Go::Succeed);
    engine.go(Role::Committer, Stop::SyncDatabase, Go::FailFull);
    engine.run_to(Stop::WriteRecord);
    point.outcomes(&engine, &[after(1..=1), after(1..=2)]);
    engine.run_to(Stop::SyncLog);
    point.outcomes(&engine, &[after(1..=1), after(1..=2)]);
    engine.go(Role::Committer, Stop::SyncLog, Go::Succeed);
    point.outcomes_until_return(&engine, &[after(1..=2)]);
    // The next flush succeeds.
    engine.begin(Call::Maintain);
    point.outcomes_until_return(&engine, &[after(1..=2)]);
    commit(&engine, 3..=3);
    point.outcomes(&engine, &[after(1..=3)]);
}

#[test]
fn c11_while_the_database_is_created() {
    let mut point = Point::new("C11");
    let engine = Engine::new(Arc::new(Disk::default()), HALF_BYTES);
    engine.begin(Call::Open);
    point.is_unfinished = true;
    while let Event::Stopped(Stop::SyncDatabase) = engine.event() {
        point.outcomes(&engine, &[after([])]);
        engine.go(Role::Committer, Stop::SyncDatabase, Go::Succeed);
    }
    // The file is complete before the log is opened.
    point.is_unfinished = false;
    engine.run_to(Stop::OpenLog);
    point.outcomes_until_return(&engine, &[after([])]);
    // The log of a database that is gone.
    let old = flushing();
    let orphaned = old.trace().without(Name::Database).after_power_loss(Kept::Everything);
    let engine = Engine::new(orphaned, HALF_BYTES);
    engine.begin(Call::Open);
    engine.run_to(Stop::OpenLog);
    point.outcomes_until_return(&engine, &[after([])]);
    // Its records are still behind the first one of the new database.
    engine.begin(Call::Apply(short(4)));
    engine.run_to(Stop::SyncLog);
    point.outcomes(&engine, &[after([]), after([4])]);
}

/// The numbers of the crash points that a text names, each after `before` and ahead of `behind`.
fn named(text: &str, before: &str, behind: char) -> BTreeSet<u32> {
    let numbers = text.lines().filter_map(|line| {
        let (number, _) = line.trim_start().strip_prefix(before)?.split_once(behind)?;
        number.parse().ok()
    });
    numbers.collect()
}

/// A crash point without a test, or a test without its crash point, is an error.
#[test]
fn the_document_and_the_tests_name_the_same_crash_points() {
    let documented = named(include_str!("../../../../docs/storage.md"), "**C", ' ');
    let tested = named(include_str!("crash_points.rs"), "fn c", '_');
    assert_eq!(documented, tested);
    assert!(documented.len() >= 11, "{documented:?}");
    println!(
        "scorecard: R15 all {} crash points of docs/storage.md have a test",
        documented.len()
    );
}
