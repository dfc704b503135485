//! Modules that the host refuses.

use stowage_kit::{Kit, KitError};
use stowage_logic::LoadError;

/// Why the host refuses these bytes.
async fn refusal_of(bytes: Vec<u8>) -> LoadError {
    match Kit::builder().module("hostile", bytes).build().await {
        Err(KitError::Load(error)) => error,
        other => panic!("{other:?}"),
    }
}

async fn refusal(text: &str) -> LoadError {
    refusal_of(wat::parse_str(text).unwrap()).await
}

#[tokio::test]
async fn an_import_that_gives_authority_is_refused() {
    for import in [
        "wasi:filesystem/types@0.2.6",
        "wasi:filesystem/preopens@0.2.6",
        "wasi:sockets/tcp@0.2.6",
        "wasi:http/outgoing-handler@0.2.6",
        "somebody:else/thing@1.0.0",
        "wasi:clocksmith/x@1.0.0",
        "stowage:hosts/storage@1.0.0",
    ] {
        match refusal(&format!(
            r#"(component (import "{import}" (instance (export "f" (func)))))"#
        ))
        .await
        {
            LoadError::Import { name, import: refused } => {
                assert_eq!((name.as_str(), refused.as_str()), ("hostile", import))
            }
            other => panic!("{import}: {other}"),
        }
    }
}

#[tokio::test]
async fn an_import_of_another_type_is_refused() {
    let text = r#"(component
        (import "stowage:host/storage@1.0.0" (instance (export "get" (func (param "table" u32))))))"#;
    assert!(matches!(refusal(text).await, LoadError::Link { .. }));
}

#[tokio::test]
async fn two_functions_with_the_same_wire_name_are_refused() {
    let text = r#"(component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (instance $x (export "a-b" (func $f)) (export "ab" (func $f)))
        (export "some:tests/x@1.0.0" (instance $x)))"#;
    assert!(matches!(refusal(text).await, LoadError::AmbiguousName { .. }));
}

#[tokio::test]
async fn what_is_no_component_is_refused() {
    assert!(matches!(refusal("(module)").await, LoadError::Compile { .. }));
    assert!(matches!(refusal("(component)").await, LoadError::NoExports { .. }));
    for bytes in [&b""[..], b"\0asm", b"(component)", &[0xff; 100]] {
        assert!(
            matches!(refusal_of(bytes.to_vec()).await, LoadError::Compile { .. }),
            "{bytes:?}"
        );
    }
}
