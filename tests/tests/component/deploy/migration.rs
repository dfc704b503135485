//! Migrations: in one transaction, in steps, failing, aborted, and cut short.

use std::fs;

use serde_json::json;
use stowage_deploy::DeployError;
use stowage_logic::Version;
use stowage_tests::changing::{Migration, plain};

use super::stage::{Load, Stage, built_in, changing, unwatched, version};

async fn filled(rows: u32) -> Stage {
    let stage = Stage::new(built_in(plain('a'))).await;
    stage.data("fill", json!({"rows": rows})).await;
    stage
}

/// Rows of a version, and the counter. Every migrated row adds one to it.
fn rows(version: u32, rows: u32, counter: u32) -> Vec<String> {
    (0..rows)
        .map(|n| format!("{version} {n}"))
        .chain([counter.to_string()])
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_in_one_step_changes_data_and_code_together() {
    let stage = filled(50).await;
    let load = Load::start(&stage.logic, 4, "look");
    let report = stage
        .swap(version(plain('b').rows(1, Migration::InOneStep)))
        .await
        .unwrap();
    assert_eq!((report.migrated_rows, report.generation), (50, 2));
    assert_eq!(stage.rows().await, rows(1, 50, 100));
    for answer in load.end().await.concat() {
        assert_eq!(answer["code"], 200, "{answer}");
    }
    assert_eq!(stage.deployer.list()[0].schema, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_in_batches_delays_calls_and_none_fails() {
    let stage = filled(95).await;
    let looks = Load::start(&stage.logic, 4, "look");
    let works = Load::start(&stage.logic, 4, "work");
    let report = stage
        .swap(version(plain('b').rows(1, Migration::InBatches)))
        .await
        .unwrap();
    assert_eq!(report.migrated_rows, 95);
    assert!(stage.deployer.migration().is_none());
    for answer in looks.end().await.concat() {
        assert_eq!(answer["code"], 200, "{answer}");
    }
    for answers in works.end().await {
        for (n, answer) in answers.iter().enumerate() {
            assert_eq!(answer["data"], n + 1, "{answer}");
        }
    }
    assert_eq!(stage.rows().await, rows(1, 95, 190));
    let tables = stage.store.snapshot().tables().unwrap();
    assert!(
        !tables.iter().any(|t| t.contains("undo") || t.contains("migration")),
        "{tables:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_fails_midway_changes_nothing() {
    for behaviour in [
        plain('b').rows(1, Migration::FailsMidway),
        plain('b').rows(1, Migration::TrapsMidway),
    ] {
        let stage = filled(60).await;
        let load = Load::start(&stage.logic, 4, "look");
        match stage.swap(version(behaviour)).await {
            Err(DeployError::Migration { old: 0, new: 1, .. }) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!((stage.label().await.as_str(), stage.deployer.generation()), ("a", 1));
        for answer in load.end().await.concat() {
            assert_eq!(answer["code"], 200, "{answer}");
        }
        assert_eq!(stage.rows().await, rows(0, 60, 60));
        // Nothing is left that would disturb the next migration.
        stage
            .swap(version(plain('c').rows(1, Migration::InBatches)))
            .await
            .unwrap();
        assert_eq!(stage.rows().await, rows(1, 60, 120));
    }
}

#[tokio::test]
async fn a_migration_without_progress_is_undone() {
    let stage = filled(30).await;
    match stage.swap(version(plain('b').rows(1, Migration::StandsStill))).await {
        Err(DeployError::Migration { reason, .. }) => assert!(reason.contains("cursor"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(stage.rows().await, rows(0, 30, 30));
}

/// A running swap whose migration has changed some rows.
async fn under_way(stage: &Stage) -> tokio::task::JoinHandle<Result<stowage_deploy::api::SwapReport, DeployError>> {
    let deployer = stage.deployer.clone();
    let swap = tokio::spawn(async move {
        deployer
            .swap(vec![version(plain('b').rows(1, Migration::InBatches))], unwatched())
            .await
    });
    stage
        .wait("some rows are migrated", |s| {
            s.deployer.migration().is_some_and(|m| m.rows >= 30)
        })
        .await;
    swap
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_can_be_aborted() {
    let stage = filled(5000).await;
    let swap = under_way(&stage).await;
    stage.deployer.abort("changing").await.unwrap();
    let ended = swap.await.unwrap();
    assert!(matches!(ended, Err(DeployError::Migration { .. })), "{ended:?}");
    assert_eq!(stage.rows().await, rows(0, 5000, 5000));
    assert_eq!(stage.label().await, "a");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_migration_continues_at_the_next_start() {
    let stage = filled(5000).await;
    let swap = under_way(&stage).await;
    stage.store.close().await;
    assert!(swap.await.unwrap().is_err());
    let stage = stage.restart(built_in(plain('a'))).await;
    assert_eq!(stage.label().await, "b");
    assert_eq!(stage.rows().await, rows(1, 5000, 10_000));
    assert_eq!(
        (stage.latest().await.action.as_str(), stage.deployer.generation()),
        ("swap", 2)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_migration_that_cannot_continue_is_undone() {
    let stage = filled(5000).await;
    let swap = under_way(&stage).await;
    stage.store.close().await;
    assert!(swap.await.unwrap().is_err());
    let new = format!("{:#}", Version::of(&changing(plain('b').rows(1, Migration::InBatches))));
    fs::write(stage.blob(&new), b"damaged").unwrap();
    let stage = stage.restart(built_in(plain('a'))).await;
    assert_eq!(stage.label().await, "a");
    assert_eq!(stage.rows().await, rows(0, 5000, 5000));
    let latest = stage.latest().await;
    assert_eq!(latest.action, "abort");
    assert!(latest.reason.is_some());
}
