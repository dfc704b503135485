//! Downloads, sync and progress, for every kind of file.

pub mod bindings;
mod download;
mod progress;
mod sync;

pub use download::{Download, download};
pub use progress::follow;
pub use sync::sync;

use stowage_sdk::Error;

#[cfg(feature = "exports")]
stowage_sdk::embed_wit!(
    "storage-api/package.wit",
    "storage-api/types.wit",
    "storage-api/common.wit"
);

/// Checks a platform of the API.
///
/// # Errors
/// 600 above 4.
fn platform(platform: u32) -> Result<u8, Error> {
    u8::try_from(platform)
        .ok()
        .filter(|platform| *platform <= 4)
        .ok_or_else(|| {
            Error::parameter(
                "platform",
                "a whole number from 0 to 4 (0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage, 4 DAPP)",
            )
        })
}

#[cfg(all(target_arch = "wasm32", feature = "exports"))]
mod module {
    //! The exports.

    use stowage_sdk::{Error, HostContext};

    use crate::bindings::api;

    struct Module;

    impl api::Guest for Module {
        fn download_storage_file_task(
            hash: String,
            platform: u32,
            task_id: Option<String>,
            download_path: Option<String>,
            file_password: Option<String>,
        ) -> Result<(), Error> {
            crate::download(
                &HostContext,
                crate::Download {
                    hash,
                    platform,
                    task_id,
                    download_path,
                    file_password,
                },
            )
        }

        fn init_storage_im_data_from_sdk() -> Result<(), Error> {
            crate::sync(&HostContext)
        }

        fn get_all_download_or_upload_file_progress(
            direction: u32,
            platform: u32,
            status: Option<i32>,
            key: String,
        ) -> Result<(), Error> {
            crate::follow(&HostContext, direction, platform, status, &key)
        }
    }

    crate::bindings::export!(Module with_types_in crate::bindings);
}
