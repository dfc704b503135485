//! Chat backups: the methods of the API and the rows of the space.

mod backups;
pub mod bindings;
mod delete;
mod folders;
mod migration;

pub use backups::{apply_backups, list, to_api as file_to_api};
pub use delete::delete;
pub use folders::{List, apply_folders, list_folders, search, to_api as folder_to_api};
pub use migration::{VERSION, migrate};

#[cfg(feature = "exports")]
stowage_sdk::embed_wit!(
    "storage-api/package.wit",
    "storage-api/types.wit",
    "storage-api/im-backups.wit",
    "space/package.wit",
    "space/backup-folders.wit",
    "space/backups.wit",
);

#[cfg(all(target_arch = "wasm32", feature = "exports"))]
mod module {
    //! The exports.

    use stowage_sdk::{Error, HostContext, Order};

    use crate::bindings::{api, backup_folders, backups, schema};

    struct Module;

    impl api::Guest for Module {
        fn delete_im_backups(unique: String, is_folder: bool) -> Result<bool, Error> {
            crate::delete(&HostContext, &unique, is_folder)
        }

        fn get_im_backups_folder_list(
            parent: Option<String>,
            start_time: Option<i64>,
            end_time: Option<i64>,
            order: Option<Order>,
            page: Option<u32>,
            page_size: Option<u32>,
        ) -> Result<Vec<api::BackupFolder>, Error> {
            let parent = parent.as_deref();
            crate::list_folders(
                &HostContext,
                &crate::List {
                    parent,
                    start_time,
                    end_time,
                    order,
                    page,
                    page_size,
                },
            )
        }

        fn get_im_backups_file_list(
            parent: String,
            order: Option<Order>,
            page: Option<u32>,
            page_size: Option<u32>,
        ) -> Result<Vec<api::BackupFile>, Error> {
            crate::list(&HostContext, &parent, order, page, page_size)
        }

        fn search_im_backups_list(keyword: Option<String>) -> Result<api::BackupSearch, Error> {
            Ok(crate::search(&HostContext, keyword.as_deref()))
        }
    }

    impl backup_folders::Guest for Module {
        fn apply(upserts: Vec<backup_folders::Row>, removals: Vec<String>) {
            crate::apply_folders(&HostContext, upserts, &removals);
        }
    }

    impl backups::Guest for Module {
        fn apply(upserts: Vec<backups::Row>, removals: Vec<String>) {
            crate::apply_backups(&HostContext, upserts, &removals);
        }
    }

    stowage_sdk::export_schema!(Module, schema, crate::VERSION, crate::migrate);

    crate::bindings::export!(Module with_types_in crate::bindings);
}
