//! Paths of folders in the cloud storage.

use stowage_sdk::rows::STORAGE_FOLDERS;
use stowage_sdk::{Context, Error};

/// The deepest nesting of folders.
const MAX_DEPTH: usize = 32;

/// The path of a folder that exists, without `/` at its ends. The root always exists.
///
/// # Errors
/// 60000 no folder has this path.
pub(crate) fn folder_at(ctx: &dyn Context, path: &str) -> Result<String, Error> {
    let path = path.trim_matches('/');
    if path.is_empty() {
        return Ok(String::new());
    }
    let id = path.rsplit('/').next().unwrap_or(path);
    match STORAGE_FOLDERS.get(ctx, id) {
        Some(folder) if folder.inner_path() == path => Ok(path.to_owned()),
        _ => Err(Error::no_folder(path)),
    }
}

/// The present path of the folder that was at this path: it may have been moved.
pub(crate) fn present_path(ctx: &dyn Context, path: &str) -> String {
    let id = path.rsplit('/').next().unwrap_or(path);
    match STORAGE_FOLDERS.get(ctx, id) {
        Some(folder) => folder.inner_path(),
        None => path.to_owned(),
    }
}

/// How many folders a path names.
pub(crate) fn depth(path: &str) -> usize {
    path.split('/').filter(|id| !id.is_empty()).count()
}

/// Checks that folders are not nested too deep.
///
/// # Errors
/// 600 naming `path`.
pub(crate) fn check_depth(depth: usize) -> Result<(), Error> {
    if depth <= MAX_DEPTH {
        Ok(())
    } else {
        Err(Error::parameter("path", "folders that are at most 32 deep"))
    }
}
