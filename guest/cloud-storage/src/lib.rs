//! The cloud storage: usage of the space, uploads, and the rows of its files.

pub mod bindings;
mod files;
mod migration;
mod space_info;
mod upload;

pub use files::{apply_dapp_files, apply_storage_files, apply_storage_folders};
pub use migration::{VERSION, migrate};
pub use space_info::{Usage, space_info};
pub use upload::{admit, finished};

#[cfg(feature = "exports")]
stowage_sdk::embed_wit!(
    "storage-api/package.wit",
    "storage-api/types.wit",
    "storage-api/cloud-storage.wit",
    "space/package.wit",
    "space/storage-folders.wit",
    "space/storage-files.wit",
    "space/dapp-files.wit",
);

#[cfg(all(target_arch = "wasm32", feature = "exports"))]
mod module {
    //! The exports.

    use stowage_sdk::bindings::transfer::UploadRequest;
    use stowage_sdk::{Error, HostContext};

    use crate::bindings::{api, dapp_files, schema, storage_files, storage_folders, upload_hook};

    struct Module;

    impl api::Guest for Module {
        fn get_storage_space_info() -> Result<api::SpaceInfo, Error> {
            Ok(crate::space_info(&HostContext))
        }
    }

    impl storage_folders::Guest for Module {
        fn apply(upserts: Vec<storage_folders::Row>, removals: Vec<String>) {
            crate::apply_storage_folders(&HostContext, upserts, &removals);
        }
    }

    impl storage_files::Guest for Module {
        fn apply(upserts: Vec<storage_files::Row>, removals: Vec<String>) {
            crate::apply_storage_files(&HostContext, upserts, &removals);
        }
    }

    impl dapp_files::Guest for Module {
        fn apply(upserts: Vec<dapp_files::Row>, removals: Vec<String>) {
            crate::apply_dapp_files(&HostContext, upserts, &removals);
        }
    }

    impl upload_hook::Guest for Module {
        fn admit(request: UploadRequest) -> Result<(), upload_hook::Refusal> {
            crate::admit(&HostContext, &request)
        }

        fn finished(request: UploadRequest) -> Result<(), upload_hook::Refusal> {
            crate::finished(&HostContext, &request)
        }
    }

    stowage_sdk::export_schema!(Module, schema, crate::VERSION, crate::migrate);

    crate::bindings::export!(Module with_types_in crate::bindings);
}
