//! The progress of an import.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

/// Gets the progress of an import.
pub trait ImportProgress: Send {
    /// A file is hashed. Its `len_bytes` bytes will be stored now.
    fn file_started(&mut self, name: &str, len_bytes: u64);
    /// `count` more of them are stored.
    fn bytes(&mut self, count: u64);
    /// The file's blob is in the space.
    fn file_done(&mut self);
}

/// A file that reports how much of it was read.
pub(super) struct ProgressReader<'a> {
    pub file: tokio::fs::File,
    pub progress: &'a mut dyn ImportProgress,
    pub count: u64,
}

impl AsyncRead for ProgressReader<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.file).poll_read(context, buffer);
        let count = (buffer.filled().len() - before) as u64;
        if count > 0 {
            self.count += count;
            self.progress.bytes(count);
        }
        polled
    }
}
