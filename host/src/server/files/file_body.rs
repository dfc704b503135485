//! The body of a response that is too large for memory.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _};
use http_body::{Body, Frame};
use stowage_transfer::Pieces;
use tokio::sync::OwnedSemaphorePermit;

use crate::server::Answering;

/// Why a body ends early.
pub(crate) type PieceError = Box<dyn std::error::Error + Send + Sync>;

/// The bytes of a blob, or a long text. If they turn out to be wrong, the body fails before its
/// last byte, and the connection is cut off.
pub(crate) struct FileBody {
    pieces: BoxStream<'static, Result<Bytes, PieceError>>,
    _turn: OwnedSemaphorePermit,
    answering: Option<Answering>,
}

impl FileBody {
    pub(super) fn new(pieces: Pieces, turn: OwnedSemaphorePermit) -> FileBody {
        FileBody::of_pieces(pieces.map(|piece| piece.map_err(PieceError::from)).boxed(), turn)
    }

    /// A body of these pieces. It keeps its turn until it is dropped.
    pub(crate) fn of_pieces(
        pieces: BoxStream<'static, Result<Bytes, PieceError>>,
        turn: OwnedSemaphorePermit,
    ) -> FileBody {
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
    type Error = PieceError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, PieceError>>> {
        self.pieces
            .as_mut()
            .poll_next(cx)
            .map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
