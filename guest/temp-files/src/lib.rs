//! Local temp files: the methods of the API and the rows of the space.

pub mod bindings;
mod files;
mod folders;
mod migration;
mod upload;

pub use files::{List, apply_files, list, to_api};
pub use folders::{apply_folders, list_folders, search};
pub use migration::{VERSION, migrate};
pub use upload::{FAVORITES_PLATFORM, STORAGE_PLATFORM, upload};

#[cfg(feature = "exports")]
stowage_sdk::embed_wit!(
    "storage-api/package.wit",
    "storage-api/types.wit",
    "storage-api/temp-files.wit",
    "space/package.wit",
    "space/temp-folders.wit",
    "space/temp-files.wit",
);

#[cfg(all(target_arch = "wasm32", feature = "exports"))]
mod module {
    //! The exports.

    use stowage_sdk::{Error, HostContext, Order};

    use crate::bindings::{api, schema, temp_files, temp_folders};

    struct Module;

    impl api::Guest for Module {
        fn get_local_temp_file_list(
            unique: String,
            keyword: Option<String>,
            kind: u32,
            order: Option<Order>,
            page: u32,
            page_size: u32,
        ) -> Result<Vec<api::TempFile>, Error> {
            let keyword = keyword.as_deref();
            crate::list(
                &HostContext,
                &unique,
                &crate::List {
                    keyword,
                    kind,
                    order,
                    page,
                    page_size,
                },
            )
        }

        fn local_temp_file_to_storage(hashs: Vec<String>) -> Result<bool, Error> {
            crate::upload(&HostContext, &hashs, crate::STORAGE_PLATFORM)
        }

        fn local_temp_file_to_favorite(hashs: Vec<String>) -> Result<bool, Error> {
            crate::upload(&HostContext, &hashs, crate::FAVORITES_PLATFORM)
        }

        fn get_local_temp_folder_list(
            order: Option<Order>,
            page: u32,
            page_size: u32,
        ) -> Result<Vec<api::TempFolder>, Error> {
            crate::list_folders(&HostContext, order, page, page_size)
        }

        fn search_local_temp_file(keyword: Option<String>) -> Result<api::TempSearch, Error> {
            Ok(crate::search(&HostContext, keyword.as_deref()))
        }
    }

    impl temp_folders::Guest for Module {
        fn apply(upserts: Vec<temp_folders::Row>, removals: Vec<String>) {
            crate::apply_folders(&HostContext, upserts, &removals);
        }
    }

    impl temp_files::Guest for Module {
        fn apply(upserts: Vec<temp_files::Row>, removals: Vec<String>) {
            crate::apply_files(&HostContext, upserts, &removals);
        }
    }

    stowage_sdk::export_schema!(Module, schema, crate::VERSION, crate::migrate);

    crate::bindings::export!(Module with_types_in crate::bindings);
}
