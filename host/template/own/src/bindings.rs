//! The world `module`, generated from `wit/`. Its imports are those of the SDK.
//!
//! The types exist on every target, so the plain functions can return them in unit tests too.

wit_bindgen::generate!({
    path: "wit",
    world: "local:{{name}}/module",
    with: {
        "stowage:host/storage@1.0.0": stowage_sdk::bindings::storage,
        "stowage:host/transfer@1.0.0": stowage_sdk::bindings::transfer,
        "stowage:host/cloud@1.0.0": stowage_sdk::bindings::cloud,
        "stowage:host/progress@1.0.0": stowage_sdk::bindings::progress,
        "stowage:storage-api/types@1.0.0": stowage_sdk::bindings::types,
    },
    additional_derives: [PartialEq],
    generate_all,
});

pub use exports::local::{{snake}}::board as api;
#[cfg(target_arch = "wasm32")]
pub use exports::stowage::host::self_test;
