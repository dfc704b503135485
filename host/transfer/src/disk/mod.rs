//! The directories and files of downloads. All functions but [`blocking`] block the thread.

use std::io;

mod finished_file;
mod roots;
mod target_file;

pub(crate) use finished_file::{FinishedFile, is_unchanged, open_regular, verify};
pub use roots::DirectoryError;
pub(crate) use roots::Roots;
pub(crate) use target_file::{PartFile, TargetFile};

/// Runs blocking work on a thread for blocking work.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
