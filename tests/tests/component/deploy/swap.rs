//! Swaps, overrides, unloading and rollback.

use serde_json::{Value, json};
use stowage_deploy::{DeployError, SwapOptions};
use stowage_tests::changing::{Behaviour, SelfTest, plain};

use super::stage::{Load, Stage, built_in, changing, forced, named, unwatched, version};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaps_under_load_lose_no_call_and_no_write() {
    let stage = Stage::new(built_in(plain('a'))).await;
    let load = Load::start(&stage.logic, 8, "work");
    for n in 0..60 {
        let behaviour = if n % 2 == 0 { plain('b') } else { plain('a') };
        let report = stage.swap(version(behaviour)).await.unwrap();
        assert!(!report.unchanged);
    }
    for answers in load.end().await {
        for (n, answer) in answers.iter().enumerate() {
            assert_eq!(*answer, json!({"code": 200, "message": null, "data": n + 1}));
        }
    }
    assert_eq!(stage.deployer.generation(), 61);
    stage
        .wait("the last calls end", |s| s.deployer.draining().is_empty())
        .await;
}

#[tokio::test]
async fn a_module_overrides_single_methods_until_it_is_unloaded() {
    let stage = Stage::new(built_in(plain('a'))).await;
    let over = named("over", changing(plain('b')));
    stage.swap(over).await.unwrap();
    assert_eq!(stage.label().await, "b");
    let list = stage.deployer.list();
    assert_eq!(
        list.iter().map(|m| (&*m.name, m.methods.len())).collect::<Vec<_>>(),
        [("changing", 0), ("over", 7)]
    );
    stage.deployer.unload("over", "command").await.unwrap();
    assert_eq!(stage.label().await, "a");
    assert!(matches!(
        stage.deployer.unload("over", "command").await,
        Err(DeployError::NoSuchModule { .. })
    ));
    match stage.deployer.unload("changing", "command").await {
        Err(DeployError::StillNeeded { methods, .. }) => {
            assert_eq!(
                methods,
                ["fill", "label", "look", "percent", "rows", "rowsPage", "work"]
            );
        }
        other => panic!("{other:?}"),
    }
    stage.deployer.unload_forced("changing", "command").await.unwrap();
    assert_eq!(stage.ask("label", json!({})).await["code"], 300);
    stage.deployer.rollback(None, "command").await.unwrap();
    assert_eq!(stage.label().await, "a");
}

#[tokio::test]
async fn a_set_is_swapped_as_a_whole_or_not_at_all() {
    let stage = Stage::new(built_in(plain('a'))).await;
    let set = |second: Behaviour| vec![version(plain('b')), named("over", changing(second))];
    let refused = stage
        .deployer
        .swap(set(plain('c').self_test(SelfTest::Fails)), unwatched())
        .await;
    assert!(matches!(refused, Err(DeployError::Refused { report }) if report.name == "over"));
    assert_eq!((stage.label().await.as_str(), stage.deployer.generation()), ("a", 1));
    let report = stage.deployer.swap(set(plain('c')), unwatched()).await.unwrap();
    assert_eq!((report.generation, report.checks.len()), (2, 2));
    assert_eq!(stage.label().await, "c");
    let again = stage.deployer.swap(set(plain('c')), unwatched()).await.unwrap();
    assert!(again.unchanged);
    assert_eq!(stage.deployer.generation(), 2);
}

#[tokio::test]
async fn each_rollback_goes_one_further_back_or_to_any_generation() {
    let stage = Stage::new(built_in(plain('a'))).await;
    for behaviour in [plain('b'), plain('c')] {
        stage.swap(version(behaviour)).await.unwrap();
    }
    let back = stage.deployer.rollback(None, "command").await.unwrap();
    assert_eq!((stage.label().await.as_str(), back.generation), ("b", 4));
    stage.deployer.rollback(None, "command").await.unwrap();
    assert_eq!(stage.label().await, "a");
    match stage.deployer.rollback(None, "command").await {
        Err(DeployError::NothingToRollBack { .. }) => {}
        other => panic!("{other:?}"),
    }
    stage.deployer.rollback(Some(3), "command").await.unwrap();
    assert_eq!(stage.label().await, "c");
    assert!(stage.deployer.rollback(Some(99), "command").await.is_err());
    assert!(stage.deployer.rollback(Some(3), "command").await.is_err());
    let told: Vec<_> = stage
        .deployer
        .history(10)
        .await
        .unwrap()
        .into_iter()
        .map(|e| (e.generation, e.action, e.by))
        .collect();
    let expected = [
        (6, "rollback", "command"),
        (5, "rollback", "command"),
        (4, "rollback", "command"),
        (3, "swap", "command"),
        (2, "swap", "command"),
        (1, "start", "start"),
    ];
    let expected: Vec<_> = expected.map(|(n, a, b)| (n, a.to_owned(), b.to_owned())).into();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn names_and_sizes_out_of_bounds_are_refused_before_anything_is_read() {
    let stage = Stage::new(built_in(plain('a'))).await;
    for name in ["../x", "", "a/b"] {
        let refused = stage.swap(named(name, changing(plain('b')))).await;
        assert!(matches!(refused, Err(DeployError::BadInput { .. })), "{name}");
    }
    let twice = vec![version(plain('b')), version(plain('c'))];
    assert!(stage.deployer.swap(twice, SwapOptions::default()).await.is_err());
    let huge = named("huge", vec![0; stowage_logic::MAX_MODULE_BYTES + 1]);
    let report = stage.deployer.check(huge, None).await;
    assert!(!report.passed, "{report:?}");
    assert_eq!(stage.deployer.generation(), 1);
}

#[tokio::test]
async fn the_bytes_of_the_last_ten_versions_are_kept() {
    let stage = Stage::new(built_in(plain('a'))).await;
    for n in 0..14 {
        let label = char::from(b'b' + n);
        stage.swap(version(plain(label))).await.unwrap();
    }
    assert_eq!(stage.blobs(), 10);
    stage.deployer.rollback(Some(14), "command").await.unwrap();
    let gone = stage.deployer.rollback(Some(1), "command").await;
    assert!(matches!(gone, Err(DeployError::NothingToRollBack { .. })), "{gone:?}");
}

#[tokio::test]
async fn a_forced_swap_overrides_forceable_findings() {
    let stage = Stage::new(built_in(plain('a'))).await;
    let failing = || vec![version(plain('b').self_test(SelfTest::Fails))];
    assert!(stage.deployer.swap(failing(), unwatched()).await.is_err());
    let report = stage.deployer.swap(failing(), forced()).await.unwrap();
    assert!(!report.checks[0].passed);
    assert_eq!(stage.label().await, "b");
    assert_eq!(stage.work().await["data"], Value::from(1));
}
