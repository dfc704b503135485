//! The body of a request, which tells the connection's seat when it is waited for.
//!
//! A client that sends a body slowly must not keep others out, as one that sends a head slowly does
//! not. So a connection is idle while a reader waits for its body.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

use super::seat::{Receiving, Seat};

/// Bytes after which a body has gone on. Fewer do not count: a client that sends a byte from time
/// to time would never have been idle.
const PROGRESS: usize = 1024;

/// The body of a request.
pub(crate) struct Body<B = Incoming> {
    body: B,
    seat: Arc<Seat>,
    /// Held while the next piece is waited for.
    receiving: Option<Receiving>,
    /// Bytes since the body has gone on.
    came: usize,
}

impl<B> Body<B> {
    /// A body whose head has just come.
    pub(super) fn new(body: B, seat: Arc<Seat>) -> Body<B> {
        seat.refresh();
        Body {
            body,
            seat,
            receiving: None,
            came: 0,
        }
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for Body<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        match &polled {
            Poll::Pending => {
                this.receiving.get_or_insert_with(|| this.seat.receiving());
            }
            Poll::Ready(frame) => {
                this.receiving = None;
                if let Some(Ok(frame)) = frame {
                    this.came += frame.data_ref().map_or(0, Bytes::len);
                }
                if this.came >= PROGRESS {
                    this.came = 0;
                    this.seat.refresh();
                }
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::FutureExt as _;
    use futures_util::stream;
    use http_body_util::{BodyExt as _, StreamBody};
    use tokio::sync::mpsc;
    use tokio::time::{Duration, advance};

    use super::super::seat::Seats;
    use super::*;

    /// Whether the only seat is lost to a new connection now.
    async fn is_lost(seats: &Seats, seat: &Seat) -> bool {
        // It waits for ever: the test keeps the permit.
        let _ = tokio::time::timeout(Duration::from_millis(1), seats.take()).await;
        seat.lost().now_or_never().is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_keeps_its_seat_while_it_goes_on_and_not_while_it_drips() {
        let seats = Seats::new(1);
        let (_permit, taken) = seats.take().await;
        let seat = &taken.seat;
        let (sender, receiver) = mpsc::channel::<usize>(1);
        let pieces = stream::unfold(receiver, |mut receiver| async {
            let bytes = Bytes::from(vec![0; receiver.recv().await?]);
            Some((Ok::<_, Infallible>(Frame::data(bytes)), receiver))
        });
        advance(Duration::from_secs(60)).await;
        let _answering = seat.answering();
        let mut body = Body::new(StreamBody::new(Box::pin(pieces)), Arc::clone(seat));
        // The first piece may still be on its way, and each further one.
        for _ in 0..5 {
            assert!(body.frame().now_or_never().is_none(), "it is waited for");
            advance(Duration::from_millis(900)).await;
            assert!(!is_lost(&seats, seat).await);
            sender.send(PROGRESS).await.expect("a reader");
            assert!(body.frame().await.is_some());
        }
        // Nothing is waited for while the reader has other work.
        advance(Duration::from_secs(60)).await;
        assert!(!is_lost(&seats, seat).await);
        seat.refresh();
        for _ in 0..3 {
            assert!(body.frame().now_or_never().is_none());
            sender.send(1).await.expect("a reader");
            assert!(body.frame().await.is_some());
            advance(Duration::from_millis(400)).await;
        }
        assert!(body.frame().now_or_never().is_none());
        assert!(seat.is_answering(), "a drain waits for it");
        assert!(is_lost(&seats, seat).await, "a byte from time to time is not enough");
    }
}
