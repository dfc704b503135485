//! What a transaction sees and does, on each backend.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use stowage_storage::{
    BackendError, CommitError, Config, Error, KeyRange, KeyWrite, Limits, ScanOptions, Store, UpdateError, Write,
};
use support::{Fixture, Model, Op, Output, run};

type Make = fn(Config) -> Fixture;

on_every_backend!(
    a_transaction_sees_what_a_map_would,
    snapshots_do_not_change,
    the_limits_are_kept_and_a_refused_write_changes_nothing,
    a_page_is_cut_by_its_size_and_its_cursor_goes_on,
    paging_with_the_cursor_visits_every_matching_key_once,
    writes_come_ordered_and_folded,
    adding_to_a_value_is_refused_whenever_it_shows,
    a_refused_addition_leaves_the_rest_of_its_batch_alone,
    counters_wrap,
    tables_are_those_that_hold_something,
    a_closed_store_refuses_commits_and_reads,
    closing_finishes_what_was_queued,
    an_aborted_update_changes_nothing,
    statistics_count_commits_and_conflicts,
    after_a_fence_no_earlier_snapshot_commits,
    a_footprint_tells_what_was_read_and_written,
    while_table_versions_are_current_reads_repeat,
    table_versions_stay_current_while_other_tables_change,
    a_walk_in_pieces_finds_what_a_whole_walk_finds,
);

/// Checks many values of a strategy, on a thread that may block.
async fn for_many<S>(values: S, check: impl Fn(S::Value) -> Result<(), TestCaseError> + Send + 'static)
where
    S: Strategy + Send + 'static,
{
    let cases = Cases {
        cases: 256,
        failure_persistence: None,
        ..Cases::default()
    };
    tokio::task::spawn_blocking(move || {
        TestRunner::new(cases)
            .run(&values, check)
            .unwrap_or_else(|error| panic!("{error}"));
    })
    .await
    .unwrap();
}

fn put(store: &Store, rows: &[(&str, &str)]) -> stowage_storage::Transaction {
    let mut tx = store.begin();
    for (key, value) in rows {
        tx.put("t", key.as_bytes(), value.as_bytes().to_vec()).unwrap();
    }
    tx
}

fn all(limit: u32) -> ScanOptions {
    ScanOptions {
        limit,
        ..ScanOptions::default()
    }
}

async fn a_transaction_sees_what_a_map_would(make: Make) {
    // A sequence of transactions. Each is committed or dropped.
    let transaction = (prop::collection::vec(support::op(), 0..12), any::<bool>());
    let transactions = prop::collection::vec(transaction, 1..6);
    let check = move |transactions: Vec<(Vec<Op>, bool)>| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let fixture = make(Config::default());
        let store = &fixture.store;
        let mut model = Model::default();
        for (ops, commit) in transactions {
            let mut tx = store.begin();
            let mut seen = model.clone();
            for op in &ops {
                let mut after = seen.clone();
                let expected = after.run(op);
                // A blind addition to a value fails only at the commit. Another test covers that.
                if matches!(op, Op::Add(..)) && expected == Output::NotACounter {
                    continue;
                }
                prop_assert_eq!(run(&mut tx, op), expected, "{:?}", op);
                seen = after;
            }
            if commit {
                runtime.block_on(store.commit(tx)).unwrap();
                model = seen;
            }
            prop_assert_eq!(Model::of(store), model.rows());
        }
        Ok(())
    };
    for_many(transactions, check).await;
}

