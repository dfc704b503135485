//! Shadows under many calls: an identical version never differs. A bug is reported with the call
//! that shows it.

use serde_json::json;
use stowage::builtin_modules;
use stowage_deploy::api::ShadowReport;
use stowage_logic::{CallError, Facts, Moment, Outcome, rpc};
use stowage_tests::changing::{Behaviour, Work, plain};
use stowage_tests::modules::variant;
use stowage_tests::wait::eventually;

use super::stage::{Stage, built_in, named, version};
use crate::world::config;

/// The calls in which the identical version is compared.
const CALLS: u64 = 100_000;
/// The calls between two looks at the report.
const BURST: u64 = 64;

/// Waits until so many calls are compared or skipped.
async fn compared(stage: &Stage, name: &str, calls: u64) -> ShadowReport {
    eventually("the calls are compared", async || {
        let report = stage.deployer.shadow_report(name).unwrap();
        (report.compared + report.skipped >= calls).then_some(report)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_module_never_differs_from_itself() {
    let favorites = builtin_modules().remove(0);
    let shadow = named(&favorites.0, variant(&favorites.1, "the same"));
    let stage = Stage::new(vec![named(&favorites.0, favorites.1)]).await;
    let name = shadow.name.clone();
    stage.deployer.shadow(shadow, 100.0).await.unwrap();
    let mut calls = 0;
    loop {
        for n in 0..BURST {
            // Few writes among many reads, and an error now and then.
            let (method, body) = match n {
                0 => ("createImFavoriteFolder", json!({"name": format!("folder {calls}")})),
                1 => ("createImFavoriteFolder", json!({"name": "folder 0"})),
                n => (
                    "getImFavoriteFolders",
                    json!({"page": n, "pageSize": 10, "order": "desc"}),
                ),
            };
            rpc::answer(&stage.logic, &format!("/{method}"), body.to_string().into()).await;
        }
        calls += BURST;
        let report = compared(&stage, &name, calls).await;
        assert_eq!(report.different, 0, "{:#?}", report.differences);
        if report.compared >= CALLS {
            break;
        }
    }
}

/// The lines that a shadow with this behaviour differs in, and the parameters of the calls.
async fn found(behaviour: Behaviour, calls: &[(&str, serde_json::Value)]) -> Vec<(serde_json::Value, Vec<String>)> {
    let stage = Stage::new(built_in(plain('a'))).await;
    stage.data("fill", json!({"rows": 25})).await;
    stage.deployer.shadow(version(behaviour), 100.0).await.unwrap();
    for (method, body) in calls {
        stage.data(method, body.clone()).await;
    }
    let report = compared(&stage, "changing", calls.len() as u64).await;
    assert_eq!((report.compared, report.skipped), (calls.len() as u64, 0));
    report.differences.into_iter().map(|d| (d.params, d.lines)).collect()
}

#[tokio::test]
async fn an_off_by_one_in_paging_is_reported_with_its_call() {
    let pages = [1, 2].map(|page| ("rowsPage", json!({"page": page, "size": 2})));
    assert_eq!(
        found(plain('a').work(Work::OffByOne), &pages).await,
        [(
            json!({"page": 2, "size": 2}),
            vec![
                r#"answer[0]: "0 3" instead of "0 2""#.to_owned(),
                r#"answer[1]: "0 4" instead of "0 3""#.to_owned(),
            ]
        )]
    );
}

#[tokio::test]
async fn a_changed_rounding_is_reported_with_its_call() {
    let parts = [(1, 4), (2, 3)].map(|(part, whole)| ("percent", json!({"part": part, "whole": whole})));
    assert_eq!(
        found(plain('a').work(Work::RoundDown), &parts).await,
        [(
            json!({"part": 2, "whole": 3}),
            vec![r#"answer: "66.66" instead of "66.67""#.to_owned()]
        )]
    );
}

/// Memory for old snapshots is bounded. A call on a snapshot that is dropped is not compared, and
/// does not count against the module.
#[tokio::test]
async fn a_call_on_a_dropped_snapshot_is_not_compared() {
    let storage = stowage_storage::Config {
        wal_bytes: 512,
        ..stowage_storage::Config::default()
    };
    let stage = Stage::storing(storage, config(), built_in(plain('a'))).await;
    let write = async |n: u8| {
        let written = stage
            .store
            .update::<_, stowage_storage::Error>(|tx| tx.put("t", &[n], vec![n; 100]));
        written.await.unwrap();
    };
    write(0).await;
    let old = stage.store.snapshot();
    let generation = stage.logic.generation();
    let route = generation.method(Some("tests"), "rows").unwrap();
    let function = route.function();
    let (moment, facts) = (Moment::now(), Facts::default());
    let dry_run = async || stage.logic.dry_run(function, &[], &moment, &old, &facts).await.outcome;
    assert!(matches!(dry_run().await, Ok(Outcome::Done(_))));
    // Snapshots that are never dropped.
    let mut held = Vec::new();
    for n in 1..200 {
        write(n).await;
        held.push(stage.store.snapshot());
    }
    let outcome = dry_run().await;
    assert!(matches!(outcome, Err(CallError::Contention)), "{outcome:?}");
    assert_eq!(stage.work().await["code"], 200);
}
