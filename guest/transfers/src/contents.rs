//! What is below a folder of the cloud storage.

use stowage_sdk::rows::{
    STORAGE_FILES, STORAGE_FILES_BY_PATH, STORAGE_FOLDERS, STORAGE_FOLDERS_BY_PATH, StorageFolder, StoredFile,
    storage_path_key,
};
use stowage_sdk::{Context, Listing};

/// Everything below a folder.
#[derive(Default)]
pub(crate) struct Contents {
    /// Folders at any depth.
    pub(crate) folders: Vec<StorageFolder>,
    /// Files at any depth.
    pub(crate) files: Vec<StoredFile>,
}

impl Contents {
    /// Everything below this folder.
    pub(crate) fn of(ctx: &dyn Context, folder: &StorageFolder) -> Self {
        let mut contents = Self::default();
        let mut open: Vec<_> = inside(folder).into_iter().collect();
        while let Some(path) = open.pop() {
            let key = storage_path_key(&path).prefix();
            let files = Listing::new(STORAGE_FILES_BY_PATH, key.clone()).all(ctx);
            contents.files.extend(STORAGE_FILES.get_all(ctx, &files));
            let folders = Listing::new(STORAGE_FOLDERS_BY_PATH, key).all(ctx);
            for folder in STORAGE_FOLDERS.get_all(ctx, &folders) {
                // This path is longer than the one that the folder was found at, so the walk ends.
                open.extend(inside(&folder));
                contents.folders.push(folder);
            }
        }
        contents
    }
}

/// The path of what is in a folder. A folder whose identity has a `/` has no path of its own: with
/// the identity `/` it would be the path of the folder around it. The space may contain such a
/// folder. Nothing can be put into it.
fn inside(folder: &StorageFolder) -> Option<String> {
    (!folder.id.contains('/')).then(|| folder.inner_path())
}
