//! Everything that a module may do wrong, live, in shadow and in canary. If a version stands by,
//! callers see no failure. The host rolls back or aborts the bad version, and nothing of it is
//! left.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use stowage_deploy::api::HistoryEntry;
use stowage_deploy::{CanaryOptions, DeployError, Source, SwapOptions};
use stowage_logic::{Config, Limits};
use stowage_tests::changing::{Behaviour, SelfTest, Work, plain};
use stowage_tests::modules::WITH_FILES;

use super::stage::{Stage, ask, built_in, forced, named, unwatched, version};
use crate::log::Log;
use crate::world::config;

/// The reasons of a call whose time is up. Which one comes depends on the limit that is first:
/// processor time, wall time, or the deadline of storage.
const LATE: &[&str] = &["time on the processor", "took too long", "deadline has passed"];

/// The behaviours that end every call, and the reasons that the host may give.
const DEADLY: [(Behaviour, &[&str]); 6] = [
    (plain('b').work(Work::Loop), LATE),
    (plain('b').work(Work::Trap), &["trapped"]),
    (plain('b').work(Work::HoardAndTrap), &["memory limit"]),
    (plain('b').work(Work::Sleep), &["took too long"]),
    (plain('b').work(Work::Scan), LATE),
    (plain('b').work(Work::PrintWithoutEnd), LATE),
];

/// The behaviours that a call survives, and that must be contained too.
const GREEDY: [Behaviour; 2] = [plain('b').work(Work::Hoard), plain('b').work(Work::PrintMuch)];

/// The calls at the same time, each with its own key.
const CALLERS: usize = 8;

const LOG_BYTES: usize = 8 << 10;
/// The most bytes in the log for each byte of the module's budget.
const LOGGED_PER_BYTE: usize = 3;

/// Small limits, which endless behaviour reaches soon.
fn limited() -> Config {
    Config {
        limits: Limits {
            cpu: Duration::from_millis(100),
            wall: Duration::from_secs(2),
            memory_bytes: 16 << 20,
            log_bytes: LOG_BYTES,
            ..Limits::default()
        },
        ..config()
    }
}

/// A deployer with a good version, and the number of calls of each caller.
struct Scene {
    stage: Stage,
    counted: HashMap<usize, u64>,
}

impl Scene {
    async fn new() -> Scene {
        let stage = Stage::with(limited(), built_in(plain('a'))).await;
        stage.data("fill", json!({"rows": 100})).await;
        Scene {
            stage,
            counted: HashMap::new(),
        }
    }

    /// Calls at the same time. Each succeeds and counts once, whichever version answers.
    async fn work(&mut self, callers: usize) {
        let logic = &self.stage.logic;
        let calls = (0..callers).map(|caller| ask(logic, "work", json!({"key": format!("caller {caller}")})));
        for (caller, answer) in join_all(calls).await.into_iter().enumerate() {
            let counted = self.counted.entry(caller).or_default();
            *counted += 1;
            assert_eq!(answer, json!({"code": 200, "message": null, "data": *counted}));
        }
    }

    /// Calls until the host has taken this action by itself, and returns its entry in the history.
    async fn work_until(&mut self, action: &str) -> HistoryEntry {
        for _ in 0..100 {
            self.work(CALLERS).await;
            let latest = self.stage.latest().await;
            if latest.action == action {
                return latest;
            }
        }
        panic!("no {action}");
    }

    /// Waits until only the good version is left, and checks that it works.
    async fn healthy(&mut self) {
        let stage = &self.stage;
        stage
            .wait("the good version serves alone", |s| {
                let list = s.deployer.list();
                let alone = list[0].probation.is_none() && list[0].canary.is_none() && list[0].shadow.is_none();
                alone && s.deployer.draining().is_empty()
            })
            .await;
        assert_eq!(stage.label().await, "a");
        let rows = stage.rows().await;
        assert_eq!((rows.len(), rows[0].as_str(), rows[100].as_str()), (101, "0 0", "100"));
        self.work(CALLERS).await;
    }
}

/// Whether the reason is one of the expected ones.
fn says(reason: &str, expected: &[&str]) -> bool {
    expected.iter().any(|part| reason.contains(part))
}

fn canary() -> CanaryOptions {
    CanaryOptions {
        percent: 100.0,
        ..CanaryOptions::default()
    }
}

