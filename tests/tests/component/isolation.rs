//! Nothing of a call reaches other calls, except what the call committed and what a module itself
//! keeps in an instance. docs/modules.md says what may be seen.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use stowage_kit::{Kit, Limits, Reuse};

use crate::kits::hostile;
use crate::log::Log;

const SECRET: &str = "the secret of one client 3f9c";

/// A text as `search` takes it: each byte is one less.
fn disguised(text: &str) -> String {
    text.bytes().map(|byte| char::from(byte - 1)).collect()
}

async fn reusing(calls: u32) -> Kit {
    let reuse = Reuse {
        calls,
        ..Reuse::default()
    };
    hostile().reuse(reuse).build().await.unwrap()
}

/// How often an instance finds the secret in its memory.
async fn found(kit: &Kit) -> u64 {
    let params = json!({"disguised": disguised(SECRET)});
    kit.data("tests/search", params).await.as_u64().unwrap()
}

#[tokio::test]
async fn a_new_instance_finds_nothing_of_the_calls_before_it() {
    let kit = reusing(1).await;
    let mut bytes_found = 0;
    for _ in 0..50 {
        // It is there while the call runs, so the search would find it.
        let kept = kit.data("tests/remember", json!({"text": SECRET})).await;
        assert_eq!(kept, json!([SECRET]), "no other call's text");
        bytes_found += found(&kit).await;
    }
    // Also when many instances take and leave their memory at once.
    for _ in 0..5 {
        let kit = &kit;
        let calls = (0..16).map(|n| async move {
            match n % 2 {
                0 => drop(kit.data("tests/remember", json!({"text": SECRET})).await),
                _ => assert_eq!(found(kit).await, 0),
            }
        });
        join_all(calls.map(Box::pin)).await;
    }
    assert_eq!(bytes_found, 0);
    println!("scorecard: S7 90 searches of all memory of new instances, 0 bytes of other calls found");
}

#[tokio::test]
async fn a_reused_instance_keeps_what_the_module_keeps_and_no_more_than_its_calls() {
    let kit = reusing(3).await;
    let mut lengths = Vec::new();
    for n in 0..6 {
        let kept = kit
            .data("tests/remember", json!({"text": format!("{SECRET} {n}")}))
            .await;
        lengths.push(kept.as_array().unwrap().len());
    }
    assert_eq!(lengths, [1, 2, 3, 1, 2, 3]);
    // The search finds what is there: the test of new instances means something.
    let kit = reusing(1000).await;
    kit.data("tests/remember", json!({"text": SECRET})).await;
    assert!(found(&kit).await > 0);
}

/// An instance whose call left handles open used to be reused, and a later call trapped.
#[tokio::test]
async fn handles_that_a_call_leaves_open_do_not_harm_the_next() {
    let kit = reusing(1000).await;
    for _ in 0..10 {
        // Each takes two of the 1000 places in the host's table.
        assert_eq!(kit.data("tests/keepHandles", json!({"count": 400})).await, 400);
    }
    assert_eq!(kit.json("tests/keepHandles", json!({"count": 2000})).await["code"], 500);
    // A few handles, as a module that prints has them, do not cost the instance.
    kit.data("tests/remember", json!({"text": "a"})).await;
    kit.data("tests/mutter", json!({"text": "x"})).await;
    assert_eq!(
        kit.data("tests/remember", json!({"text": "b"})).await,
        json!(["a", "b"])
    );
}

#[tokio::test]
async fn the_clock_and_the_random_numbers_are_those_of_the_call() {
    let kit = reusing(1000).await;
    let look = async || kit.data("tests/look", json!({})).await;
    kit.set_now(1000).set_seed([1; 32]);
    let first = look().await;
    assert_eq!(first["nowMs"], 1000);
    kit.set_now(2000).set_seed([2; 32]);
    let second = look().await;
    assert_eq!(second["nowMs"], 2000);
    assert_ne!(second["random"], first["random"]);
    // The same call on the instance that has served others gets the same numbers.
    kit.set_now(1000).set_seed([1; 32]);
    assert_eq!(look().await, first);
    let fresh = reusing(1).await;
    fresh.set_now(1000).set_seed([1; 32]);
    assert_eq!(fresh.data("tests/look", json!({})).await, first);
}

