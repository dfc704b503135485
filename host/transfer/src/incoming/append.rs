//! The bytes of an upload: more of them, and all of them.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sha2::digest::DynDigest;
use stowage_cloud::{Hasher, seal};
use tokio_util::sync::CancellationToken;

use super::error::IncomingError;
use super::file_writer::FileWriter;
use super::pieces::{Piece, Pieces, Writer};
use super::staging::{Staging, put_name, upload_name};
use super::upload::Upload;
use super::uploads::Held;
use super::{Received, Turn};
use crate::disk::blocking;
use crate::engine::now_ms;
use crate::request::Password;

/// Bytes read at a time.
const READ_BYTES: usize = 256 << 10;

/// A checksum that came with some bytes.
pub struct Checksum {
    /// Computes it.
    pub hasher: Box<dyn DynDigest + Send>,
    /// What it should be.
    pub expected: Vec<u8>,
}

/// More bytes of an upload. What is durable is recorded while they arrive.
pub struct Append {
    held: Held,
    writer: Writer<Written>,
    /// Bytes that were passed on, from the beginning of the upload.
    passed: u64,
    /// Without a checksum, bytes count before all of them came.
    checked: bool,
    recorded: Instant,
    interrupt: CancellationToken,
    _turn: Turn,
}

/// How the thread that writes ended.
enum Written {
    Kept(Hasher),
    /// The checksum is wrong, or its bytes were cut off.
    Dropped,
}

impl Held {
    /// Begins to receive more bytes, from the durable offset on.
    ///
    /// # Errors
    /// [`IncomingError::Busy`], [`IncomingError::Lost`], [`IncomingError::File`].
    pub async fn append(mut self, checksum: Option<Checksum>) -> Result<Append, IncomingError> {
        let turn = self.incoming.turn().await?;
        let staging = Arc::clone(&self.incoming.0.staging);
        let Upload { id, offset, .. } = self.state.upload.clone();
        let name = upload_name(&id);
        // Until the end, only the thread knows what the file has.
        let known = self.state.hasher.take();
        let opened = blocking(move || {
            let Some(file) = open(&staging, &name, offset)? else {
                return Ok(None);
            };
            let hasher = hashed(&file, offset, known)?;
            file.set_len(offset)?;
            (&file).seek(SeekFrom::Start(offset))?;
            let file = (file.try_clone()?, FileWriter::new(staging, file, hasher, 0));
            Ok(Some(file))
        });
        let (file, output) = opened.await?.ok_or(IncomingError::Lost)?;
        let checked = checksum.is_some();
        Ok(Append {
            passed: offset,
            checked,
            recorded: Instant::now(),
            interrupt: self.interrupt_token(),
            held: self,
            writer: Writer::spawn(move |pieces| write(pieces, &file, output, checksum)),
            _turn: turn,
        })
    }

    /// All bytes of a complete upload, ready to be stored. With `password`, they are encrypted.
    ///
    /// # Errors
    /// [`IncomingError::NoRoom`], [`IncomingError::Lost`], [`IncomingError::File`].
    pub async fn complete(&mut self, password: Option<Password>) -> Result<Received, IncomingError> {
        let staging = Arc::clone(&self.incoming.0.staging);
        let Upload { id, offset, .. } = self.state.upload.clone();
        let known = self.state.hasher.clone();
        let completed = blocking(move || {
            let Some(file) = open(&staging, &upload_name(&id), offset)? else {
                return Ok(None);
            };
            file.set_len(offset)?;
            let received = match password {
                Some(password) => sealed(&staging, &id, file, offset, &password)?,
                None => {
                    let hash = hashed(&file, offset, known)?.finish();
                    file.sync_all()?;
                    staging.publish_link(&upload_name(&id), &hash)?;
                    Received::new(hash, offset, false)
                }
            };
            Ok(Some(received))
        });
        completed.await?.ok_or(IncomingError::Lost)
    }
}

impl Append {
    /// Is cancelled when another request wants the upload. Then call [`Append::finish`].
    pub fn interrupted(&self) -> &CancellationToken {
        &self.interrupt
    }