async fn live(behaviour: Behaviour, expected: &[&str]) {
    let mut scene = Scene::new().await;
    let options = SwapOptions::default();
    scene
        .stage
        .deployer
        .swap(vec![version(behaviour)], options)
        .await
        .unwrap();
    let entry = scene.work_until("rollback").await;
    let reason = entry.reason.unwrap();
    assert_eq!(entry.by, "host", "{behaviour:?}");
    assert!(says(&reason, expected), "{behaviour:?}: {reason}");
    scene.healthy().await;
    assert_eq!(scene.stage.deployer.generation(), entry.generation);
}

async fn in_canary(behaviour: Behaviour, expected: &[&str]) {
    let mut scene = Scene::new().await;
    scene.stage.deployer.canary(version(behaviour), canary()).await.unwrap();
    let entry = scene.work_until("abort").await;
    let reason = entry.reason.unwrap();
    assert_eq!(entry.by, "host", "{behaviour:?}");
    assert!(says(&reason, expected), "{behaviour:?}: {reason}");
    scene.healthy().await;
    assert_eq!(scene.stage.deployer.generation(), 1, "it never was live");
}

async fn in_shadow(behaviour: Behaviour, expected: &[&str]) {
    let mut scene = Scene::new().await;
    let blobs = scene.stage.blobs();
    scene.stage.deployer.shadow(version(behaviour), 100.0).await.unwrap();
    scene.work(CALLERS).await;
    let stage = &scene.stage;
    stage
        .wait("a call is compared", |s| {
            s.deployer.shadow_report("changing").unwrap().compared > 0
        })
        .await;
    let report = stage.deployer.shadow_report("changing").unwrap();
    let lines = &report.differences[0].lines;
    assert!(says(&lines.join(" "), expected), "{behaviour:?}: {lines:#?}");
    // More calls than it has compared: its end does not wait for them.
    scene.work(CALLERS).await;
    scene.stage.deployer.abort("changing").await.unwrap();
    scene.healthy().await;
    let latest = scene.stage.latest().await;
    assert_eq!(
        (latest.generation, latest.action.as_str(), scene.stage.blobs()),
        (1, "start", blobs),
        "nothing of it is on disk"
    );
}

#[tokio::test]
async fn a_deadly_module_that_went_live_is_rolled_back_and_its_callers_do_not_notice() {
    for (behaviour, expected) in DEADLY {
        live(behaviour, expected).await;
    }
}

#[tokio::test]
async fn a_deadly_canary_is_aborted_and_its_callers_do_not_notice() {
    for (behaviour, expected) in DEADLY {
        in_canary(behaviour, expected).await;
    }
}

#[tokio::test]
async fn a_deadly_shadow_is_reported_and_changes_nothing() {
    for (behaviour, expected) in DEADLY {
        in_shadow(behaviour, expected).await;
    }
}

#[tokio::test]
async fn a_greedy_module_gets_its_limits_and_no_more() {
    for behaviour in GREEDY {
        let log = Log::default();
        let guard = log.capture();
        let mut scene = Scene::new().await;
        // In shadow it does the same as the good version.
        scene.stage.deployer.shadow(version(behaviour), 100.0).await.unwrap();
        scene.work(1).await;
        let stage = &scene.stage;
        stage
            .wait("the call is compared", |s| {
                s.deployer.shadow_report("changing").unwrap().compared == 1
            })
            .await;
        assert_eq!(stage.deployer.shadow_report("changing").unwrap().different, 0);
        stage.deployer.abort("changing").await.unwrap();
        stage.deployer.canary(version(behaviour), canary()).await.unwrap();
        scene.work(1).await;
        let stage = &scene.stage;
        let watch = stage.deployer.list()[0].canary.clone().unwrap().watch;
        assert_eq!((watch.calls, watch.faults, watch.errors), (1, 0, 0), "{watch:?}");
        stage
            .deployer
            .promote("changing", SwapOptions::default())
            .await
            .unwrap();
        scene.work(1).await;
        let calls = scene.stage.deployer.list()[0].calls.clone();
        assert_eq!((calls.calls, calls.traps, calls.deadlines), (2, 0, 0), "{calls:?}");
        scene.stage.deployer.rollback(None, "command").await.unwrap();
        drop(guard);
        let most = 2 * LOG_BYTES * LOGGED_PER_BYTE + (16 << 10);
        assert!(log.bytes() < most, "{behaviour:?}: {} bytes of log", log.bytes());
        scene.healthy().await;
    }
}

