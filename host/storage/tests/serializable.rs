//! Committed transactions have the effect of a run one after another, on each backend.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use stowage_storage::{CommitError, Config, Error, KeyRange, ScanOptions, Transaction, UpdateError};
use support::{Fixture, Model, Op, Output, run};

type Make = fn(Config) -> Fixture;

on_every_backend!(
    interleaved_transactions_have_a_serial_order,
    racing_transactions_have_a_serial_order,
    an_update_is_not_lost,
    write_skew_is_refused,
    phantoms_are_refused,
    phantoms_inside_one_batch_are_refused,
    a_scan_conflicts_only_where_it_looked,
    what_is_gone_or_never_was_is_read_too,
    blind_writes_do_not_conflict,
    what_is_depended_on_conflicts_as_if_it_were_read,
    what_is_touched_conflicts_with_those_who_depend_on_it_and_holds_what_it_held,
    what_is_peeked_at_does_not_count_as_read,
    reading_a_counter_conflicts_with_adding_to_it,
    a_snapshot_older_than_the_history_conflicts_unless_it_read_nothing,
    a_read_set_beyond_its_bound_still_finds_conflicts,
    concurrent_updates_of_one_key_all_happen,
    an_update_that_always_conflicts_gives_up,
    an_older_snapshot_can_still_commit,
);

/// A transaction and its results.
struct Run {
    ops: Vec<Op>,
    answers: Vec<Output>,
    tx: Option<Transaction>,
    /// Its sequence, and whether it wrote.
    committed: Option<(u64, bool)>,
}

/// Runs the committed transactions again on the model, one after another. Each must see what it
/// saw.
fn check_serial_order(runs: &[Run]) -> Result<Model, TestCaseError> {
    let mut committed: Vec<_> = runs
        .iter()
        .filter_map(|run| run.committed.map(|(sequence, wrote)| (sequence, !wrote, run)))
        .collect();
    // A read-only transaction has the sequence of the last transaction in its snapshot, and comes
    // after it.
    committed.sort_by_key(|(sequence, read_only, _)| (*sequence, *read_only));
    let writers: Vec<_> = committed.iter().filter(|(_, read_only, _)| !read_only).collect();
    let distinct: BTreeSet<_> = writers.iter().map(|(sequence, ..)| sequence).collect();
    prop_assert_eq!(distinct.len(), writers.len(), "two transactions in one place");
    let mut model = Model::default();
    for (sequence, _, run) in committed {
        for (op, answer) in run.ops.iter().zip(&run.answers) {
            prop_assert_eq!(&model.run(op), answer, "{:?} at {}", op, sequence);
        }
    }
    Ok(model)
}

/// Operations that never add blindly to a value: additions have a table of their own.
fn serial_op() -> impl Strategy<Value = Op> {
    support::op().prop_map(|op| match op {
        Op::Add((_, key), delta) => Op::Add(("counters", key), delta),
        Op::Counter((_, key)) => Op::Counter(("counters", key)),
        Op::Scan("t-1", range, options) => Op::Scan("counters", range, options),
        Op::Count("t-1", range) => Op::Count("counters", range),
        Op::DeleteRange("t-1", range) => Op::DeleteRange("counters", range),
        other => other,
    })
}