async fn snapshots_do_not_change(make: Make) {
    let Fixture { store, dir: _dir } = make(Config::default());
    store.commit(put(&store, &[("a", "1"), ("b", "1")])).await.unwrap();
    let snapshot = store.snapshot();
    store.commit(put(&store, &[("a", "2"), ("c", "2")])).await.unwrap();
    let mut tx = store.begin();
    tx.delete("t", b"b").unwrap();
    store.commit(tx).await.unwrap();
    let mut old = store.begin_at(&snapshot);
    assert_eq!(old.get("t", b"a").unwrap().unwrap(), b"1");
    assert_eq!(old.get("t", b"b").unwrap().unwrap(), b"1");
    assert_eq!(old.count("t", &KeyRange::all()).unwrap(), 2);
    assert_eq!(store.begin().count("t", &KeyRange::all()).unwrap(), 2);
    assert!(snapshot.sequence() < store.snapshot().sequence());
}

async fn the_limits_are_kept_and_a_refused_write_changes_nothing(make: Make) {
    let limits = Limits {
        key_bytes: 4,
        value_bytes: 8,
        write_bytes: 40,
        writes: 3,
        ..Limits::default()
    };
    let Fixture { store, dir: _dir } = make(Config {
        limits,
        ..Config::default()
    });
    let mut tx = store.begin();
    assert!(matches!(tx.get("t", b""), Err(Error::KeyEmpty)));
    assert!(matches!(
        tx.put("t", b"12345", vec![]),
        Err(Error::KeyTooLong {
            len_bytes: 5,
            limit_bytes: 4
        })
    ));
    assert!(matches!(
        tx.put("t", b"1", vec![0; 9]),
        Err(Error::ValueTooLong {
            len_bytes: 9,
            limit_bytes: 8
        })
    ));
    assert!(matches!(tx.delete("T", b"1"), Err(Error::TableNameInvalid { .. })));
    assert!(tx.writes().next().is_none());
    // Each write has 4 bytes of key, 2 of table, and its value.
    tx.put("t", b"0001", vec![0; 8]).unwrap();
    tx.put("t", b"0002", vec![0; 8]).unwrap();
    assert!(matches!(
        tx.put("t", b"0003", vec![0; 8]),
        Err(Error::TransactionTooLarge { limit_bytes: 40 })
    ));
    tx.put("t", b"0001", vec![0; 6]).unwrap();
    tx.put("t", b"0003", vec![0; 8]).unwrap();
    assert_eq!(tx.write_bytes(), 40);
    assert!(matches!(tx.delete("t", b"4"), Err(Error::TooManyWrites { limit: 3 })));
    assert_eq!(tx.count("t", &KeyRange::all()).unwrap(), 3);
    store.commit(tx).await.unwrap();
    store.commit(put(&store, &[("5", ""), ("6", "")])).await.unwrap();
    let mut tx = store.begin();
    assert!(matches!(
        tx.delete_range("t", &KeyRange::all()),
        Err(Error::TooManyWrites { limit: 3 })
    ));
    assert!(tx.writes().next().is_none());
    assert_eq!(tx.delete_range("t", &KeyRange::prefix(*b"000")).unwrap(), 3);
    assert_eq!(tx.count("t", &KeyRange::all()).unwrap(), 2);
}

async fn a_page_is_cut_by_its_size_and_its_cursor_goes_on(make: Make) {
    let limits = Limits {
        page_bytes: 10,
        page_entries: 3,
        ..Limits::default()
    };
    let Fixture { store, dir: _dir } = make(Config {
        limits,
        ..Config::default()
    });
    let rows = [
        ("a", "1234"),
        ("b", "-"),
        ("c", "1234"),
        ("d", "1234567890123"),
        ("e", "1"),
    ];
    store.commit(put(&store, &rows)).await.unwrap();
    let mut tx = store.begin();
    let mut pages = Vec::new();
    let mut range = KeyRange::all();
    let options = ScanOptions {
        contains: Some(b"1".to_vec()),
        ..all(100)
    };
    loop {
        let page = tx.scan("t", &range, &options).unwrap();
        let keys: String = page.entries.iter().map(|entry| entry.key[0] as char).collect();
        pages.push(keys);
        let Some(mut cursor) = page.cursor else { break };
        cursor.push(0);
        range.start = Some(cursor);
    }
    assert_eq!(pages, ["ac", "d", "e"]);
    let keys_only = ScanOptions {
        keys_only: true,
        ..all(u32::MAX)
    };
    let page = tx.scan("t", &KeyRange::all(), &keys_only).unwrap();
    assert_eq!((page.entries.len(), page.cursor), (3, Some(b"c".to_vec())));
}

