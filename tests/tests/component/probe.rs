//! A module that misbehaves does not affect others.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use stowage_kit::{Kit, Limits, Reuse};
use stowage_logic::Generation;
use stowage_storage::Store;
use stowage_tests::program::target_dir;

use crate::kits::probe;
use crate::log::Log;
use crate::world::{World, config as config_of_world};

async fn limited(limits: Limits) -> Kit {
    probe().limits(limits).build().await.unwrap()
}

async fn reusing(reuse: Reuse) -> Kit {
    probe().reuse(reuse).build().await.unwrap()
}

async fn cpu(limit: Duration) -> Kit {
    limited(Limits {
        cpu: limit,
        ..Limits::default()
    })
    .await
}

fn call_id(line: &str) -> &str {
    let after = line
        .split("call_id=")
        .nth(1)
        .unwrap_or_else(|| panic!("no call_id in {line}"));
    after.split_whitespace().next().unwrap()
}

#[tokio::test]
async fn a_trap_is_code_500_with_the_calls_id_and_the_next_call_works() {
    let log = Log::default();
    let _guard = log.capture();
    let kit = probe().build().await.unwrap();
    assert_eq!(kit.data("tests/countCalls", json!({})).await, 1);
    let answer = kit.json("tests/trap", json!({})).await;
    assert_eq!((&answer["code"], &answer["data"]), (&json!(500), &Value::Null));
    let message = answer["message"].as_str().unwrap();
    let lines = log.lines();
    let line = lines
        .iter()
        .find(|line| line.contains("call failed"))
        .expect("the trap is in the log");
    assert!(message.contains(call_id(line)), "{message} is not about {line}");
    assert!(
        !message.contains("wasm") && !message.contains("unreachable"),
        "detail is for the log: {message}"
    );
    // The instance that trapped is dropped with its state.
    assert_eq!(kit.data("tests/countCalls", json!({})).await, 1);
}

#[tokio::test]
async fn an_instance_serves_a_limited_number_of_calls() {
    let kit = reusing(Reuse {
        calls: 3,
        ..Reuse::default()
    })
    .await;
    let mut counts = Vec::new();
    for _ in 0..7 {
        counts.push(kit.data("tests/countCalls", json!({})).await.as_u64().unwrap());
    }
    assert_eq!(counts, [1, 2, 3, 1, 2, 3, 1]);
}

#[tokio::test]
async fn a_new_instance_for_each_call_has_no_state() {
    let kit = reusing(Reuse {
        calls: 1,
        ..Reuse::default()
    })
    .await;
    for _ in 0..3 {
        assert_eq!(kit.data("tests/countCalls", json!({})).await, 1);
    }
}

#[tokio::test]
async fn an_instance_that_was_idle_too_long_is_dropped() {
    let kit = reusing(Reuse {
        idle: Duration::ZERO,
        ..Reuse::default()
    })
    .await;
    for _ in 0..3 {
        assert_eq!(kit.data("tests/countCalls", json!({})).await, 1);
    }
}

#[tokio::test]
async fn an_endless_loop_ends_at_the_limit_while_other_calls_go_on() {
    let limit = Duration::from_millis(400);
    let kit = cpu(limit).await;
    let started = Instant::now();
    let spinning = async {
        let answer = kit.json("tests/spin", json!({})).await;
        (answer, started.elapsed())
    };
    let others = async {
        for _ in 0..10 {
            kit.data("tests/countCalls", json!({})).await;
        }
        started.elapsed()
    };
    let ((answer, spun), answered) = tokio::join!(spinning, others);
    assert_eq!(answer["code"], 500, "{answer}");
    assert!(answered < spun, "ten calls took {answered:?} beside a loop of {spun:?}");
    assert!(spun >= limit && spun < limit * 20, "{spun:?}");
}

#[tokio::test]
async fn a_module_that_sleeps_ends_at_the_wall_limit() {
    let kit = limited(Limits {
        wall: Duration::from_millis(300),
        ..Limits::default()
    })
    .await;
    let started = Instant::now();
    let answer = kit.json("tests/sleep", json!({"ms": 60_000})).await;
    assert_eq!(answer["code"], 500, "{answer}");
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(kit.data("tests/countCalls", json!({})).await, 1);
}

#[tokio::test]
async fn memory_ends_at_the_limit_and_the_next_call_works() {
    let kit = limited(Limits {
        memory_bytes: 16 << 20,
        ..Limits::default()
    })
    .await;
    let got = kit.data("tests/hoard", json!({})).await.as_u64().unwrap();
    assert!((1..16).contains(&got), "{got} MiB of 16");
    let log = Log::default();
    let guard = log.capture();
    let answer = kit.json("tests/burst", json!({})).await;
    drop(guard);
    assert_eq!(answer["code"], 500, "{answer}");
    assert!(
        log.lines().iter().any(|line| line.contains("memory limit")),
        "{:?}",
        log.lines()
    );
    assert_eq!(kit.data("tests/countCalls", json!({})).await, 1);
}