/// The budget of a call used to count only the text of a line, so that empty lines and many calls
/// filled the log.
#[tokio::test]
async fn a_module_cannot_flood_the_log_in_many_calls() {
    let scene = {
        let mut scene = Scene::new().await;
        scene.work(1).await;
        scene
    };
    scene
        .stage
        .swap(version(plain('b').work(Work::PrintMuch)))
        .await
        .unwrap();
    let log = Log::default();
    let guard = log.capture();
    let mut calls = 0;
    let started = std::time::Instant::now();
    while calls < 100 {
        assert_eq!(scene.stage.work().await["code"], 200);
        calls += 1;
    }
    let seconds = 2 + started.elapsed().as_secs() as usize;
    drop(guard);
    let all = calls * LOG_BYTES;
    let most = (seconds * (256 << 10)).min(all) * LOGGED_PER_BYTE;
    assert!(log.bytes() < most, "{} bytes of log for {calls} calls", log.bytes());
    let lines = log.lines();
    let budget = |line: &&String| line.contains("more output than a call may log");
    assert!(lines.iter().filter(budget).count() > 0);
}

/// Calls that waited in the host used to keep their permits. If too many calls took long, callers
/// saw failures, even if a version stood by.
#[tokio::test]
async fn the_version_before_answers_when_too_many_calls_are_long() {
    for behaviour in [plain('b').work(Work::Sleep), plain('b').work(Work::Loop)] {
        let mut scene = Scene::new().await;
        scene.stage.deployer.canary(version(behaviour), canary()).await.unwrap();
        scene.work(5 * CALLERS).await;
        scene.work_until("abort").await;
        scene.healthy().await;
    }
}

#[tokio::test]
async fn calls_that_wait_in_the_host_do_not_block_others() {
    let few = Config {
        concurrency: 2,
        ..limited()
    };
    let stage = Stage::with(few, built_in(plain('a').work(Work::Sleep))).await;
    let waiting: Vec<_> = (0..CALLERS)
        .map(|n| {
            let logic = stage.logic.clone();
            tokio::spawn(async move { ask(&logic, "work", json!({"key": format!("{n}")})).await })
        })
        .collect();
    // Let each of them run until it waits.
    for _ in 0..CALLERS {
        tokio::task::yield_now().await;
    }
    for _ in 0..20 {
        assert_eq!(stage.label().await, "a");
    }
    assert!(waiting.iter().all(|call| !call.is_finished()), "they still wait");
    for call in waiting {
        assert_eq!(call.await.unwrap()["code"], 500);
    }
    assert_eq!(stage.label().await, "a");
}

/// A scan of a large table used to block all other calls of its thread until its end or its
/// deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_long_scan_does_not_block_others() {
    let config = Config {
        limits: Limits {
            cpu: Duration::from_secs(2),
            ..Limits::default()
        },
        ..config()
    };
    let stage = Stage::with(config, built_in(plain('a'))).await;
    stage.data("fill", json!({"rows": 300_000})).await;
    stage.swap(version(plain('b').work(Work::Scan))).await.unwrap();
    let walking = tokio::spawn({
        let logic = stage.logic.clone();
        async move { ask(&logic, "work", json!({"key": "k"})).await }
    });
    let others = tokio::spawn({
        let logic = stage.logic.clone();
        async move {
            for _ in 0..100 {
                assert_eq!(ask(&logic, "label", json!({})).await["data"], "b");
                tokio::task::yield_now().await;
            }
        }
    });
    others.await.unwrap();
    assert!(!walking.is_finished(), "it still walks");
    assert_eq!(walking.await.unwrap()["code"], 500);
}

#[tokio::test]
async fn failed_calls_are_logged_up_to_a_rate_and_then_counted() {
    let stage = Stage::with(limited(), built_in(plain('a').work(Work::Trap))).await;
    let log = Log::default();
    let guard = log.capture();
    let mut ids = Vec::new();
    for _ in 0..200 {
        let answer = stage.work().await;
        assert_eq!(answer["code"], 500);
        let message = answer["message"].as_str().unwrap().to_owned();
        ids.push(message.split(' ').next_back().unwrap().to_owned());
    }
    stage.swap(version(plain('b'))).await.unwrap();
    stage
        .wait("the last of it ends", |s| s.deployer.draining().is_empty())
        .await;
    drop(guard);
    let lines = log.lines();
    let failed: Vec<_> = lines.iter().filter(|line| line.contains("call failed")).collect();
    assert!((1..150).contains(&failed.len()), "{} lines", failed.len());
    for (line, id) in failed.iter().zip(&ids) {
        assert!(line.contains(id.as_str()) || failed.len() > 21, "{line} is about {id}");
    }
    assert!(lines.iter().any(|line| line.contains("too many of its calls fail")));
}

