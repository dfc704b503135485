//! Generated from `wit/`: the traits behind a module's imports, and their types.

#![allow(missing_docs, reason = "the documentation is in the WIT")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "stowage:modules/imports",
    imports: {
        // Functions that read many keys let other tasks run in between.
        "stowage:host/storage.get-many": async | trappable,
        "stowage:host/storage.scan": async | trappable,
        "stowage:host/storage.count": async | trappable,
        "stowage:host/storage.delete-range": async | trappable,
        default: trappable,
    },
    additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    anyhow: false,
});
