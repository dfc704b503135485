//! Bytes on their way from a connection to a thread that writes them.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, spawn_blocking};

use super::error::IncomingError;

/// Pieces that wait for the thread. A piece of hyper has at most 64 KiB.
const WAITING: usize = 4;

pub(super) enum Piece {
    Bytes(Bytes),
    /// The thread syncs what it has, and answers.
    Sync(oneshot::Sender<u64>),
    /// All bytes came.
    End,
}

/// What the thread gets. Without [`Piece::End`], the bytes were cut off.
pub(super) struct Pieces {
    receiver: mpsc::Receiver<Piece>,
    rest: Bytes,
}

impl Pieces {
    /// The next piece. `None` if the bytes were cut off.
    pub(super) fn next(&mut self) -> Option<Piece> {
        self.receiver.blocking_recv()
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.next() {
                Some(Piece::Bytes(bytes)) => self.rest = bytes,
                Some(Piece::Sync(_)) => {}
                Some(Piece::End) => return Ok(0),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let taken = buffer.len().min(self.rest.len());
        self.rest.copy_to_slice(&mut buffer[..taken]);
        Ok(taken)
    }
}

/// A thread that writes pieces. If this is dropped, the bytes count as cut off.
pub(super) struct Writer<T> {
    sender: mpsc::Sender<Piece>,
    /// Absent after its result was taken.
    thread: Option<JoinHandle<io::Result<T>>>,
}

impl<T: Send + 'static> Writer<T> {
    pub(super) fn spawn(work: impl FnOnce(Pieces) -> io::Result<T> + Send + 'static) -> Writer<T> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let pieces = Pieces {
            receiver,
            rest: Bytes::new(),
        };
        Writer {
            sender,
            thread: Some(spawn_blocking(move || work(pieces))),
        }
    }

    /// Passes bytes on. It waits while the thread is slower.
    pub(super) async fn push(&mut self, bytes: Bytes) -> Result<(), IncomingError> {
        match self.sender.send(Piece::Bytes(bytes)).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.failure().await),
        }
    }

    /// Waits until the bytes so far are on the disk. Returns how many the file has.
    pub(super) async fn sync(&mut self) -> Result<u64, IncomingError> {
        let (sender, answer) = oneshot::channel();
        if self.sender.send(Piece::Sync(sender)).await.is_ok()
            && let Ok(len_bytes) = answer.await
        {
            return Ok(len_bytes);
        }
        Err(self.failure().await)
    }

    /// Says that all bytes came, and waits for the thread.
    pub(super) async fn finish(self) -> Result<T, IncomingError> {
        // An error means that the thread has ended, and its result tells why.
        let _ = self.sender.send(Piece::End).await;
        self.cut().await
    }

    /// Waits for the thread without saying that all bytes came.
    pub(super) async fn cut(mut self) -> Result<T, IncomingError> {
        drop(self.sender);
        result(&mut self.thread).await
    }

    /// Why the thread ended before the bytes did.
    async fn failure(&mut self) -> IncomingError {
        result(&mut self.thread).await.err().unwrap_or(IncomingError::Cut)
    }
}

async fn result<T>(thread: &mut Option<JoinHandle<io::Result<T>>>) -> Result<T, IncomingError> {
    let thread = thread.take().ok_or(IncomingError::Cut)?;
    Ok(thread.await.map_err(io::Error::other)??)
}