#[tokio::test]
async fn output_is_in_the_log_with_the_calls_id() {
    let log = Log::default();
    let _guard = log.capture();
    let kit = probe().build().await.unwrap();
    kit.data("tests/print", json!({"text": "first\u{1b}[31m"})).await;
    kit.data("tests/print", json!({"text": "second"})).await;
    let lines = log.lines();
    let of = |text: &str| {
        let found: Vec<_> = lines.iter().filter(|line| line.contains(text)).collect();
        assert_eq!(found.len(), 2, "{lines:#?}");
        assert!(found[0].contains("stdout") && found[1].contains("stderr"), "{found:#?}");
        assert_eq!(call_id(found[0]), call_id(found[1]));
        call_id(found[0]).to_owned()
    };
    assert_ne!(of("first"), of("second"));
    assert!(
        !lines.iter().any(|line| line.contains('\u{1b}')),
        "a module cannot write to the terminal"
    );
}

/// A line without a line break at its end used to be logged with the next call of the same
/// instance.
#[tokio::test]
async fn an_unfinished_line_is_logged_with_its_own_call() {
    let log = Log::default();
    let _guard = log.capture();
    let kit = probe().build().await.unwrap();
    kit.data("tests/mutter", json!({"text": "the secret of one client"}))
        .await;
    kit.data("tests/print", json!({"text": "another client"})).await;
    assert_eq!(
        kit.data("tests/countCalls", json!({})).await,
        1,
        "one instance served all"
    );
    let lines = log.lines();
    let muttered = lines
        .iter()
        .find(|line| line.contains("the secret"))
        .expect("nothing a module says is lost");
    assert!(!muttered.contains("another client"), "{muttered}");
    let printed = lines.iter().find(|line| line.contains("another client")).unwrap();
    assert_ne!(call_id(muttered), call_id(printed));
}

#[tokio::test]
async fn the_output_of_a_call_is_bounded() {
    let log = Log::default();
    let _guard = log.capture();
    let kit = limited(Limits {
        log_bytes: 2000,
        ..Limits::default()
    })
    .await;
    kit.data("tests/print", json!({"text": "x".repeat(100_000)})).await;
    let printed: usize = log
        .lines()
        .iter()
        .filter(|line| line.contains("xxx"))
        .map(String::len)
        .sum();
    assert!(printed < 8000, "{printed} bytes");
    // The budget is that of a call, not that of an instance.
    kit.data("tests/print", json!({"text": "again"})).await;
    assert!(log.lines().iter().any(|line| line.contains("again")));
}

#[tokio::test]
async fn time_stands_still_within_a_call() {
    let kit = probe().build().await.unwrap();
    kit.set_now(1_234_567_890_123);
    let first = kit.data("tests/lookAround", json!({})).await;
    assert_eq!(first["firstMs"], 1_234_567_890_123_u64);
    assert_eq!(first["secondMs"], first["firstMs"]);
    assert_eq!(first["monotonicMoved"], false);
    kit.advance(Duration::from_millis(1));
    let second = kit.data("tests/lookAround", json!({})).await;
    assert_eq!(second["firstMs"], 1_234_567_890_124_u64);
}

#[tokio::test]
async fn a_call_that_fails_or_traps_changes_nothing() {
    let kit = probe().build().await.unwrap();
    let failed = kit.json("tests/writeAndFail", json!({"key": "a"})).await;
    assert_eq!(failed, json!({"code": 60000, "message": "as asked", "data": null}));
    assert_eq!(kit.json("tests/writeAndTrap", json!({"key": "b"})).await["code"], 500);
    for key in ["a", "b"] {
        assert_eq!(kit.data("tests/read", json!({ "key": key })).await, 0, "{key}");
    }
}

#[tokio::test]
async fn concurrent_increments_are_all_kept() {
    let kit = probe().build().await.unwrap();
    let calls = (0..24).map(|_| kit.data("tests/increment", json!({"key": "n"})));
    let returned: BTreeSet<u64> = join_all(calls).await.iter().map(|n| n.as_u64().unwrap()).collect();
    assert_eq!(returned, (1..=24).collect(), "each call saw the one before it");
    assert_eq!(kit.data("tests/read", json!({"key": "n"})).await, 24);
}

#[tokio::test]
async fn a_hostile_key_or_value_traps_and_changes_nothing() {
    let kit = probe().build().await.unwrap();
    for key in [String::new(), "k".repeat(1025), "k".repeat(1 << 20)] {
        assert_eq!(
            kit.json("tests/increment", json!({ "key": key })).await["code"],
            500,
            "{} bytes",
            key.len()
        );
    }
    assert_eq!(kit.data("tests/increment", json!({"key": "k".repeat(1024)})).await, 1);
}