#[tokio::test]
async fn a_trap_takes_its_writes_and_its_instance_with_it() {
    let kit = reusing(1000).await;
    for n in 0..20 {
        let key = json!({"key": format!("k{n}")});
        assert_eq!(kit.json("tests/writeAndTrap", key.clone()).await["code"], 500);
        assert_eq!(kit.data("tests/traces", key).await, json!([false, 0]));
    }
}

#[tokio::test]
async fn a_call_that_waits_in_the_host_is_ended_and_leaves_nothing_locked() {
    let limits = Limits {
        wall: Duration::from_millis(200),
        ..Limits::default()
    };
    let kit = hostile().limits(limits).build().await.unwrap();
    let key = json!({"key": "k", "ms": 3_600_000});
    let waiting = (0..4).map(|_| kit.json("tests/writeAndSleep", key.clone()));
    for answer in join_all(waiting).await {
        assert_eq!(answer["code"], 500, "{answer}");
    }
    assert_eq!(kit.data("tests/traces", json!({"key": "k"})).await, json!([false, 0]));
    assert_eq!(
        kit.data("tests/writeRow", json!({"table": "hostile", "key": "k"}))
            .await,
        true
    );
    assert_eq!(kit.data("tests/traces", json!({"key": "k"})).await, json!([true, 0]));
    println!(
        "scorecard: S3 4 calls that wait an hour in the host ended at their deadline, their row is free, nothing is written"
    );
}

#[tokio::test]
async fn the_tables_of_the_host_are_out_of_reach() {
    let kit = reusing(1000).await;
    let tables = [
        "host.modules",
        "host.module-history",
        "host.module-schemas",
        "",
        "A",
        "a.b",
        "../x",
        "modules\u{0}",
    ];
    for table in tables {
        for method in ["readRow", "writeRow"] {
            let answer = kit
                .json(&format!("tests/{method}"), json!({"table": table, "key": "live"}))
                .await;
            assert_eq!(
                (&answer["code"], &answer["data"]),
                (&json!(500), &Value::Null),
                "{table}: {answer}"
            );
        }
    }
    assert_eq!(kit.data("tests/surroundings", json!({})).await, 0);
}

#[tokio::test]
async fn a_trap_is_logged_with_the_functions_that_were_running() {
    let log = Log::default();
    let guard = log.capture();
    let kit = reusing(1000).await;
    assert_eq!(kit.json("tests/trapDeep", json!({})).await["code"], 500);
    drop(guard);
    let lines = log.lines();
    let line = lines
        .iter()
        .find(|line| line.contains("call failed"))
        .expect("the trap");
    let path = "in stowage_hostile::inner, called by stowage_hostile::middle, called by stowage_hostile::outer";
    assert!(line.contains("unreachable") && line.contains(path), "{line}");
}

#[test]
fn the_built_in_modules_keep_the_names_of_their_functions() {
    for (module, bytes) in stowage::builtin_modules() {
        let names = wasmparser::Parser::new(0)
            .parse_all(&bytes)
            .any(|payload| match payload.unwrap() {
                wasmparser::Payload::CustomSection(section) => {
                    section.name() == "name" && section.data().windows(8).any(|text| text == b"stowage_")
                }
                _ => false,
            });
        assert!(names, "{module}: a trap in it would show numbers");
    }
}

#[tokio::test]
async fn a_module_that_panics_or_leaves_ends_its_call_only_and_steers_no_terminal() {
    let log = Log::default();
    let guard = log.capture();
    let kit = reusing(1000).await;
    for method in ["panic", "leave", "recurse"] {
        let answer = kit.json(&format!("tests/{method}"), json!({"depth": 0})).await;
        assert_eq!(answer["code"], 500, "{method}: {answer}");
    }
    kit.data("tests/print", json!({"kib": 1})).await;
    drop(guard);
    let lines = log.lines();
    assert!(lines.iter().any(|line| line.contains("owned")), "{lines:#?}");
    for line in &lines {
        assert!(!line.contains('\u{1b}') && !line.contains('\u{7}'), "{line:?}");
        assert!(!line.starts_with("ERROR a line"), "{line}");
    }
}
