//! The part of the disk downloads may touch. Everything here blocks: call it off the async threads.

use std::io;

mod finished_file;
mod roots;
mod target_file;

pub(crate) use finished_file::{FinishedFile, is_unchanged, open_regular, verify};
pub use roots::DirectoryError;
pub(crate) use roots::Roots;
pub(crate) use target_file::{PartFile, TargetFile};

/// Does something that blocks, off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