#[tokio::test]
async fn values_of_every_kind_are_decoded_and_encoded() {
    let kit = probe().build().await.unwrap();
    let everything = json!({
        "aName": "我 \u{0} \u{1F468}\u{200D}\u{1F469} \"quoted\"",
        "someNumbers": [i64::MIN, -1, 0, i64::MAX],
        "maybe": true,
        "size": "verySmall",
    });
    assert_eq!(
        kit.data("tests/echo", json!({ "everything": everything })).await,
        everything
    );
    let sparse = json!({"everything": {"aName": 5, "someNumbers": ["7", 8.0], "size": "large", "unknown": {}}});
    let expected = json!({"aName": "5", "someNumbers": [7, 8], "maybe": null, "size": "large"});
    assert_eq!(kit.data("tests/echo", sparse).await, expected);
    for (wrong, field) in [
        (
            json!({"everything": {"aName": "a", "someNumbers": [1, "x"], "size": "large"}}),
            "everything.someNumbers[1]",
        ),
        (
            json!({"everything": {"aName": "a", "someNumbers": [], "size": "huge"}}),
            "everything.size",
        ),
        (
            json!({"everything": {"aName": "a", "someNumbers": []}}),
            "everything.size",
        ),
        (json!({"everything": []}), "everything"),
        (json!({}), "everything"),
    ] {
        let answer = kit.json("tests/echo", wrong).await;
        assert_eq!(answer["code"], 600, "{answer}");
        let message = answer["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("{field}:")), "{message}");
    }
}

#[tokio::test]
async fn a_module_sees_no_environment() {
    let kit = probe().build().await.unwrap();
    assert_eq!(kit.data("tests/environment", json!({})).await, 0);
}

#[tokio::test]
async fn a_new_package_is_served_next_to_the_built_in_one() {
    let kit = probe()
        .file(target_dir().join("modules/favorites.wasm"))
        .build()
        .await
        .unwrap();
    assert_eq!(kit.data("tests/countCalls", json!({})).await, 1);
    // Without a module, the storage API is meant, or else the only package that has the method.
    assert_eq!(kit.json("countCalls", json!({})).await["data"], 2);
    assert_eq!(kit.json("storageApi/countCalls", json!({})).await["code"], 300);
    assert_eq!(kit.json("tests/getImFavoriteFolders", json!({})).await["code"], 300);
    let folders = kit
        .json("getImFavoriteFolders", json!({"page": 1, "pageSize": 10}))
        .await;
    assert_eq!(folders["data"][0]["id"], "1");
}

#[tokio::test]
async fn running_calls_end_on_the_modules_they_began_with() {
    let kit = cpu(Duration::from_millis(300)).await;
    let spinning = kit.json("tests/spin", json!({}));
    let swap = async {
        tokio::task::yield_now().await;
        kit.logic().serve(Generation::default());
        kit.json("tests/countCalls", json!({})).await
    };
    let (spun, after) = tokio::join!(spinning, swap);
    assert_eq!(spun["code"], 500);
    assert_eq!(after["code"], 300);
}

/// A call sleeps on its snapshot. Meanwhile so much is written that the snapshot is dropped.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_snapshot_is_dropped_runs_again() {
    let dir = tempfile::tempdir().unwrap();
    let config = stowage_storage::Config {
        wal_bytes: 64 << 10,
        ..stowage_storage::Config::default()
    };
    let store = Store::open(&dir.path().join("stowage.redb"), config).unwrap();
    let bytes = std::fs::read(target_dir().join("modules-test/probe.wasm")).unwrap();
    let mut config = config_of_world();
    config.limits.wall = Duration::from_secs(300);
    let world = World::on(store.clone(), config, vec![("probe".into(), bytes)], |_| {}).await;
    let key = json!({ "key": "k" });
    // On a slow disk the call has to sleep longer.
    for ms in [500, 2000, 8000, 30_000] {
        let before = world.answer("tests/increment", &key).await["data"].as_u64().unwrap();
        let late = json!({ "ms": ms, "key": "k" });
        let read = async {
            (
                world.answer("tests/readLate", &late).await["data"].clone(),
                Instant::now(),
            )
        };
        let written = async {
            // Until the call has its snapshot, which cannot be observed.
            tokio::time::sleep(Duration::from_millis(100)).await;
            world.answer("tests/increment", &key).await;
            // Later snapshots are held as well: each has its share of the memory for old snapshots.
            let mut held = Vec::new();
            for n in 0..200_u32 {
                held.push(store.snapshot());
                let write = store
                    .update::<_, stowage_storage::Error>(|tx| tx.put("filler", &n.to_be_bytes(), vec![0; 16 << 10]));
                write.await.unwrap();
            }
            Instant::now()
        };
        let ((read, read_at), written_at) = tokio::join!(read, written);
        if written_at < read_at {
            assert_eq!(read, before + 1, "the first run's snapshot had {before}");
            return;
        }
    }
    panic!("all was never written before the call woke up");
}
