//! Probations, canaries and shadows.

use std::time::Duration;

use serde_json::json;
use stowage_deploy::{CanaryOptions, DeployError, SwapOptions};
use stowage_tests::changing::{Behaviour, Migration, Work, plain};

use super::stage::{Stage, built_in, changing, named, version};

/// Calls until the deployer has taken this action. Every call succeeds, whichever version answers.
async fn work_until(stage: &Stage, action: &str) -> stowage_deploy::api::HistoryEntry {
    for _ in 0..10_000 {
        let answer = stage.work().await;
        assert!(
            answer["code"] == 200 || answer["code"] == 777,
            "a call failed: {answer}"
        );
        let latest = stage.latest().await;
        if latest.action == action {
            // The entry is durable shortly before calls begin on its set. A version that never went
            // live has no such set.
            if action == "rollback" {
                stage
                    .wait("the entry's set serves", |s| {
                        s.deployer.generation() == latest.generation
                    })
                    .await;
            }
            return latest;
        }
    }
    panic!("no {action}");
}

async fn rolls_back(behaviour: Behaviour) -> Stage {
    let stage = Stage::new(built_in(plain('a'))).await;
    stage
        .deployer
        .swap(vec![version(behaviour)], SwapOptions::default())
        .await
        .unwrap();
    assert_eq!(stage.label().await, "b");
    assert!(stage.deployer.list()[0].probation.is_some());
    let entry = work_until(&stage, "rollback").await;
    assert_eq!(entry.by, "host");
    assert!(entry.reason.is_some());
    assert_eq!(stage.label().await, "a");
    assert!(stage.deployer.list()[0].probation.is_none());
    stage
}

#[tokio::test]
async fn a_module_that_traps_is_rolled_back_and_its_callers_do_not_notice() {
    let stage = rolls_back(plain('b').work(Work::Trap)).await;
    // A rollback from here must not lead to the bad version.
    assert!(matches!(
        stage.deployer.rollback(None, "command").await,
        Err(DeployError::NothingToRollBack { .. })
    ));
}

#[tokio::test]
async fn a_module_that_loops_is_rolled_back() {
    rolls_back(plain('b').work(Work::Loop)).await;
}

#[tokio::test]
async fn a_module_that_answers_new_errors_is_rolled_back() {
    rolls_back(plain('b').work(Work::Error)).await;
}

#[tokio::test]
async fn a_probation_ends_by_itself_or_by_promotion() {
    let stage = Stage::new(built_in(plain('a'))).await;
    let brief = SwapOptions {
        probation: Some(Duration::from_millis(50)),
        ..SwapOptions::default()
    };
    stage.deployer.swap(vec![version(plain('b'))], brief).await.unwrap();
    stage
        .wait("the probation ends", |s| s.deployer.list()[0].probation.is_none())
        .await;
    stage
        .deployer
        .swap(vec![version(plain('c'))], SwapOptions::default())
        .await
        .unwrap();
    assert!(stage.deployer.list()[0].probation.is_some());
    stage
        .deployer
        .promote("changing", SwapOptions::default())
        .await
        .unwrap();
    assert!(stage.deployer.list()[0].probation.is_none());
    let none = stage.deployer.promote("changing", SwapOptions::default()).await;
    assert!(matches!(none, Err(DeployError::NoTrial { .. })));
    assert_eq!(stage.label().await, "c");
}

#[tokio::test]
async fn a_probation_continues_after_a_restart() {
    let stage = Stage::new(built_in(plain('a'))).await;
    stage
        .deployer
        .swap(vec![version(plain('b').work(Work::Trap))], SwapOptions::default())
        .await
        .unwrap();
    let stage = stage.restart(built_in(plain('a'))).await;
    assert_eq!(stage.label().await, "b");
    work_until(&stage, "rollback").await;
    assert_eq!(stage.label().await, "a");
}

#[tokio::test]
async fn a_version_that_migrated_the_data_is_not_rolled_back() {
    let stage = Stage::new(built_in(plain('a'))).await;
    stage
        .deployer
        .swap(
            vec![version(plain('b').work(Work::Trap).rows(1, Migration::InOneStep))],
            SwapOptions::default(),
        )
        .await
        .unwrap();
    for _ in 0..3 {
        assert_eq!(stage.work().await["code"], 500);
    }
    stage
        .wait("the probation ends", |s| s.deployer.list()[0].probation.is_none())
        .await;
    let latest = stage.latest().await;
    assert_eq!((latest.generation, latest.action.as_str()), (2, "swap"));
    assert!(latest.reason.unwrap().contains("migrated"));
    assert_eq!(stage.label().await, "b");
}

