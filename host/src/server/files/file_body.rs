//! The body of a response that is too large for memory.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use stowage_transfer::{OutgoingError, Pieces};
use tokio::sync::OwnedSemaphorePermit;

use crate::server::Answering;

/// The bytes of a blob. If they turn out to be wrong, the body fails before its last byte, and the
/// connection is cut off.
pub(crate) struct FileBody {
    pieces: Pieces,
    _turn: OwnedSemaphorePermit,
    answering: Option<Answering>,
}

impl FileBody {
    pub(super) fn new(pieces: Pieces, turn: OwnedSemaphorePermit) -> FileBody {
        FileBody {
            pieces,
            _turn: turn,
            answering: None,
        }
    }

    /// Counts the request as being answered until the body has ended.
    pub(crate) fn answering(mut self, answering: Answering) -> FileBody {
        self.answering = Some(answering);
        self
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = OutgoingError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, OutgoingError>>> {
        self.pieces
            .as_mut()
            .poll_next(cx)
            .map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