async fn interleaved_transactions_have_a_serial_order(make: Make) {
    // Each step advances one transaction. The number of commits that are sent before one is awaited
    // varies, so that some share a batch.
    let transactions = prop::collection::vec(prop::collection::vec(serial_op(), 1..6), 2..9);
    let steps = prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 10..60);
    let check = move |(transactions, steps): (Vec<Vec<Op>>, Vec<(prop::sample::Index, bool)>)| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let fixture = make(Config {
            history_keys: 12,
            ..Config::default()
        });
        let store = &fixture.store;
        let mut runs: Vec<_> = transactions
            .into_iter()
            .map(|ops| Run {
                ops,
                answers: vec![],
                tx: None,
                committed: None,
            })
            .collect();
        let mut under_way = vec![];
        let mut sent = BTreeSet::new();
        let settle = |under_way: &mut Vec<(usize, bool, _)>, runs: &mut Vec<Run>| {
            for (index, wrote, commit) in under_way.drain(..) {
                let commit: Result<stowage_storage::Commit, _> = runtime.block_on(commit);
                match commit {
                    Ok(commit) => runs[index].committed = Some((commit.sequence, wrote)),
                    Err(CommitError::Conflict) => {}
                    Err(other) => panic!("{other}"),
                }
            }
        };
        for (index, wait) in steps {
            let index = index.index(runs.len());
            if sent.contains(&index) {
                continue;
            }
            let current = &mut runs[index];
            let tx = current.tx.get_or_insert_with(|| store.begin());
            if let Some(op) = current.ops.get(current.answers.len()) {
                current.answers.push(run(tx, op));
                continue;
            }
            let tx = current.tx.take().unwrap();
            let wrote = tx.writes().next().is_some();
            sent.insert(index);
            // Polled once, to put it into the queue.
            let mut commit = Box::pin(store.commit(tx));
            let ready = runtime.block_on(async {
                tokio::select! {
                    biased;
                    commit = &mut commit => Some(commit),
                    () = std::future::ready(()) => None,
                }
            });
            let commit = Box::pin(async move {
                match ready {
                    Some(commit) => commit,
                    None => commit.await,
                }
            });
            under_way.push((index, wrote, commit));
            if wait {
                settle(&mut under_way, &mut runs);
            }
        }
        settle(&mut under_way, &mut runs);
        let model = check_serial_order(&runs)?;
        prop_assert_eq!(Model::of(store), model.rows());
        Ok(())
    };
    let cases = Cases {
        cases: 400,
        failure_persistence: None,
        ..Cases::default()
    };
    tokio::task::spawn_blocking(move || {
        TestRunner::new(cases)
            .run(&(transactions, steps), check)
            .unwrap_or_else(|error| panic!("{error}"));
    })
    .await
    .unwrap();
}

async fn racing_transactions_have_a_serial_order(make: Make) {
    let transactions = prop::collection::vec(prop::collection::vec(serial_op(), 1..6), 600..601);
    let check = move |transactions: Vec<Vec<Op>>| {
        let fixture = make(Config::default());
        let (threads, store) = (4, &fixture.store);
        let runs: Vec<Run> = std::thread::scope(|scope| {
            let chunks = transactions.chunks(transactions.len() / threads);
            let workers: Vec<_> = chunks
                .map(|chunk| {
                    scope.spawn(move || {
                        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                        runtime.block_on(async {
                            let mut runs = vec![];
                            for ops in chunk {
                                let mut tx = store.begin();
                                let answers = ops.iter().map(|op| run(&mut tx, op)).collect();
                                let wrote = tx.writes().next().is_some();
                                let committed = match store.commit(tx).await {
                                    Ok(commit) => Some((commit.sequence, wrote)),
                                    Err(CommitError::Conflict) => None,
                                    Err(other) => panic!("{other}"),
                                };
                                runs.push(Run {
                                    ops: ops.clone(),
                                    answers,
                                    tx: None,
                                    committed,
                                });
                            }
                            runs
                        })
                    })
                })
                .collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
        });
        let model = check_serial_order(&runs)?;
        prop_assert_eq!(Model::of(store), model.rows());
        Ok(())
    };
    let cases = Cases {
        cases: 8,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Cases::default()
    };
    tokio::task::spawn_blocking(move || {
        TestRunner::new(cases)
            .run(&transactions, check)
            .unwrap_or_else(|error| panic!("{error}"));
    })
    .await
    .unwrap();
}

/// Commits two concurrent transactions, one after the other.
async fn both(
    fixture: &Fixture,
    first: Transaction,
    second: Transaction,
) -> (Result<(), CommitError>, Result<(), CommitError>) {
    let (first, second) = tokio::join!(
        biased;
        fixture.store.commit(first),
        fixture.store.commit(second)
    );
    (first.map(drop), second.map(drop))
}

fn all(limit: u32) -> ScanOptions {
    ScanOptions {
        limit,
        ..ScanOptions::default()
    }
}

async fn an_update_is_not_lost(make: Make) {
    let fixture = make(Config::default());
    let [first, second] = [b"1", b"2"].map(|value| {
        let mut tx = fixture.store.begin();
        tx.get("t", b"a").unwrap();
        tx.put("t", b"a", value.to_vec()).unwrap();
        tx
    });
    let (first, second) = both(&fixture, first, second).await;
    assert!(first.is_ok());
    assert!(matches!(second, Err(CommitError::Conflict)));
    assert_eq!(fixture.store.begin().get("t", b"a").unwrap().unwrap(), b"1");
}

async fn write_skew_is_refused(make: Make) {
    let fixture = make(Config::default());
    let [first, second] = [(b"a", b"b"), (b"b", b"a")].map(|(read, written)| {
        let mut tx = fixture.store.begin();
        assert_eq!(tx.get("t", read).unwrap(), None);
        tx.put("t", written, vec![]).unwrap();
        tx
    });
    let (first, second) = both(&fixture, first, second).await;
    assert!(first.is_ok());
    assert!(matches!(second, Err(CommitError::Conflict)));
}