async fn paging_with_the_cursor_visits_every_matching_key_once(make: Make) {
    let Fixture { store, dir: _dir } = make(Config::default());
    let mut tx = store.begin();
    for n in 0..300u16 {
        let value = if n % 3 == 0 { "even" } else { "odd" };
        tx.put("t", &n.to_be_bytes(), value.into()).unwrap();
    }
    store.commit(tx).await.unwrap();
    let mut tx = store.begin();
    for n in 0..300u16 {
        if n % 2 == 0 {
            tx.delete("t", &n.to_be_bytes()).unwrap();
        }
    }
    for reverse in [false, true] {
        let mut seen = Vec::new();
        let mut range = KeyRange::all();
        let options = ScanOptions {
            reverse,
            contains: Some(b"even".to_vec()),
            ..all(7)
        };
        loop {
            let page = tx.scan("t", &range, &options).unwrap();
            seen.extend(page.entries.into_iter().map(|entry| entry.key));
            let Some(mut cursor) = page.cursor else { break };
            if reverse {
                range.end = Some(cursor);
            } else {
                cursor.push(0);
                range.start = Some(cursor);
            }
        }
        let mut expected: Vec<_> = (0..300u16)
            .filter(|n| n % 3 == 0 && n % 2 == 1)
            .map(|n| n.to_be_bytes().to_vec())
            .collect();
        if reverse {
            expected.reverse();
        }
        assert_eq!(seen, expected);
    }
}

async fn writes_come_ordered_and_folded(make: Make) {
    let Fixture { store, dir: _dir } = make(Config::default());
    let mut tx = store.begin();
    tx.add("b", b"sum", 2).unwrap();
    tx.add("b", b"sum", 3).unwrap();
    tx.put("a", b"z", b"old".to_vec()).unwrap();
    tx.put("a", b"z", b"new".to_vec()).unwrap();
    tx.add("b", b"anew", 1).unwrap();
    tx.delete("b", b"anew").unwrap();
    tx.add("b", b"anew", 4).unwrap();
    tx.put("a", b"gone", vec![]).unwrap();
    tx.delete("a", b"gone").unwrap();
    let writes: Vec<_> = tx.writes().collect();
    assert_eq!(
        writes,
        [
            ("a", &b"gone"[..], Write::Delete),
            ("a", b"z", Write::Put(b"new")),
            ("b", b"anew", Write::Counter(4)),
            ("b", b"sum", Write::Add(5)),
        ]
    );
}

async fn adding_to_a_value_is_refused_whenever_it_shows(make: Make) {
    let Fixture { store, dir: _dir } = make(Config::default());
    store.commit(put(&store, &[("v", "value")])).await.unwrap();
    let mut tx = store.begin();
    tx.put("t", b"own", vec![]).unwrap();
    assert!(matches!(tx.add("t", b"own", 1), Err(Error::NotACounter { .. })));
    assert!(matches!(tx.counter("t", b"v"), Err(Error::NotACounter { .. })));
    tx.add("t", b"v", 1).unwrap();
    let Err(Error::NotACounter { table, key }) = tx.get("t", b"v") else {
        panic!("a value was added to");
    };
    assert_eq!((table.as_str(), key.as_slice()), ("t", &b"v"[..]));
    assert!(matches!(
        tx.scan("t", &KeyRange::all(), &all(9)),
        Err(Error::NotACounter { .. })
    ));
    let Err(CommitError::NotACounter { table, key }) = store.commit(tx).await else {
        panic!("a value was added to");
    };
    assert_eq!((table.as_str(), key.as_slice()), ("t", &b"v"[..]));
    assert_eq!(store.begin().get("t", b"own").unwrap(), None);
    assert_eq!(store.begin().get("t", b"v").unwrap().unwrap(), b"value");
}

