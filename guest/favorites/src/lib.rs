//! IM favourites: the methods of the API and the rows of the space.

pub mod bindings;
mod favorites;
mod folders;
mod migration;

pub use favorites::{List, apply_favorites, list, to_api};
pub use folders::{apply_folders, create, delete, list_folders, rename};
pub use migration::{VERSION, migrate};

#[cfg(feature = "exports")]
stowage_sdk::embed_wit!(
    "storage-api/package.wit",
    "storage-api/types.wit",
    "storage-api/im-favorites.wit",
    "space/package.wit",
    "space/favorite-folders.wit",
    "space/favorites.wit",
);

#[cfg(all(target_arch = "wasm32", feature = "exports"))]
mod module {
    //! The exports.

    use stowage_sdk::{Error, HostContext, Order};

    use crate::bindings::{api, favorite_folders, favorites, schema};

    struct Module;

    impl api::Guest for Module {
        fn create_im_favorite_folder(name: String) -> Result<bool, Error> {
            crate::create(&HostContext, &name)
        }

        fn rename_im_favorite_folder(id: String, new_name: String) -> Result<bool, Error> {
            crate::rename(&HostContext, &id, &new_name)
        }

        fn delete_im_favorite_folder(id: String) -> Result<bool, Error> {
            crate::delete(&HostContext, &id)
        }

        fn get_im_favorite_list(
            fav_id: String,
            keyword: Option<String>,
            start_time: Option<i64>,
            end_time: Option<i64>,
            kind: u32,
            order: Option<Order>,
            page: u32,
            page_size: u32,
        ) -> Result<Vec<api::Favorite>, Error> {
            let keyword = keyword.as_deref();
            crate::list(
                &HostContext,
                &fav_id,
                &crate::List {
                    keyword,
                    start_time,
                    end_time,
                    kind,
                    order,
                    page,
                    page_size,
                },
            )
        }

        fn get_im_favorite_folders(
            order: Option<Order>,
            page: u32,
            page_size: u32,
        ) -> Result<Vec<api::FavoriteFolder>, Error> {
            crate::list_folders(&HostContext, order, page, page_size)
        }
    }

    impl favorite_folders::Guest for Module {
        fn apply(upserts: Vec<favorite_folders::Row>, removals: Vec<String>) {
            crate::apply_folders(&HostContext, upserts, removals);
        }
    }

    impl favorites::Guest for Module {
        fn apply(upserts: Vec<favorites::Row>, removals: Vec<String>) {
            crate::apply_favorites(&HostContext, upserts, &removals);
        }
    }

    stowage_sdk::export_schema!(Module, schema, crate::VERSION, crate::migrate);

    crate::bindings::export!(Module with_types_in crate::bindings);
}