async fn phantoms_are_refused(make: Make) {
    let fixture = make(Config::default());
    let store = &fixture.store;
    type Read = fn(&mut Transaction);
    let reads: [Read; 4] = [
        |tx| assert_eq!(tx.count("t", &KeyRange::prefix(*b"z")).unwrap(), 0),
        |tx| drop(tx.scan("t", &KeyRange::prefix(*b"z"), &all(9)).unwrap()),
        |tx| {
            let reverse = ScanOptions {
                reverse: true,
                ..all(9)
            };
            drop(tx.scan("t", &KeyRange::prefix(*b"z"), &reverse).unwrap());
        },
        |tx| assert_eq!(tx.delete_range("t", &KeyRange::prefix(*b"z")).unwrap(), 0),
    ];
    for (n, read) in reads.into_iter().enumerate() {
        let mut reader = store.begin();
        read(&mut reader);
        reader.put("u", b"seen", vec![]).unwrap();
        let mut writer = store.begin();
        writer.put("t", b"z1", vec![]).unwrap();
        store.commit(writer).await.unwrap();
        assert!(
            matches!(store.commit(reader).await, Err(CommitError::Conflict)),
            "read {n}"
        );
        let mut undo = store.begin();
        undo.delete("t", b"z1").unwrap();
        store.commit(undo).await.unwrap();
        let mut reader = store.begin();
        read(&mut reader);
        reader.put("u", b"seen", vec![]).unwrap();
        let mut writer = store.begin();
        writer.put("t", b"b", vec![n as u8]).unwrap();
        store.commit(writer).await.unwrap();
        store.commit(reader).await.unwrap();
    }
}

async fn phantoms_inside_one_batch_are_refused(make: Make) {
    let fixture = make(Config::default());
    let [first, second] = [b"a", b"b"].map(|key| {
        let mut tx = fixture.store.begin();
        let count = tx.count("t", &KeyRange::all()).unwrap();
        tx.put("t", key, vec![count as u8]).unwrap();
        tx
    });
    let (first, second) = both(&fixture, first, second).await;
    assert!(first.is_ok());
    assert!(matches!(second, Err(CommitError::Conflict)));
}

async fn a_scan_conflicts_only_where_it_looked(make: Make) {
    let fixture = make(Config::default());
    let store = &fixture.store;
    let mut tx = store.begin();
    for key in [b"b", b"d", b"f"] {
        tx.put("t", key, vec![]).unwrap();
    }
    store.commit(tx).await.unwrap();
    // The written key, and whether the first entry of the scan depends on it.
    for (reverse, cases) in [
        (false, [(b"a", true), (b"b", true), (b"c", false), (b"g", false)]),
        (true, [(b"g", true), (b"f", true), (b"e", false), (b"a", false)]),
    ] {
        for (key, conflicts) in cases {
            let mut reader = store.begin();
            let options = ScanOptions { reverse, ..all(1) };
            assert_eq!(reader.scan("t", &KeyRange::all(), &options).unwrap().entries.len(), 1);
            reader.put("u", b"seen", vec![]).unwrap();
            let mut writer = store.begin();
            writer.put("t", key, b"new".to_vec()).unwrap();
            store.commit(writer).await.unwrap();
            let committed = store.commit(reader).await;
            assert_eq!(committed.is_err(), conflicts, "{reverse} {key:?}");
            let mut undo = store.begin();
            match key {
                b"b" | b"f" => undo.put("t", key, vec![]).unwrap(),
                _ => undo.delete("t", key).unwrap(),
            }
            store.commit(undo).await.unwrap();
        }
    }
}

async fn what_is_gone_or_never_was_is_read_too(make: Make) {
    let fixture = make(Config::default());
    let mut reader = fixture.store.begin();
    assert_eq!(reader.get("t", b"a").unwrap(), None);
    reader.put("u", b"unique", vec![]).unwrap();
    let mut writer = fixture.store.begin();
    writer.delete("t", b"a").unwrap();
    writer.put("t", b"a", vec![]).unwrap();
    fixture.store.commit(writer).await.unwrap();
    assert!(matches!(fixture.store.commit(reader).await, Err(CommitError::Conflict)));
}