async fn a_refused_addition_leaves_the_rest_of_its_batch_alone(make: Make) {
    let Fixture { store, dir: _dir } = make(Config::default());
    store.commit(put(&store, &[("v", "value")])).await.unwrap();
    let commits: Vec<_> = (0..64u8)
        .map(|n| {
            let mut tx = store.begin();
            tx.add("t", if n % 4 == 0 { b"v" } else { b"n" }, 1).unwrap();
            tx.put("u", &[n], vec![n]).unwrap();
            let store = store.clone();
            tokio::spawn(async move { store.commit(tx).await })
        })
        .collect();
    let mut refused = 0;
    for commit in commits {
        match commit.await.unwrap() {
            Ok(_) => {}
            Err(CommitError::NotACounter { .. }) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(refused, 16);
    let mut tx = store.begin();
    assert_eq!(tx.counter("t", b"n").unwrap(), 48);
    assert_eq!(tx.count("u", &KeyRange::all()).unwrap(), 48);
}

async fn counters_wrap(make: Make) {
    let Fixture { store, dir: _dir } = make(Config::default());
    for delta in [i64::MAX, 1] {
        let mut tx = store.begin();
        tx.add("t", b"n", delta).unwrap();
        store.commit(tx).await.unwrap();
    }
    let mut tx = store.begin();
    assert_eq!(tx.counter("t", b"n").unwrap(), i64::MIN);
    tx.add("t", b"n", -1).unwrap();
    assert_eq!(tx.counter("t", b"n").unwrap(), i64::MAX);
    assert_eq!(tx.counter("t", b"none").unwrap(), 0);
}

async fn tables_are_those_that_hold_something(make: Make) {
    let Fixture { store, dir: _dir } = make(Config::default());
    assert!(store.snapshot().tables().unwrap().is_empty());
    let mut tx = store.begin();
    for table in ["b", "a-1", "a", "host.outbox"] {
        tx.put(table, b"k", vec![]).unwrap();
        tx.put(table, b"\xff", vec![]).unwrap();
    }
    tx.delete("c", b"k").unwrap();
    store.commit(tx).await.unwrap();
    assert_eq!(store.snapshot().tables().unwrap(), ["a", "a-1", "b", "host.outbox"]);
}

async fn a_closed_store_refuses_commits_and_reads(make: Make) {
    let Fixture { store, dir: _dir } = make(Config::default());
    let tx = put(&store, &[("a", "1")]);
    let other = store.clone();
    other.close().await;
    other.close().await;
    store.close().await;
    assert!(matches!(store.commit(tx).await, Err(CommitError::Closed)));
    assert!(matches!(
        store.begin().get("t", b"a"),
        Err(Error::Backend(BackendError::Closed))
    ));
    assert!(store.commit(store.begin()).await.is_ok());
}

async fn closing_finishes_what_was_queued(make: Make) {
    let Fixture { store, dir: _dir } = make(Config {
        queue_capacity: 2,
        batch_transactions: 1,
        ..Config::default()
    });
    let commits: Vec<_> = (0..20u8)
        .map(|n| {
            let mut tx = store.begin();
            tx.put("t", &[n], vec![]).unwrap();
            let store = store.clone();
            tokio::spawn(async move { store.commit(tx).await })
        })
        .collect();
    tokio::task::yield_now().await;
    store.close().await;
    for commit in commits {
        match commit.await.unwrap() {
            Ok(_) | Err(CommitError::Closed) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

async fn an_aborted_update_changes_nothing(make: Make) {
    let Fixture { store, dir: _dir } = make(Config::default());
    let aborted = store
        .update(|tx| {
            tx.put("t", b"a", vec![])?;
            Err::<(), _>(Error::KeyEmpty)
        })
        .await;
    assert!(matches!(aborted, Err(UpdateError::Aborted(Error::KeyEmpty))));
    assert_eq!(store.begin().get("t", b"a").unwrap(), None);
}

async fn statistics_count_commits_and_conflicts(make: Make) {
    let Fixture { store, dir: _dir } = make(Config::default());
    let mut loser = store.begin();
    loser.get("t", b"a").unwrap();
    loser.put("t", b"b", vec![]).unwrap();
    store.commit(put(&store, &[("a", "12")])).await.unwrap();
    assert!(matches!(store.commit(loser).await, Err(CommitError::Conflict)));
    store.commit(store.begin()).await.unwrap();
    store.close().await;
    let stats = store.stats();
    assert_eq!((stats.commits, stats.read_only_commits, stats.conflicts), (1, 1, 1));
    assert_eq!((stats.batches, stats.largest_batch, stats.queued), (1, 1, 0));
    assert_eq!((stats.keys_written, stats.bytes_written), (1, 5));
    assert_eq!(stats.history_keys, 1);
}

async fn after_a_fence_no_earlier_snapshot_commits(make: Make) {
    let Fixture { store, dir: _dir } = make(Config::default());
    // It read nothing, so only the fence makes it conflict.
    let blind = put(&store, &[("old", "1")]);
    let mut fence = store.begin();
    fence.put("t", b"new", vec![2]).unwrap();
    let after = store.commit_fenced(fence).await.unwrap();
    assert!(matches!(store.commit(blind).await, Err(CommitError::Conflict)));
    assert_eq!(store.begin().get("t", b"new").unwrap(), Some(vec![2]));
    let again = store.commit(put(&store, &[("old", "1")])).await.unwrap();
    assert!(again.sequence > after.sequence);
}

async fn a_footprint_tells_what_was_read_and_written(make: Make) {
    let Fixture { store, dir: _dir } = make(Config::default());
    let mut tx = store.begin();
    tx.get("t", b"a").unwrap();
    tx.count("u", &KeyRange::all()).unwrap();
    tx.count("u", &KeyRange::prefix(*b"p")).unwrap();
    tx.put("t", b"b", vec![1]).unwrap();
    tx.add("t", b"n", 2).unwrap();
    tx.delete("t", b"c").unwrap();
    let footprint = tx.footprint();
    assert!(footprint.keys.contains(&("t".to_owned(), b"a".to_vec())));
    assert_eq!(
        footprint.ranges,
        [
            ("u".to_owned(), KeyRange::all()),
            ("u".to_owned(), KeyRange::prefix(*b"p"))
        ]
    );
    assert_eq!(
        footprint.writes,
        [
            ("t".to_owned(), b"b".to_vec(), KeyWrite::Put(vec![1])),
            ("t".to_owned(), b"c".to_vec(), KeyWrite::Delete),
            ("t".to_owned(), b"n".to_vec(), KeyWrite::Add(2)),
        ]
    );
    assert!(!footprint.reads_cut);
}

async fn while_table_versions_are_current_reads_repeat(make: Make) {
    let transactions = prop::collection::vec(prop::collection::vec(support::op(), 0..6), 1..12);
    let check = move |transactions: Vec<Vec<Op>>| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let fixture = make(Config::default());
        let store = &fixture.store;
        let mut read = Vec::new();
        for ops in transactions {
            let mut tx = store.begin();
            let answers: Vec<_> = ops.iter().map(|op| run(&mut tx, op)).collect();
            let table_versions = tx.table_versions();
            prop_assert_eq!(table_versions.is_none(), tx.writes().next().is_some());
            if let Some(table_versions) = table_versions {
                prop_assert!(table_versions.are_current());
                read.push((ops, answers, table_versions));
            }
            // A blind addition to a value fails the commit and changes nothing.
            let _ = runtime.block_on(store.commit(tx));
            for (ops, answers, _) in read
                .iter()
                .filter(|(_, _, table_versions)| table_versions.are_current())
            {
                let mut again = store.begin();
                let found: Vec<_> = ops.iter().map(|op| run(&mut again, op)).collect();
                prop_assert_eq!(&found, answers);
            }
        }
        Ok(())
    };
    for_many(transactions, check).await;
}

async fn table_versions_stay_current_while_other_tables_change(make: Make) {
    let fixture = make(Config::default());
    let store = &fixture.store;
    store.commit(put(store, &[("a", "1")])).await.unwrap();
    let mut tx = store.begin();
    tx.get("t", b"a").unwrap();
    tx.count("u", &KeyRange::all()).unwrap();
    let table_versions = tx.table_versions().unwrap();
    assert!(table_versions.has_reads() && table_versions.are_current());
    let mut other = store.begin();
    other.put("other", b"k", b"v".to_vec()).unwrap();
    store.commit(other).await.unwrap();
    assert!(table_versions.are_current());
    store.commit(put(store, &[("b", "2")])).await.unwrap();
    assert!(!table_versions.are_current());
    let last = store.begin();
    assert!(!last.table_versions().unwrap().has_reads());
    let mut tx = store.begin();
    tx.get("t", b"a").unwrap();
    let table_versions = tx.table_versions().unwrap();
    store.close().await;
    assert!(
        !table_versions.are_current(),
        "nothing is current after the store is closed"
    );
}

async fn a_walk_in_pieces_finds_what_a_whole_walk_finds(make: Make) {
    const KEYS: u32 = 1000;
    let fixture = make(Config::default());
    let store = &fixture.store;
    let key = |n: u32| format!("{n:05}").into_bytes();
    let mut tx = store.begin();
    for n in 0..KEYS {
        tx.put("t", &key(n), format!("{}", n % 7).into_bytes()).unwrap();
    }
    store.commit(tx).await.unwrap();
    let mut tx = store.begin();
    // Own writes are between the keys of the snapshot.
    for n in (0..KEYS).step_by(10) {
        tx.delete("t", &key(n)).unwrap();
        tx.put("t", format!("{n:05}x").as_bytes(), b"own".to_vec()).unwrap();
    }
    let ranges = [
        KeyRange::all(),
        KeyRange {
            start: Some(key(100)),
            end: Some(key(900)),
        },
    ];
    let mut paused = 0;
    for range in &ranges {
        for reverse in [false, true] {
            for (skip, limit, contains) in [(0, 10_000, None), (300, 400, None), (5, 50, Some(b"3".to_vec()))] {
                let options = ScanOptions {
                    reverse,
                    skip,
                    limit,
                    contains,
                    ..ScanOptions::default()
                };
                let expected = tx.scan("t", range, &options).unwrap();
                let reads = tx.footprint();
                let mut scan = tx.begin_scan("t", range, &options).unwrap();
                while !tx.go_on(&mut scan, Some(Duration::ZERO)).unwrap() {
                    paused += 1;
                }
                assert!(tx.go_on(&mut scan, None).unwrap(), "it has ended");
                assert_eq!(scan.into_page(), expected);
                let again = tx.footprint();
                assert_eq!(again.ranges.last(), reads.ranges.last(), "it read the same");
            }
        }
        let expected = tx.count("t", range).unwrap();
        let mut count = tx.begin_count("t", range).unwrap();
        while !tx.go_on(&mut count, Some(Duration::ZERO)).unwrap() {}
        assert_eq!(count.count(), expected);
    }
    assert!(paused > 20, "walks were paused {paused} times");
    let mut found = tx.begin_delete("t", &ranges[1]).unwrap();
    while !tx.go_on(&mut found, Some(Duration::ZERO)).unwrap() {}
    assert_eq!(tx.delete_found(found).unwrap(), 800);
    assert_eq!(tx.count("t", &ranges[1]).unwrap(), 0);
    assert_eq!(tx.count("t", &KeyRange::all()).unwrap(), 200);
}
