//! The world `temp-files`, generated from `wit/`. Its imports are those of the SDK.
//!
//! The types exist on every target, so the plain functions can return them in unit tests too.
#![allow(missing_docs)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "stowage:modules/temp-files",
    with: {
        "stowage:host/storage@1.0.0": stowage_sdk::bindings::storage,
        "stowage:host/transfer@1.0.0": stowage_sdk::bindings::transfer,
        "stowage:host/cloud@1.0.0": stowage_sdk::bindings::cloud,
        "stowage:host/progress@1.0.0": stowage_sdk::bindings::progress,
        "stowage:storage-api/types@1.0.0": stowage_sdk::bindings::types,
    },
    additional_derives: [PartialEq],
    generate_all,
    // The module in `lib.rs` calls the macro. As a library, this crate exports nothing.
    pub_export_macro: true,
});

pub use exports::stowage::host::schema;
pub use exports::stowage::space::{temp_files, temp_folders};
pub use exports::stowage::storage_api::temp_files as api;