async fn blind_writes_do_not_conflict(make: Make) {
    let fixture = make(Config {
        history_keys: 1,
        ..Config::default()
    });
    let transactions: Vec<_> = (0..50)
        .map(|n| {
            let mut tx = fixture.store.begin();
            tx.add("t", b"sum", n).unwrap();
            tx.put("t", b"last", n.to_le_bytes().to_vec()).unwrap();
            // A read of an own write is not a read of the snapshot.
            tx.get("t", b"last").unwrap().unwrap();
            tx
        })
        .collect();
    for tx in transactions {
        fixture.store.commit(tx).await.unwrap();
    }
    assert_eq!(
        fixture.store.begin().counter("t", b"sum").unwrap(),
        (0..50).sum::<i64>()
    );
    assert_eq!(fixture.store.stats().conflicts, 0);
}

async fn what_is_depended_on_conflicts_as_if_it_were_read(make: Make) {
    let Fixture { store, dir: _dir } = make(Config::default());
    let depending = |key: &[u8]| {
        let mut tx = store.begin();
        tx.depend_on("t", key).unwrap();
        tx.put("t", key, b"second".to_vec()).unwrap();
        tx
    };
    let (late, apart) = (depending(b"a"), depending(b"b"));
    let mut first = store.begin();
    first.put("t", b"a", b"first".to_vec()).unwrap();
    // Its own write does not depend on the snapshot.
    first.depend_on("t", b"a").unwrap();
    store.commit(first).await.unwrap();
    assert!(matches!(store.commit(late).await, Err(CommitError::Conflict)));
    store.commit(apart).await.unwrap();
    store.commit(depending(b"a")).await.unwrap();
    assert_eq!(store.begin().get("t", b"a").unwrap().unwrap(), b"second");
}

async fn what_is_touched_conflicts_with_those_who_depend_on_it_and_holds_what_it_held(make: Make) {
    let fixture = make(Config::default());
    let store = &fixture.store;
    let mut held = store.begin();
    held.put("t", b"a", b"held".to_vec()).unwrap();
    held.add("t", b"n", 2).unwrap();
    store.commit(held).await.unwrap();

    let touching = |keys: &[&[u8]]| {
        let mut tx = store.begin();
        for key in keys {
            tx.depend_on("t", key).unwrap();
            tx.touch("t", key).unwrap();
        }
        tx
    };
    let (late, none, other) = (touching(&[b"a"]), touching(&[b"none"]), touching(&[b"n"]));
    let mut reader = store.begin();
    assert_eq!(reader.get("t", b"a").unwrap().unwrap(), b"held");
    reader.put("t", b"read", Vec::new()).unwrap();
    let mut first = touching(&[b"a", b"none"]);
    // A touched key keeps its value, also for the transaction itself.
    assert_eq!(first.writes().count(), 0);
    assert_eq!(first.get("t", b"a").unwrap().unwrap(), b"held");
    assert_eq!(first.get("t", b"none").unwrap(), None);
    let page = first.scan("t", &KeyRange::all(), &all(10)).unwrap();
    assert_eq!(page.entries.len(), 2);
    store.commit(first).await.unwrap();
    assert!(matches!(store.commit(late).await, Err(CommitError::Conflict)));
    assert!(matches!(store.commit(none).await, Err(CommitError::Conflict)));
    assert!(matches!(store.commit(reader).await, Err(CommitError::Conflict)));
    store.commit(other).await.unwrap();

    // In one batch: a touch hides no write, and the later of two touches conflicts.
    let (one, two) = (touching(&[b"a"]), touching(&[b"a"]));
    let (one, two) = both(&fixture, one, two).await;
    assert!(one.is_ok() && matches!(two, Err(CommitError::Conflict)));
    let mut adder = store.begin();
    adder.touch("t", b"n").unwrap();
    adder.add("t", b"n", 3).unwrap();
    adder.touch("t", b"n").unwrap();
    let mut toucher = store.begin();
    toucher.touch("t", b"n").unwrap();
    toucher.touch("t", b"a").unwrap();
    let mut after = store.begin();
    after.add("t", b"n", 4).unwrap();
    let (adder, toucher) = both(&fixture, adder, toucher).await;
    assert!(adder.is_ok() && toucher.is_ok());
    store.commit(after).await.unwrap();
    let mut tx = store.begin();
    assert_eq!(tx.counter("t", b"n").unwrap(), 9);
    assert_eq!(tx.get("t", b"a").unwrap().unwrap(), b"held");
}

