//! Checks: each refusal names its step and the reason.

use stowage_deploy::DeployError;
use stowage_deploy::api::{CheckReport, CheckStep};
use stowage_tests::changing::{Migration, SelfTest, plain};

use super::stage::{Stage, built_in, changing, forced, named, unwatched, version};

fn step<'a>(report: &'a CheckReport, name: &str) -> &'a CheckStep {
    report
        .steps
        .iter()
        .find(|s| s.name == name)
        .unwrap_or_else(|| panic!("no step {name}: {report:?}"))
}

/// A component with functions without parameters that return 32-bit numbers of these types.
fn small(functions: &[(&str, &str)]) -> Vec<u8> {
    let lifted: String = functions
        .iter()
        .map(|(name, ty)| {
            let id = name.replace('-', "");
            format!(r#"(func ${id} (result {ty}) (canon lift (core func $i "f"))) "#)
        })
        .collect();
    let exports: String = functions
        .iter()
        .map(|(name, _)| format!(r#"(export "{name}" (func ${})) "#, name.replace('-', "")))
        .collect();
    let text = format!(
        r#"(component
            (core module $m (func (export "f") (result i32) (i32.const 7)))
            (core instance $i (instantiate $m))
            {lifted}
            (instance $x {exports})
            (export "small:tests/numbers@1.0.0" (instance $x)))"#
    );
    wat::parse_str(text).unwrap()
}

#[tokio::test]
async fn a_good_module_passes_every_step() {
    let stage = Stage::new(built_in(plain('a'))).await;
    let report = stage.deployer.check(version(plain('b')), None).await;
    assert!(report.passed, "{report:?}");
    let names: Vec<_> = report.steps.iter().map(|s| &*s.name).collect();
    assert_eq!(
        names,
        ["compile", "imports", "exports", "instantiate", "self-test", "schema"]
    );
    assert_eq!((stage.label().await.as_str(), stage.deployer.generation()), ("a", 1));
}

#[tokio::test]
async fn what_is_no_component_or_has_a_forbidden_import_is_refused() {
    let stage = Stage::new(built_in(plain('a'))).await;
    let report = stage.deployer.check(named("changing", b"\0asm".to_vec()), None).await;
    assert!(!step(&report, "compile").passed);
    let files = r#"(component (import "wasi:filesystem/types@0.2.6" (instance (export "f" (func)))))"#;
    let files = named("changing", wat::parse_str(files).unwrap());
    let report = stage.deployer.check(files.clone(), None).await;
    let imports = step(&report, "imports");
    assert!(!imports.passed && !imports.forceable);
    assert!(imports.lines[0].contains("wasi:filesystem/types@0.2.6"), "{imports:?}");
    assert!(matches!(
        stage.deployer.swap(vec![files], forced()).await,
        Err(DeployError::Refused { .. })
    ));
}

#[tokio::test]
async fn removed_and_changed_functions_must_be_forced() {
    let before = small(&[("one", "u32"), ("two", "u32")]);
    let stage = Stage::new(vec![named("small", before)]).await;
    let added = small(&[("one", "u32"), ("two", "u32"), ("three", "u32")]);
    let report = stage.deployer.check(named("small", added), None).await;
    let exports = step(&report, "exports");
    assert!(exports.passed);
    assert_eq!(exports.lines, ["2 functions as they were", "+ three: func() -> u32"]);

    let changed = small(&[("one", "s32")]);
    let report = stage.deployer.check(named("small", changed.clone()), None).await;
    let exports = step(&report, "exports");
    assert!(!exports.passed && exports.forceable);
    assert_eq!(
        exports.lines,
        ["- one: func() -> u32", "+ one: func() -> s32", "- two: func() -> u32"]
    );
    let swap = |options| stage.deployer.swap(vec![named("small", changed.clone())], options);
    assert!(matches!(swap(unwatched()).await, Err(DeployError::Refused { .. })));
    assert_eq!(stage.data("two", serde_json::json!({})).await, 7);
    swap(forced()).await.unwrap();
    assert_eq!(stage.ask("two", serde_json::json!({})).await["code"], 300);
}

#[tokio::test]
async fn a_new_module_is_compared_with_the_one_that_serves_its_functions() {
    let stage = Stage::new(vec![named("small", small(&[("one", "u32"), ("two", "u32")]))]).await;
    let same = named("over", small(&[("one", "u32")]));
    assert!(stage.deployer.check(same, None).await.passed);
    let other = named("over", small(&[("one", "s32")]));
    let report = stage.deployer.check(other, None).await;
    assert_eq!(
        step(&report, "exports").lines,
        ["- one: func() -> u32", "+ one: func() -> s32"]
    );
}

#[tokio::test]
async fn a_module_that_traps_as_it_starts_is_refused() {
    let stage = Stage::new(built_in(plain('a'))).await;
    let text = r#"(component
        (core module $m (func $s unreachable) (start $s) (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (instance $x (export "f" (func $f)))
        (export "some:tests/x@1.0.0" (instance $x)))"#;
    let report = stage
        .deployer
        .check(named("x", wat::parse_str(text).unwrap()), None)
        .await;
    let instantiate = step(&report, "instantiate");
    assert!(!instantiate.passed && !instantiate.forceable);
}

#[tokio::test]
async fn a_module_whose_self_test_fails_or_never_ends_is_refused() {
    let stage = Stage::new(built_in(plain('a'))).await;
    let report = stage
        .deployer
        .check(version(plain('b').self_test(SelfTest::Fails)), None)
        .await;
    assert_eq!(step(&report, "self-test").lines, ["it does not work"]);
    let report = stage
        .deployer
        .check(version(plain('b').self_test(SelfTest::Loops)), None)
        .await;
    assert!(!step(&report, "self-test").passed);
    assert!(
        stage
            .swap(version(plain('b').self_test(SelfTest::Loops)))
            .await
            .is_err()
    );
    assert_eq!(stage.label().await, "a");
}

#[tokio::test]
async fn a_self_test_sees_the_migrated_data() {
    let stage = Stage::new(built_in(plain('a'))).await;
    stage.data("fill", serde_json::json!({"rows": 5})).await;
    let report = stage
        .deployer
        .check(
            version(
                plain('b')
                    .rows(1, Migration::InOneStep)
                    .self_test(SelfTest::LooksAtRows),
            ),
            None,
        )
        .await;
    assert!(report.passed, "{report:?}");
    assert_eq!(stage.rows().await[0], "0 0");
}

#[tokio::test]
async fn a_module_older_than_the_data_is_refused_even_if_forced() {
    let stage = Stage::new(built_in(plain('a'))).await;
    stage
        .swap(version(plain('b').rows(1, Migration::InOneStep)))
        .await
        .unwrap();
    match stage
        .deployer
        .swap(vec![named("changing", changing(plain('c')))], forced())
        .await
    {
        Err(DeployError::Refused { report }) => {
            let schema = step(&report, "schema");
            assert!(!schema.passed && !schema.forceable, "{schema:?}");
            assert!(schema.lines[0].contains("data version is 0"), "{schema:?}");
        }
        other => panic!("{other:?}"),
    }
    let back = stage.deployer.rollback(None, "command").await;
    assert!(
        matches!(back, Err(DeployError::Older { schema: 0, data: 1, .. })),
        "{back:?}"
    );
}

#[tokio::test]
async fn a_migration_that_would_fail_is_found_by_the_check() {
    let stage = Stage::new(built_in(plain('a'))).await;
    let report = stage
        .deployer
        .check(version(plain('b').rows(1, Migration::Fails)), None)
        .await;
    let schema = step(&report, "schema");
    assert!(!schema.passed && !schema.forceable);
    assert!(schema.lines[0].contains("it cannot"), "{schema:?}");
}