/// Calls that each ended just before they counted as long used to get the processors without
/// pauses.
#[tokio::test]
async fn calls_of_a_function_that_usually_computes_are_paced() {
    let stage = Stage::with(config(), built_in(plain('a').work(Work::Compute))).await;
    for _ in 0..30 {
        assert_eq!(stage.work().await["code"], 200);
        assert_eq!(stage.label().await, "a");
    }
    let paced = stage.deployer.list()[0].calls.paced;
    assert!((10..30).contains(&paced), "{paced} of 30, and none of the light ones");
    let answers = join_all((0..CALLERS).map(|_| stage.work())).await;
    assert!(answers.iter().all(|answer| answer["code"] == 200), "{answers:?}");
    // Calls that write the same row run again after a conflict.
    assert!(stage.deployer.list()[0].calls.paced >= paced + CALLERS as u64);
}

fn with_files(name: &str) -> Source {
    named(name, wat::parse_str(WITH_FILES).unwrap())
}

#[tokio::test]
async fn a_module_that_imports_a_file_system_is_always_refused() {
    const IMPORT: &str = "wasi:filesystem/preopens@0.2.6";
    let mut scene = Scene::new().await;
    let deployer = scene.stage.deployer.clone();
    let load = super::stage::Load::start(&scene.stage.logic, 2, "work");
    for name in ["changing", "another"] {
        let mut reports = vec![deployer.check(with_files(name), None).await];
        let refused = [
            deployer.swap(vec![with_files(name)], unwatched()).await.map(drop),
            deployer.swap(vec![with_files(name)], forced()).await.map(drop),
            deployer.shadow(with_files(name), 100.0).await.map(drop),
            deployer.canary(with_files(name), canary()).await.map(drop),
        ];
        for refused in refused {
            match refused {
                Err(DeployError::Refused { report }) => reports.push(report),
                other => panic!("{other:?}"),
            }
        }
        for report in reports {
            assert!(!report.passed);
            let failed: Vec<_> = report.steps.iter().filter(|step| !step.passed).collect();
            assert!(failed[0].lines.join(" ").contains(IMPORT), "{report:#?}");
            assert!(!failed[0].forceable);
        }
    }
    for answers in load.end().await {
        assert!(
            answers.iter().all(|answer: &Value| answer["code"] == 200),
            "{answers:?}"
        );
    }
    assert_eq!((deployer.generation(), deployer.list().len()), (1, 1));
    scene.healthy().await;
}

/// A module whose start-up code never ends.
const ENDLESS_START: &str = r#"(component
    (core module $m
        (func $start (loop (br 0)))
        (start $start)
        (func (export "f") (result i32) i32.const 7))
    (core instance $i (instantiate $m))
    (func $f (result u32) (canon lift (core func $i "f")))
    (instance $work (export "label" (func $f)))
    (export "changing:tests/work@1.0.0" (instance $work)))"#;

#[tokio::test]
async fn start_up_code_that_never_ends_is_refused_in_time() {
    let mut scene = Scene::new().await;
    let started = std::time::Instant::now();
    let refused = scene
        .stage
        .deployer
        .swap(
            vec![named("changing", wat::parse_str(ENDLESS_START).unwrap())],
            forced(),
        )
        .await;
    let took = started.elapsed();
    let Err(DeployError::Refused { report }) = refused else {
        panic!("{refused:?}");
    };
    let failed = report
        .steps
        .iter()
        .find(|step| !step.passed && !step.forceable)
        .unwrap();
    assert_eq!(failed.name, "instantiate", "{report:#?}");
    scene.healthy().await;
    println!(
        "scorecard: S2 start function: refused after {} ms, of which 100 are its processor time",
        took.as_millis()
    );
}

#[tokio::test]
async fn a_self_test_that_waits_in_the_host_is_refused_in_time() {
    let mut scene = Scene::new().await;
    let refused = scene.stage.swap(version(plain('b').self_test(SelfTest::Sleeps))).await;
    let Err(DeployError::Refused { report }) = refused else {
        panic!("{refused:?}");
    };
    let failed = report.steps.iter().find(|step| !step.passed).unwrap();
    assert_eq!(failed.name, "self-test");
    assert!(says(&failed.lines.join(" "), LATE), "{:?}", failed.lines);
    scene.healthy().await;
}