    /// Passes on the next bytes. It waits while the disk is slower than the client.
    ///
    /// # Errors
    /// [`IncomingError::TooLong`]: these bytes were not taken. [`IncomingError::NoRoom`],
    /// [`IncomingError::File`], [`IncomingError::Write`].
    pub async fn push(&mut self, bytes: Bytes) -> Result<(), IncomingError> {
        let passed = self.passed.saturating_add(bytes.len() as u64);
        if let Some(length) = self.held.state.upload.length
            && passed > length
        {
            return Err(IncomingError::TooLong { length });
        }
        self.writer.push(bytes).await?;
        self.passed = passed;
        let config = &self.held.incoming.0.engine.config;
        let unrecorded = passed - self.held.state.upload.offset;
        if !self.checked
            && (unrecorded >= config.checkpoint_bytes || self.recorded.elapsed() >= config.checkpoint_interval)
        {
            let offset = self.writer.sync().await?;
            self.record(offset).await?;
        }
        Ok(())
    }

    /// Ends this request. If `whole`, all its bytes came; if not, what came is kept, unless a
    /// checksum belongs to it. On return the offset is durable.
    ///
    /// # Errors
    /// [`IncomingError::Checksum`], [`IncomingError::NoRoom`], [`IncomingError::File`],
    /// [`IncomingError::Write`].
    pub async fn finish(mut self, whole: bool) -> Result<Held, IncomingError> {
        let written = match whole {
            true => self.writer.finish().await?,
            false => self.writer.cut().await?,
        };
        match written {
            Written::Kept(hasher) => {
                let offset = hasher.len_bytes();
                record(&mut self.held, offset).await?;
                self.held.state.hasher = Some(hasher);
                Ok(self.held)
            }
            Written::Dropped if whole => Err(IncomingError::Checksum),
            Written::Dropped => Ok(self.held),
        }
    }

    async fn record(&mut self, offset: u64) -> Result<(), IncomingError> {
        record(&mut self.held, offset).await?;
        self.recorded = Instant::now();
        Ok(())
    }
}

/// Records bytes that are on the disk.
async fn record(held: &mut Held, offset: u64) -> Result<(), IncomingError> {
    let upload = Upload {
        offset,
        touched_ms: now_ms(),
        ..held.state.upload.clone()
    };
    held.incoming.persist(&upload).await?;
    held.state.upload = upload;
    Ok(())
}

/// Opens the bytes of an upload. `None` if there are fewer than `offset`.
fn open(staging: &Staging, name: &str, offset: u64) -> io::Result<Option<File>> {
    match staging.size(name)? {
        Some(size) if size >= offset => staging.reopen(name).map(Some),
        _ => Ok(None),
    }
}

/// A hasher with the first `offset` bytes. If they are not `known`, the file is read.
fn hashed(file: &File, offset: u64, known: Option<Hasher>) -> io::Result<Hasher> {
    if let Some(known) = known.filter(|known| known.len_bytes() == offset) {
        return Ok(known);
    }
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut file = file;
    file.seek(SeekFrom::Start(0))?;
    let mut rest = file.take(offset);
    while hasher.len_bytes() < offset {
        match rest.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => hasher.update(&buffer[..read]),
        }
    }
    Ok(hasher)
}

/// Writes an encrypted copy.
fn sealed(staging: &Arc<Staging>, id: &str, mut file: File, size: u64, password: &Password) -> io::Result<Received> {
    let name = put_name(id);
    staging.remove(&name)?;
    let copy = staging.create(&name)?;
    let mut output = FileWriter::new(Arc::clone(staging), copy, Hasher::new(), 0);
    file.seek(SeekFrom::Start(0))?;
    let written = seal(file.take(size), &mut output, password.expose()).and_then(|_| output.finish());
    let published = written.and_then(|(hash, size)| {
        staging.publish(&name, &hash)?;
        Ok(Received::new(hash, size, true))
    });
    if published.is_err() {
        staging.remove(&name)?;
    }
    published
}

fn write(
    mut pieces: Pieces,
    file: &File,
    mut output: FileWriter,
    mut checksum: Option<Checksum>,
) -> io::Result<Written> {
    let begin = output.len_bytes();
    let whole = loop {
        match pieces.next() {
            Some(Piece::Bytes(bytes)) => {
                output.write_all(&bytes)?;
                if let Some(checksum) = &mut checksum {
                    checksum.hasher.update(&bytes);
                }
            }
            Some(Piece::Sync(answer)) => {
                output.sync()?;
                // An error means that the request has ended.
                let _ = answer.send(output.len_bytes());
            }
            Some(Piece::End) => break true,
            None => break false,
        }
    };
    if let Some(checksum) = checksum
        && (!whole || checksum.hasher.finalize()[..] != checksum.expected[..])
    {
        file.set_len(begin)?;
        return Ok(Written::Dropped);
    }
    output.sync()?;
    Ok(Written::Kept(output.into_hasher()))
}
