//! Tests of the store when its backend fails, panics, or loses power.

use std::sync::Arc;

use super::disk::{Disk, Name};
use super::gate::{self, Gate, Plan};
use super::{open_disk, power_loss};
use crate::backend::flusher::FlushMode;
use crate::backend::memory::MemoryBackend;
use crate::random::Random;
use crate::{BackendError, Commit, CommitError, Config, Error, KeyRange, Store, Transaction};

/// Bytes of a half of the log. A small half is flushed all the time.
const HALVES: [usize; 3] = [1 << 20, 16 << 10, 256];

fn on_disk(disk: &Arc<Disk>, half_bytes: usize) -> Store {
    open_disk(disk, half_bytes, FlushMode::Thread).unwrap()
}

fn gated() -> (Store, Arc<Gate>) {
    let (backend, gate) = gate::gated(Box::new(MemoryBackend::default()));
    (Store::with_backend(Box::new(backend), Config::default()).unwrap(), gate)
}

fn put(store: &Store, key: &[u8]) -> Transaction {
    let mut tx = store.begin();
    tx.put("t", key, key.to_vec()).unwrap();
    tx
}

fn spawn(store: &Store, tx: Transaction) -> tokio::task::JoinHandle<Result<Commit, CommitError>> {
    let store = store.clone();
    tokio::spawn(async move { store.commit(tx).await })
}

