//! Generated from `wit/`: the traits behind the imports of a module, and the types of what it asks for.

#![allow(missing_docs, reason = "the documentation is in the WIT")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "stowage:modules/imports",
    imports: {
        // What looks at many keys gives way to others in between.
        "stowage:host/storage.get-many": async | trappable,
        "stowage:host/storage.scan": async | trappable,
        "stowage:host/storage.count": async | trappable,
        "stowage:host/storage.delete-range": async | trappable,
        default: trappable,
    },
    additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    anyhow: false,
});
