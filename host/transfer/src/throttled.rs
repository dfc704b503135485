//! A reader that obeys the limits of bytes a second.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, ReadBuf};

/// A reader that waits after each read until the bytes are paid for.
pub(crate) struct Throttled<R, F> {
    reader: R,
    /// Returns when so many bytes may be transferred.
    pay: F,
    waiting: Option<BoxFuture<'static, ()>>,
}

impl<R, F> Throttled<R, F> {
    pub(crate) fn new(reader: R, pay: F) -> Throttled<R, F> {
        Throttled {
            reader,
            pay,
            waiting: None,
        }
    }
}

impl<R, F> AsyncRead for Throttled<R, F>
where
    R: AsyncRead + Unpin,
    F: FnMut(u64) -> BoxFuture<'static, ()> + Unpin,
{
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(waiting) = &mut self.waiting {
            ready!(waiting.poll_unpin(cx));
            self.waiting = None;
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.reader).poll_read(cx, buffer))?;
        let read = buffer.filled().len() - before;
        if read > 0 {
            self.waiting = Some((self.pay)(read as u64));
        }
        Poll::Ready(Ok(()))
    }
}
