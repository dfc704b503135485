//! The content of a protected blob.

use std::io::{self, Read};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use stowage_cloud::Error as SpaceError;
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::{Blob, OutgoingError, Pieces};
use crate::request::Password;

/// The bytes that are read before the password is tried, which is the longest header. A usual one
/// has less than 1 KiB.
const HEADER_BYTES: u64 = 64 << 10;
/// The last line of a header begins with this.
const LAST_LINE: &[u8] = b"\n--- ";
/// The bytes between the header and the first chunk.
const NONCE_BYTES: u64 = 16;
/// The most bytes of a chunk in the file.
const CHUNK_BYTES: u64 = (64 << 10) + TAG_BYTES;
/// How much longer a chunk is than its content.
const TAG_BYTES: u64 = 16;
/// Bytes of the content that are passed on at a time.
const PIECE_BYTES: usize = 256 << 10;

/// The content of a protected blob. Each piece was authenticated. The last one is passed on only
/// when the end was.
pub struct OpenedBlob {
    /// Bytes of the content.
    pub size: u64,
    /// The content.
    pub pieces: Pieces,
}

impl Blob {
    /// Opens a protected blob.
    ///
    /// # Errors
    /// [`OutgoingError::WrongPassword`], [`OutgoingError::NotSealed`], [`OutgoingError::Source`],
    /// also after too many wrong passwords.
    pub async fn open(self, password: &Password) -> Result<OpenedBlob, OutgoingError> {
        let (size, cloud) = (self.size(), self.engine.cloud.clone());
        // This bounds how many passwords can be tried. A blob that is not in the space yet is on
        // this machine only.
        match cloud.check_password(&self.hash, Some(password.expose())).await {
            Ok(true) | Err(SpaceError::Missing { .. }) => {}
            Ok(false) => return Err(OutgoingError::WrongPassword),
            Err(SpaceError::Malformed { .. }) => return Err(OutgoingError::NotSealed),
            Err(error) => return Err(error.into()),
        }
        let sealed = self.read_unverified(0..size).await?.map_err(io::Error::other);
        let mut sealed = StreamReader::new(sealed);
        let mut head = Vec::new();
        while (head.len() as u64) < size.min(HEADER_BYTES) {
            if sealed.read_buf(&mut head).await.map_err(OutgoingError::Damaged)? == 0 {
                break;
            }
        }
        let header = header_bytes(&head).ok_or(OutgoingError::NotSealed)?;
        let size = content_bytes(size.saturating_sub(header)).ok_or(OutgoingError::NotSealed)?;
        let input = Read::chain(io::Cursor::new(head), SyncIoBridge::new(sealed));
        let content = cloud.open_sealed(input, password.expose()).await?;
        let (sender, receiver) = mpsc::channel(2);
        tokio::task::spawn_blocking(move || pass_on(content, &sender));
        let pieces = stream::unfold(receiver, |mut receiver| async move {
            Some((receiver.recv().await?, receiver))
        });
        Ok(OpenedBlob {
            size,
            pieces: pieces.boxed(),
        })
    }
}

/// Bytes of the header, if all of it is in `head`.
fn header_bytes(head: &[u8]) -> Option<u64> {
    let last = head.windows(LAST_LINE.len()).position(|window| window == LAST_LINE)? + 1;
    let line = head[last..].iter().position(|byte| *byte == b'\n')? + 1;
    Some((last + line) as u64)
}

/// Bytes of the content of a file that has this many bytes after its header.
fn content_bytes(payload: u64) -> Option<u64> {
    let chunks = payload.checked_sub(NONCE_BYTES)?;
    chunks.checked_sub(chunks.div_ceil(CHUNK_BYTES) * TAG_BYTES)
}

/// Sends the content in pieces. The last one is sent after the end was read.
fn pass_on(mut content: impl Read, sender: &mpsc::Sender<Result<Bytes, OutgoingError>>) {
    let mut held: Option<Bytes> = None;
    loop {
        let next = match read_piece(&mut content) {
            Ok(piece) => piece,
            Err(error) => {
                // An error means that nobody reads any more, here and below.
                let _ = sender.blocking_send(Err(OutgoingError::Damaged(error)));
                return;
            }
        };
        let ended = next.is_empty();
        if let Some(piece) = held.replace(next)
            && sender.blocking_send(Ok(piece)).is_err()
        {
            return;
        }
        if ended {
            return;
        }
    }
}

/// The next bytes; empty at the end.
fn read_piece(content: &mut impl Read) -> io::Result<Bytes> {
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    content.take(PIECE_BYTES as u64).read_to_end(&mut piece)?;
    Ok(piece.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_the_content_follows_from_the_size_of_the_file() {
        for size in [0, 1, 65_535, 65_536, 65_537, 131_072, 300_000] {
            let mut sealed = Vec::new();
            stowage_cloud::seal(&vec![7; size][..], &mut sealed, "stowage").unwrap();
            let header = header_bytes(&sealed).unwrap();
            assert_eq!(content_bytes(sealed.len() as u64 - header), Some(size as u64), "{size}");
        }
        assert_eq!(content_bytes(15), None);
        assert_eq!(header_bytes(b"age-encryption.org/v1\n-> scrypt x 1\ny\n--- mac"), None);
    }
}