fn all_calls() -> CanaryOptions {
    CanaryOptions {
        percent: 100.0,
        ..CanaryOptions::default()
    }
}

#[tokio::test]
async fn a_canary_answers_its_share_and_is_promoted_or_aborted() {
    let stage = Stage::new(built_in(plain('a'))).await;
    let methods = CanaryOptions {
        methods: vec!["label".into()],
        ..all_calls()
    };
    let status = stage.deployer.canary(version(plain('b')), methods).await.unwrap();
    assert_eq!(status.percent, 100.0);
    assert_eq!(stage.label().await, "b");
    assert_eq!(stage.deployer.list()[0].canary.as_ref().unwrap().watch.calls, 1);
    stage.deployer.abort("changing").await.unwrap();
    assert_eq!(stage.label().await, "a");
    assert_eq!(stage.latest().await.action, "abort");
    assert!(matches!(
        stage.deployer.abort("changing").await,
        Err(DeployError::NoTrial { .. })
    ));
    stage.deployer.canary(version(plain('c')), all_calls()).await.unwrap();
    stage
        .deployer
        .promote("changing", SwapOptions::default())
        .await
        .unwrap();
    let list = stage.deployer.list();
    assert!(list[0].canary.is_none());
    assert_eq!(
        list[0].version,
        format!("{:#}", stowage_logic::Version::of(&changing(plain('c'))))
    );
    assert_eq!(stage.latest().await.action, "promote");
}

#[tokio::test]
async fn a_bad_canary_is_aborted_automatically() {
    for behaviour in [plain('b').work(Work::Trap), plain('b').work(Work::Error)] {
        let stage = Stage::new(built_in(plain('a'))).await;
        stage.deployer.canary(version(behaviour), all_calls()).await.unwrap();
        let entry = work_until(&stage, "abort").await;
        assert_eq!(entry.by, "host");
        assert!(entry.reason.is_some());
        assert_eq!(stage.label().await, "a");
        assert_eq!(stage.deployer.generation(), 1);
        assert!(stage.deployer.list()[0].canary.is_none());
    }
}

#[tokio::test]
async fn a_canary_without_calls_or_with_another_schema_is_refused() {
    let stage = Stage::new(built_in(plain('a'))).await;
    let unknown = CanaryOptions {
        methods: vec!["nothing".into()],
        ..all_calls()
    };
    let refused = stage.deployer.canary(version(plain('b')), unknown).await;
    assert!(matches!(refused, Err(DeployError::BadInput { .. })));
    let none = CanaryOptions {
        percent: 0.0,
        ..all_calls()
    };
    assert!(stage.deployer.canary(version(plain('b')), none).await.is_err());
    let migrating = stage
        .deployer
        .canary(version(plain('b').rows(1, Migration::InOneStep)), all_calls())
        .await;
    assert!(matches!(migrating, Err(DeployError::Refused { .. })), "{migrating:?}");
}

#[tokio::test]
async fn a_shadow_reports_differences_and_clients_do_not_see_it() {
    let stage = Stage::new(built_in(plain('a'))).await;
    stage
        .deployer
        .shadow(version(plain('b').work(Work::Trap)), 100.0)
        .await
        .unwrap();
    assert_eq!(stage.work().await["data"], 1);
    assert_eq!(stage.label().await, "a");
    stage
        .wait("both calls are compared", |s| {
            s.deployer.shadow_report("changing").unwrap().compared == 2
        })
        .await;
    let report = stage.deployer.shadow_report("changing").unwrap();
    assert_eq!((report.different, report.differences.len()), (2, 2));
    assert_eq!(report.percent, 100.0);
    assert_eq!(
        stage.deployer.list()[0].shadow.as_ref().unwrap().version,
        report.version
    );
    assert_eq!(stage.work().await["data"], 2);
    stage.deployer.abort("changing").await.unwrap();
    assert!(stage.deployer.shadow_report("changing").is_err());
}

#[tokio::test]
async fn a_swap_ends_the_trials_of_the_version_that_it_replaces() {
    let stage = Stage::new(built_in(plain('a'))).await;
    stage.deployer.shadow(version(plain('b')), 100.0).await.unwrap();
    stage.deployer.canary(version(plain('c')), all_calls()).await.unwrap();
    stage.swap(named("other", changing(plain('d')))).await.unwrap();
    assert!(stage.deployer.list()[0].canary.is_some());
    stage.swap(version(plain('e'))).await.unwrap();
    let list = stage.deployer.list();
    assert!(list[0].canary.is_none() && list[0].shadow.is_none());
    assert_eq!(stage.data("label", json!({})).await, "d");
}