/// Lets spawned tasks run until `count` commits wait in the queue.
async fn queued(store: &Store, count: u64) {
    for _ in 0..100_000 {
        if store.stats().queued == count {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{} commits are queued, not {count}", store.stats().queued);
}

/// Blocks the committer in a first batch, so that later commits form one batch.
async fn hold(store: &Store, gate: &Gate) -> tokio::task::JoinHandle<Result<Commit, CommitError>> {
    gate.close();
    let held = spawn(store, put(store, b"held"));
    gate.entered().await;
    queued(store, 0).await;
    held
}

#[tokio::test]
async fn what_waits_becomes_one_batch_and_its_members_are_validated_against_each_other() {
    let (store, gate) = gated();
    let held = hold(&store, &gate).await;
    let mut commits = vec![];
    // Each transaction reads the key that the previous one writes, and all write one counter.
    for n in 0..10u8 {
        let mut tx = put(&store, &[n + 1]);
        if n % 2 == 0 {
            tx.get("t", &[n]).unwrap();
        } else {
            tx.count(
                "t",
                &KeyRange {
                    start: Some(vec![n]),
                    end: Some(vec![n + 1]),
                },
            )
            .unwrap();
        }
        tx.add("sums", b"all", 1).unwrap();
        commits.push(spawn(&store, tx));
        queued(&store, u64::from(n) + 1).await;
    }
    gate.open();
    held.await.unwrap().unwrap();
    let mut outcomes = vec![];
    for commit in commits {
        outcomes.push(commit.await.unwrap().is_ok());
    }
    // The writes of a refused transaction conflict with nothing.
    assert_eq!(
        outcomes,
        [true, false, true, false, true, false, true, false, true, false]
    );
    let stats = store.stats();
    assert_eq!((stats.batches, stats.largest_batch, stats.conflicts), (2, 5, 5));
    assert_eq!(store.begin().counter("sums", b"all").unwrap(), 5);
}

#[tokio::test]
async fn an_addition_to_a_value_of_the_same_batch_is_refused_alone() {
    let (store, gate) = gated();
    let held = hold(&store, &gate).await;
    let mut adder = store.begin();
    adder.add("t", b"a", 1).unwrap();
    adder.put("t", b"b", vec![]).unwrap();
    let mut replacer = store.begin();
    replacer.delete("t", b"a").unwrap();
    replacer.add("t", b"a", 7).unwrap();
    let mut last = store.begin();
    last.add("t", b"a", 1).unwrap();
    let mut commits = vec![];
    for (n, tx) in [put(&store, b"a"), adder, replacer, last].into_iter().enumerate() {
        commits.push(spawn(&store, tx));
        queued(&store, n as u64 + 1).await;
    }
    gate.open();
    held.await.unwrap().unwrap();
    let mut outcomes = vec![];
    for commit in commits {
        outcomes.push(commit.await.unwrap());
    }
    assert!(matches!(outcomes[1], Err(CommitError::NotACounter { .. })));
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 3);
    let mut tx = store.begin();
    assert_eq!(tx.counter("t", b"a").unwrap(), 8);
    assert_eq!(tx.get("t", b"b").unwrap(), None);
}

#[tokio::test]
async fn a_snapshot_of_before_a_batch_conflicts_with_it_once_it_is_committed() {
    let (store, gate) = gated();
    let mut reader = put(&store, b"r");
    reader.get("t", b"held").unwrap();
    let held = hold(&store, &gate).await;
    let reader = spawn(&store, reader);
    queued(&store, 1).await;
    gate.open();
    held.await.unwrap().unwrap();
    assert!(matches!(reader.await.unwrap(), Err(CommitError::Conflict)));
}

#[tokio::test]
async fn a_full_queue_makes_callers_wait_and_loses_nobody() {
    let (backend, gate) = gate::gated(Box::new(MemoryBackend::default()));
    let config = Config {
        queue_capacity: 2,
        ..Config::default()
    };
    let store = Store::with_backend(Box::new(backend), config).unwrap();
    let held = hold(&store, &gate).await;
    let commits: Vec<_> = (0..10u8).map(|n| spawn(&store, put(&store, &[n]))).collect();
    queued(&store, 2).await;
    gate.open();
    held.await.unwrap().unwrap();
    for commit in commits {
        commit.await.unwrap().unwrap();
    }
    assert_eq!(store.stats().commits, 11);
}

#[tokio::test]
async fn a_failed_batch_changes_nothing_and_the_store_goes_on() {
    for plan in [Plan::Fail, Plan::Panic] {
        let (store, gate) = gated();
        store.commit(put(&store, b"before")).await.unwrap();
        let mut old = put(&store, b"old");
        old.get("t", b"unrelated").unwrap();
        let held = hold(&store, &gate).await;
        let lost: Vec<_> = (0..5u8).map(|n| spawn(&store, put(&store, &[n]))).collect();
        queued(&store, 5).await;
        gate.plan([Plan::Succeed, plan]);
        gate.open();
        held.await.unwrap().unwrap();
        for lost in lost {
            assert!(matches!(lost.await.unwrap(), Err(CommitError::Backend(_))));
        }
        assert_eq!(store.begin().count("t", &KeyRange::all()).unwrap(), 2);
        // It is unknown whether the failed batch reached the disk, so no older snapshot is valid.
        assert!(matches!(store.commit(old).await, Err(CommitError::Conflict)));
        let mut tx = put(&store, b"after");
        assert!(tx.get("t", b"before").unwrap().is_some());
        store.commit(tx).await.unwrap();
        let stats = store.stats();
        assert_eq!((stats.failed_batches, stats.reopens), (1, 1));
    }
}

#[tokio::test]
async fn while_the_backend_cannot_be_opened_commits_fail_and_then_succeed() {
    let (store, gate) = gated();
    gate.plan([Plan::Fail]);
    gate.refuse_reopening(true);
    for _ in 0..3 {
        let refused = store.commit(put(&store, b"a")).await;
        assert!(matches!(refused, Err(CommitError::Backend(_))));
        assert!(matches!(
            store.begin().get("t", b"a"),
            Err(Error::Backend(BackendError::Closed))
        ));
    }
    gate.refuse_reopening(false);
    store.commit(put(&store, b"b")).await.unwrap();
    let mut tx = store.begin();
    assert_eq!(tx.get("t", b"a").unwrap(), None);
    assert!(tx.get("t", b"b").unwrap().is_some());
}

#[tokio::test]
async fn reading_alone_brings_a_backend_back() {
    let (store, gate) = gated();
    gate.plan([Plan::Fail]);
    gate.refuse_reopening(true);
    assert!(store.commit(put(&store, b"a")).await.is_err());
    gate.refuse_reopening(false);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while store.begin().get("t", b"a").is_err() {
        assert!(std::time::Instant::now() < deadline, "it stays away");
        tokio::task::yield_now().await;
    }
    assert_eq!(store.stats().reopens, 1);
}

/// A failure of each operation in turn: at every crash point, and recovery after it.
#[tokio::test]
async fn a_disk_that_fails_anywhere_loses_no_answered_commit() {
    for half_bytes in HALVES {
        a_failing_disk_loses_no_answered_commit(half_bytes).await;
    }
}

async fn a_failing_disk_loses_no_answered_commit(half_bytes: usize) {
    // The operations before the disk fails, until a run ends without a failure.
    for working in 0.. {
        let disk = Arc::new(Disk::default());
        let store = on_disk(&disk, half_bytes);
        disk.fail_after(working);
        let mut answered = vec![];
        let mut failures = 0;
        // If the last commit fails, one more brings the store back.
        for n in 0.. {
            if n >= 20 && answered.last() == Some(&(n - 1)) {
                break;
            }
            match store.commit(put(&store, &[n])).await {
                Ok(_) => answered.push(n),
                Err(CommitError::Backend(_)) => {
                    failures += 1;
                    disk.heal();
                }
                Err(other) => panic!("{other}"),
            }
        }
        // The committer and the flusher may both meet the fault.
        assert!(failures <= 2, "{failures} failures of one fault");
        // The disk may fail after all replies. Reads then bring the store back.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        for n in &answered {
            let found = loop {
                match store.begin().get("t", &[*n]) {
                    Ok(found) => break found,
                    Err(error) => assert!(std::time::Instant::now() < deadline, "{working}: {error}"),
                }
                disk.heal();
                tokio::task::yield_now().await;
            };
            assert!(found.is_some(), "{working}: {n}");
        }
        // Closing may be what fails.
        store.close().await;
        disk.heal();
        let store = on_disk(&disk, half_bytes);
        let mut tx = store.begin();
        for n in &answered {
            assert!(tx.get("t", &[*n]).unwrap().is_some(), "{working}: {n}");
        }
        if !disk.has_failed() {
            assert!(working > 20, "the disk never failed");
            return;
        }
    }
}

