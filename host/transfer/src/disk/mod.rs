//! The part of the disk downloads may touch. Everything here blocks: call it off the async threads.

use std::io;

mod roots;
mod target_file;

pub use roots::DirectoryError;
pub(crate) use roots::Roots;
pub(crate) use target_file::{FinishedFile, PartFile, TargetFile, is_unchanged, open_regular, verify};

/// Does something that blocks, off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
