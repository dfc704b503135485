//! The directories and files of downloads. All functions but [`blocking`] block the thread.

use std::io;

mod copy;
mod finished_file;
mod hash;
mod part_file;
mod roots;
mod target_directory;

pub(crate) use copy::{CopyError, copy};
pub(crate) use finished_file::{FinishedFile, is_unchanged, open_regular, verify};
pub(crate) use part_file::PartFile;
pub use roots::DirectoryError;
pub(crate) use roots::Roots;
pub(crate) use target_directory::TargetDirectory;

/// Runs blocking work on a thread for blocking work.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
