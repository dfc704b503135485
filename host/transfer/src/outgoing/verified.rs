//! Streams that fail instead of passing on wrong bytes or none at all.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use stowage_cloud::{Error as SpaceError, Hash, Hasher};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::{OutgoingError, Pieces};

/// Fails if the next piece does not come in time.
pub(super) fn timely(pieces: BoxStream<'static, Result<Bytes, SpaceError>>, limit: Duration) -> Pieces {
    stream::try_unfold(pieces, move |mut pieces| async move {
        match timeout(limit, pieces.next()).await {
            Ok(Some(piece)) => Ok(Some((piece?, pieces))),
            Ok(None) => Ok(None),
            Err(_) => Err(OutgoingError::Stalled(limit)),
        }
    })
    .boxed()
}

/// Holds back the last piece, and passes it on only if all bytes have this hash.
pub(super) fn verified(pieces: Pieces, expected: Hash) -> Pieces {
    let state = Verifying {
        pieces,
        hasher: Hasher::new(),
        held: None,
        expected,
    };
    stream::try_unfold(state, |state| state.next()).boxed()
}

struct Verifying<S> {
    pieces: S,
    hasher: Hasher,
    held: Option<Bytes>,
    expected: Hash,
}

impl<S: Stream<Item = Result<Bytes, OutgoingError>> + Unpin> Verifying<S> {
    /// The piece before the one that was read last.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, OutgoingError> {
        while let Some(piece) = self.pieces.next().await {
            let piece = piece?;
            self.hash(piece.clone()).await?;
            if let Some(previous) = self.held.replace(piece) {
                return Ok(Some((previous, self)));
            }
        }
        if self.hasher.clone().finish() != self.expected {
            tracing::error!(hash = %self.expected, "a blob has the wrong bytes: it is not given to a client");
            return Err(OutgoingError::WrongHash {
                expected: self.expected,
            });
        }
        Ok(self.held.take().map(|last| (last, self)))
    }

    async fn hash(&mut self, piece: Bytes) -> Result<(), OutgoingError> {
        let mut hasher = std::mem::take(&mut self.hasher);
        let hashing = spawn_blocking(move || {
            hasher.update(&piece);
            hasher
        });
        self.hasher = hashing
            .await
            .map_err(|error| OutgoingError::Damaged(std::io::Error::other(error)))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn passed(pieces: &[&'static [u8]], expected: &[u8]) -> (Vec<u8>, bool) {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from_static(piece))).collect();
        let mut verified = verified(stream::iter(pieces).boxed(), Hash::of(expected));
        let mut passed = Vec::new();
        while let Some(piece) = verified.next().await {
            match piece {
                Ok(piece) => passed.extend_from_slice(&piece),
                Err(_) => return (passed, false),
            }
        }
        (passed, true)
    }

    #[tokio::test]
    async fn the_last_piece_waits_for_the_hash() {
        assert_eq!(passed(&[b"ab", b"c", b"d"], b"abcd").await, (b"abcd".to_vec(), true));
        assert_eq!(passed(&[b"ab", b"c", b"x"], b"abcd").await, (b"abc".to_vec(), false));
        assert_eq!(passed(&[b"ab", b"c"], b"abcd").await, (b"ab".to_vec(), false));
        assert_eq!(passed(&[b"x"], b"abcd").await, (Vec::new(), false));
        assert_eq!(passed(&[], b"").await, (Vec::new(), true));
        assert_eq!(passed(&[], b"abcd").await, (Vec::new(), false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_sends_nothing_fails() {
        let mut pieces = timely(stream::pending().boxed(), Duration::from_secs(60));
        assert!(matches!(pieces.next().await, Some(Err(OutgoingError::Stalled(_)))));
    }
}
