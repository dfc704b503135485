//! A file that arrives in one piece.

use std::io::{self, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use stowage_cloud::{Hasher, seal};
use uuid::Uuid;

use super::error::IncomingError;
use super::file_writer::FileWriter;
use super::pieces::{Piece, Pieces, Writer};
use super::staging::{Staging, put_name};
use super::{Incoming, Received, Turn};
use crate::disk::blocking;
use crate::request::Password;

/// Bytes that a sealed file is larger than its content, at most, apart from 16 bytes a chunk.
const SEAL_BYTES: u64 = 64 << 10;

/// A file that arrives in one piece. If this is dropped, nothing of it stays.
pub struct Receiving {
    writer: Writer<Received>,
    _turn: Turn,
}

impl Incoming {
    /// Begins to receive a file. With `size`, there is room for all of it. With `password`, it is
    /// encrypted before it reaches the disk.
    ///
    /// # Errors
    /// [`IncomingError::NoRoom`], [`IncomingError::Busy`], [`IncomingError::File`].
    pub async fn receive(&self, size: Option<u64>, password: Option<Password>) -> Result<Receiving, IncomingError> {
        let turn = self.turn().await?;
        let staging = Arc::clone(&self.0.staging);
        let name = put_name(&Uuid::new_v4().simple().to_string());
        let reserved = match (size, &password) {
            // One chunk of 64 KiB becomes 16 bytes longer.
            (Some(size), Some(_)) => size.saturating_add(size >> 12).saturating_add(SEAL_BYTES),
            (size, _) => size.unwrap_or(0),
        };
        let (output, leftover) = blocking(move || {
            let file = staging.create(&name)?;
            let leftover = Leftover(Some((Arc::clone(&staging), name)));
            if reserved > 0 {
                staging.reserve(&file, reserved)?;
            }
            Ok((FileWriter::new(staging, file, Hasher::new(), reserved), leftover))
        })
        .await?;
        let writer = Writer::spawn(move |pieces| write(pieces, output, leftover, password));
        Ok(Receiving { writer, _turn: turn })
    }
}

impl Receiving {
    /// Passes on the next bytes. It waits while the disk is slower than the client.
    ///
    /// # Errors
    /// [`IncomingError::NoRoom`], [`IncomingError::File`].
    pub async fn push(&mut self, bytes: Bytes) -> Result<(), IncomingError> {
        self.writer.push(bytes).await
    }

    /// Says that all bytes came. On return the file is durable.
    ///
    /// # Errors
    /// [`IncomingError::NoRoom`], [`IncomingError::File`]. Then nothing of the file stays.
    pub async fn finish(self) -> Result<Received, IncomingError> {
        self.writer.finish().await
    }
}

/// Removes an unfinished file.
struct Leftover(Option<(Arc<Staging>, String)>);

impl Drop for Leftover {
    fn drop(&mut self) {
        if let Some((staging, name)) = &self.0
            && let Err(error) = staging.remove(name)
        {
            tracing::warn!(name, %error, "an unfinished file stays in the staging directory until the next start");
        }
    }
}

fn write(
    mut pieces: Pieces,
    mut output: FileWriter,
    mut leftover: Leftover,
    password: Option<Password>,
) -> io::Result<Received> {
    let protected = password.is_some();
    match password {
        Some(password) => {
            seal(pieces, &mut output, password.expose())?;
        }
        None => loop {
            match pieces.next() {
                Some(Piece::Bytes(bytes)) => output.write_all(&bytes)?,
                Some(Piece::Sync(_)) => {}
                Some(Piece::End) => break,
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        },
    }
    let (hash, size) = output.finish()?;
    if let Some((staging, name)) = &leftover.0 {
        staging.publish(name, &hash)?;
    }
    leftover.0 = None;
    Ok(Received::new(hash, size, protected))
}