async fn what_is_peeked_at_does_not_count_as_read(make: Make) {
    let Fixture { store, dir: _dir } = make(Config::default());
    let mut peeking = store.begin();
    peeking.put("t", b"own", Vec::new()).unwrap();
    assert_eq!(peeking.peek("t", &KeyRange::all(), &all(10)).unwrap().entries.len(), 1);
    let mut other = store.begin();
    other.put("t", b"a", b"1".to_vec()).unwrap();
    store.commit(other).await.unwrap();
    store.commit(peeking).await.unwrap();
    let mut tx = store.begin();
    assert_eq!(tx.peek("t", &KeyRange::all(), &all(1)).unwrap().entries.len(), 1);
    assert_eq!(tx.peek("t", &KeyRange::all(), &all(0)).unwrap().entries.len(), 0);
}

async fn reading_a_counter_conflicts_with_adding_to_it(make: Make) {
    let fixture = make(Config::default());
    let mut reader = fixture.store.begin();
    reader.add("t", b"n", 1).unwrap();
    assert_eq!(reader.counter("t", b"n").unwrap(), 1);
    let mut adder = fixture.store.begin();
    adder.add("t", b"n", 1).unwrap();
    let (adder, reader) = both(&fixture, adder, reader).await;
    assert!(adder.is_ok());
    assert!(matches!(reader, Err(CommitError::Conflict)));
}

async fn a_snapshot_older_than_the_history_conflicts_unless_it_read_nothing(make: Make) {
    let fixture = make(Config {
        history_keys: 2,
        ..Config::default()
    });
    let store = &fixture.store;
    let mut reader = store.begin();
    reader.get("t", b"untouched").unwrap();
    reader.put("t", b"r", vec![]).unwrap();
    let mut blind = store.begin();
    blind.put("t", b"b", vec![]).unwrap();
    let mut read_only = store.begin();
    read_only.get("t", b"k").unwrap();
    for n in 0..4u8 {
        let mut tx = store.begin();
        tx.put("t", b"k", vec![n]).unwrap();
        store.commit(tx).await.unwrap();
    }
    assert!(matches!(store.commit(reader).await, Err(CommitError::Conflict)));
    store.commit(blind).await.unwrap();
    store.commit(read_only).await.unwrap();
}

async fn a_read_set_beyond_its_bound_still_finds_conflicts(make: Make) {
    let fixture = make(Config {
        read_set_bytes: 128,
        ..Config::default()
    });
    let mut reader = fixture.store.begin();
    for n in 0..500u16 {
        reader.get("t", &n.to_be_bytes()).unwrap();
        reader.count("u", &KeyRange::prefix(n.to_be_bytes())).unwrap();
    }
    reader.put("v", b"seen", vec![]).unwrap();
    let mut writer = fixture.store.begin();
    writer.put("t", &77u16.to_be_bytes(), vec![]).unwrap();
    let (writer, reader) = both(&fixture, writer, reader).await;
    assert!(writer.is_ok());
    assert!(matches!(reader, Err(CommitError::Conflict)));
}

async fn concurrent_updates_of_one_key_all_happen(make: Make) {
    let fixture = make(Config::default());
    let updates: Vec<_> = (0..32)
        .map(|_| {
            let store = fixture.store.clone();
            tokio::spawn(async move {
                store
                    .update::<_, Error>(|tx| {
                        let held = tx.get("t", b"n")?.map_or(0, |value| value[0]);
                        tx.put("t", b"n", vec![held + 1])
                    })
                    .await
            })
        })
        .collect();
    for update in updates {
        update.await.unwrap().unwrap();
    }
    assert_eq!(fixture.store.begin().get("t", b"n").unwrap().unwrap(), [32]);
}

async fn an_update_that_always_conflicts_gives_up(make: Make) {
    let fixture = make(Config {
        update_attempts: 3,
        ..Config::default()
    });
    let store = &fixture.store;
    // Each run reads a snapshot that is no longer the latest.
    let stale = store.snapshot();
    let mut tx = store.begin();
    tx.put("t", b"a", vec![]).unwrap();
    store.commit(tx).await.unwrap();
    let given_up = store
        .update::<_, Error>(|tx| {
            *tx = store.begin_at(&stale);
            tx.get("t", b"a")?;
            tx.put("t", b"b", vec![])
        })
        .await;
    assert!(matches!(given_up, Err(UpdateError::Contended { attempts: 3 })));
}

async fn an_older_snapshot_can_still_commit(make: Make) {
    let fixture = make(Config::default());
    let store = &fixture.store;
    let snapshot = store.snapshot();
    let mut tx = store.begin();
    tx.put("t", b"a", vec![]).unwrap();
    store.commit(tx).await.unwrap();
    let mut tx = store.begin_at(&snapshot);
    assert_eq!(tx.get("t", b"b").unwrap(), None);
    tx.put("t", b"b", vec![]).unwrap();
    store.commit(tx).await.unwrap();
}
