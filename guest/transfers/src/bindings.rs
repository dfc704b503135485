//! The world `transfers`, generated from `wit/`. Its imports are those of the SDK, and the rows are
//! those of the modules that list them.
//!
//! The types exist on every target, so the plain functions can return them in unit tests too.
#![allow(missing_docs)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "stowage:modules/transfers",
    with: {
        "stowage:host/storage@1.0.0": stowage_sdk::bindings::storage,
        "stowage:host/transfer@1.0.0": stowage_sdk::bindings::transfer,
        "stowage:host/cloud@1.0.0": stowage_sdk::bindings::cloud,
        "stowage:host/progress@1.0.0": stowage_sdk::bindings::progress,
        "stowage:host/tasks@1.0.0": stowage_sdk::bindings::tasks,
        "stowage:host/files@1.0.0": stowage_sdk::bindings::files,
        "stowage:storage-api/types@1.0.0": stowage_sdk::bindings::types,
        "stowage:storage-api/im-favorites@1.0.0": stowage_favorites::bindings::api,
        "stowage:storage-api/temp-files@1.0.0": stowage_temp_files::bindings::api,
        "stowage:storage-api/im-backups@1.0.0": stowage_backups::bindings::api,
    },
    additional_derives: [PartialEq],
    generate_all,
    // The module in `lib.rs` calls the macro. As a library, this crate exports nothing.
    pub_export_macro: true,
});

pub use exports::stowage::host::files_hook;
pub use exports::stowage::transfer_api::{backups, favorites, storage, tasks, temp_files, uploads};
