//! Generated from `wit/`: the traits behind the imports of a module, and the types of what it asks for.

#![allow(missing_docs, reason = "the documentation is in the WIT")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "stowage:modules/imports",
    imports: { default: trappable },
    additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    anyhow: false,
});
