//! The host's interfaces and the types of the API, generated from `wit/`.
//!
//! They are generated only here; the modules map theirs onto these. The types exist on every
//! target, so the plain functions also run in unit tests. The imported functions work only inside
//! the host.
#![allow(missing_docs)]

wit_bindgen::generate!({
    path: "../../wit",
    inline: "
        package stowage:sdk@1.0.0;
        world sdk {
            include stowage:modules/imports@1.0.0;
            import stowage:storage-api/types@1.0.0;
        }
    ",
    world: "stowage:sdk/sdk",
    additional_derives: [PartialEq],
    generate_all,
});

pub use stowage::host::{cloud, files, progress, storage, tasks, transfer};
pub use stowage::storage_api::types;
