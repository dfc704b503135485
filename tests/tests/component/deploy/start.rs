//! What is live after a restart.

use std::fs;

use stowage_deploy::Source;
use stowage_logic::Version;
use stowage_tests::changing::{Behaviour, Migration, plain};

use super::stage::{Stage, built_in, changing, version};

fn file(behaviour: Behaviour) -> Vec<Source> {
    vec![Source {
        from: "/modules/changing.wasm".into(),
        ..version(behaviour)
    }]
}

#[tokio::test]
async fn a_restart_keeps_the_live_set_and_its_history() {
    let stage = Stage::new(built_in(plain('a'))).await;
    stage.swap(version(plain('b'))).await.unwrap();
    let (list, history) = (stage.deployer.list(), stage.deployer.history(10).await.unwrap());
    let stage = stage.restart(built_in(plain('a'))).await;
    assert_eq!(stage.label().await, "b");
    let after = stage.deployer.list();
    let known = |m: &stowage_deploy::api::ModuleStatus| (m.version.clone(), m.since, m.by.clone(), m.source.clone());
    assert_eq!(
        after.iter().map(known).collect::<Vec<_>>(),
        list.iter().map(known).collect::<Vec<_>>()
    );
    assert_eq!(stage.deployer.history(10).await.unwrap(), history);
    stage.deployer.rollback(None, "command").await.unwrap();
    assert_eq!(stage.label().await, "a");
}

#[tokio::test]
async fn a_new_binary_brings_its_version_unless_another_was_chosen() {
    let stage = Stage::new(built_in(plain('a'))).await;
    let stage = stage.restart(built_in(plain('b'))).await;
    assert_eq!(stage.label().await, "b");
    assert_eq!(
        (stage.latest().await.action.as_str(), stage.deployer.generation()),
        ("start", 2)
    );
    stage.swap(version(plain('c'))).await.unwrap();
    let stage = stage.restart(built_in(plain('d'))).await;
    assert_eq!(stage.label().await, "c");
}

#[tokio::test]
async fn a_file_that_changed_while_the_server_was_down_goes_live() {
    let stage = Stage::new(file(plain('a'))).await;
    stage.swap(version(plain('b'))).await.unwrap();
    let stage = stage.restart(file(plain('a'))).await;
    assert_eq!(stage.label().await, "b");
    let stage = stage.restart(file(plain('c'))).await;
    assert_eq!(stage.label().await, "c");
}

#[tokio::test]
async fn a_lost_version_is_replaced_by_the_latest_that_is_left() {
    let stage = Stage::new(built_in(plain('a'))).await;
    stage.swap(version(plain('b'))).await.unwrap();
    stage.swap(version(plain('c'))).await.unwrap();
    let blob = |behaviour| stage.blob(&format!("{:#}", Version::of(&changing(behaviour))));
    fs::write(blob(plain('c')), b"damaged").unwrap();
    let lost = blob(plain('b'));
    let stage = stage.restart(built_in(plain('a'))).await;
    assert_eq!(stage.label().await, "b");
    let latest = stage.latest().await;
    assert_eq!(latest.action, "start");
    assert!(latest.reason.unwrap().contains("changing"));
    fs::remove_file(lost).unwrap();
    let stage = stage.restart(built_in(plain('a'))).await;
    assert_eq!(stage.label().await, "a");
}

#[tokio::test]
async fn a_binary_older_than_the_data_keeps_the_live_version() {
    let stage = Stage::new(built_in(plain('a'))).await;
    let stage = stage.restart(built_in(plain('b').rows(1, Migration::InOneStep))).await;
    assert_eq!(stage.label().await, "b");
    let stage = stage.restart(built_in(plain('c'))).await;
    assert_eq!(stage.label().await, "b");
}

#[tokio::test]
async fn a_binary_whose_migration_fails_keeps_the_live_version() {
    let stage = Stage::new(built_in(plain('a'))).await;
    let stage = stage.restart(built_in(plain('b').rows(1, Migration::Fails))).await;
    assert_eq!((stage.label().await.as_str(), stage.deployer.generation()), ("a", 1));
}
