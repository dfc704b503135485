//! `transferApi`: what fills the store, and the control of transfers.

mod backups;
pub mod bindings;
mod blob;
mod contents;
mod favorites;
mod fields;
mod folder_path;
mod parameters;
mod password;
mod received;
mod row;
mod storage;
mod tasks;
mod temp_files;
mod uploads;

pub use backups::{add as add_backup, add_folder as add_backup_folder};
pub use favorites::{add as add_favorite, delete as delete_favorites, move_to as move_favorites};
pub use fields::{Fields, Platform};
pub use password::{remove as remove_password, set as set_password};
pub use received::fields;
pub use storage::{
    List as StorageList, create_folder, delete as delete_stored, get as get_stored, list_files, move_to as move_stored,
    rename as rename_stored,
};
pub use tasks::{
    List as TaskList, Named, NewLimits, change, change_all, limits, list as list_tasks, set_limits, set_priority,
};
pub use temp_files::{add as add_temp_file, delete as delete_temp_files, delete_folder as delete_temp_folder};
pub use uploads::{Upload, admit, check, find, finished, store, upload_file};

#[cfg(feature = "exports")]
stowage_sdk::embed_wit!(
    "storage-api/package.wit",
    "storage-api/types.wit",
    "storage-api/im-favorites.wit",
    "storage-api/im-backups.wit",
    "storage-api/temp-files.wit",
    "transfer-api/package.wit",
    "transfer-api/backups.wit",
    "transfer-api/favorites.wit",
    "transfer-api/storage.wit",
    "transfer-api/tasks.wit",
    "transfer-api/temp-files.wit",
    "transfer-api/uploads.wit",
);

#[cfg(all(target_arch = "wasm32", feature = "exports"))]
mod module;