/// C1 to C11, with the flush in steps between the batches. A failing seed fails again when it is
/// run alone.
#[test]
fn power_losses_under_both_files_lose_no_acknowledged_batch() {
    let seeds = 2000;
    let (mut batches, mut crashes, mut in_recovery, mut failed_syncs) = (0, 0, 0, 0);
    for seed in 0..seeds {
        let run = power_loss::run(seed).unwrap_or_else(|problem| panic!("{problem}"));
        batches += run.acknowledged;
        crashes += run.crashes;
        in_recovery += run.crashes_in_recovery;
        failed_syncs += run.failed_syncs;
    }
    assert!(in_recovery > 100, "{in_recovery} crashes in recovery");
    assert!(failed_syncs > 100, "{failed_syncs} failed syncs");
    println!(
        "scorecard: R2 {seeds} seeds, {batches} batches acknowledged, {crashes} crashes, \
         {in_recovery} in recovery, {failed_syncs} failed syncs, 0 lost"
    );
}

/// The long form: `STOWAGE_TEST_SEEDS=0..100000`.
#[test]
#[ignore = "it takes many minutes"]
fn many_power_losses_under_both_files_lose_no_acknowledged_batch() {
    let seeds = std::env::var("STOWAGE_TEST_SEEDS").unwrap_or_else(|_| "0..100000".to_owned());
    let (first, end) = seeds.split_once("..").expect("the seeds are FIRST..END");
    let (first, end): (u64, u64) = (first.parse().unwrap(), end.parse().unwrap());
    let (mut batches, mut crashes, mut failed) = (0, 0, 0);
    for seed in first..end {
        match power_loss::run(seed) {
            Ok(run) => (batches, crashes) = (batches + run.acknowledged, crashes + run.crashes),
            Err(problem) => {
                println!("{problem}");
                failed += 1;
            }
        }
        if (seed + 1) % 1000 == 0 {
            println!(
                "{} seeds, {batches} batches acknowledged, {crashes} crashes, {failed} failed",
                seed + 1 - first
            );
        }
    }
    println!(
        "scorecard: R2 seeds {first} to {end}, {batches} batches acknowledged, {crashes} crashes, {failed} failed"
    );
    assert_eq!(failed, 0);
}

/// The simulator finds what it is for: a disk that ignores syncs loses acknowledged batches.
#[test]
fn a_disk_that_lies_about_syncs_is_found_out() {
    for liar in [Name::Database, Name::Wal] {
        let caught = (0..300)
            .filter(|seed| power_loss::run_on(*seed, Some(liar)).is_err())
            .count();
        assert!(
            caught > 30,
            "{caught} of 300 seeds notice that syncs of {liar:?} do nothing"
        );
    }
}

/// A power loss at C1 to C8. The small halves make the log turn over (C5), flushes overlap with the
/// last batch (C6, C7), and the batch too long for the log (C8).
#[tokio::test]
async fn power_loss_keeps_every_answered_commit_and_no_part_of_another() {
    for (seed, half_bytes) in (0..300u64).zip(HALVES.into_iter().cycle()) {
        let disk = Arc::new(Disk::default());
        let store = on_disk(&disk, half_bytes);
        let batches = 1 + seed % 7;
        for n in 0..batches {
            let mut tx = store.begin();
            for part in 0..20u8 {
                tx.put("t", &[n as u8, part], vec![part; 300]).unwrap();
            }
            tx.add("sums", b"batches", 1).unwrap();
            store.commit(tx).await.unwrap();
        }
        // The disk fails while the last batch is written.
        disk.fail_after(seed % 40);
        let mut tx = store.begin();
        for part in 0..20u8 {
            tx.put("t", &[batches as u8, part], vec![part; 300]).unwrap();
        }
        tx.add("sums", b"batches", 1).unwrap();
        let last = store.commit(tx).await.is_ok();
        let image = Arc::new(disk.after_power_loss(&mut Random::new(seed + 1)));
        let store = on_disk(&image, half_bytes);
        let mut tx = store.begin();
        let kept = tx.counter("sums", b"batches").unwrap() as u64;
        assert!(
            kept == batches + 1 || (!last && kept == batches),
            "{seed}: {kept} of {batches}"
        );
        assert_eq!(tx.count("t", &KeyRange::all()).unwrap(), kept * 20, "{seed}");
    }
}
