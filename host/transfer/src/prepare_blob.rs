//! Prepares a blob of the space for a new upload: with another password, or without one.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use stowage_cloud::{Error as SpaceError, Hash, Hasher};
use tokio::io::AsyncReadExt;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::io::ReaderStream;
use tokio_util::sync::CancellationToken;

use crate::decrypt;
use crate::disk::blocking;
use crate::engine::Engine;
use crate::prepare::{PrepareError, Prepared, Stoppable, plain_copy, seal_copy};
use crate::prepared_id::Origin;
use crate::request::Password;
use crate::row::Direction;
use crate::source::temp_file;
use crate::staging::{self, Draft};

/// How a protected file begins.
const SEALED: &[u8] = b"age-encryption.org/v1\n-> scrypt ";

/// Bytes read from a temp file at a time.
const READ_BYTES: usize = 1 << 20;

/// Pieces of a blob.
type Pieces = BoxStream<'static, Result<Bytes, SpaceError>>;

/// Opens a blob with `opens`, and seals it with `password`.
pub(crate) async fn run(
    engine: &Arc<Engine>,
    hash: &str,
    opens: Option<&Password>,
    password: Option<Password>,
    stop: CancellationToken,
) -> Result<Prepared, PrepareError> {
    let hash: Hash = hash.parse().map_err(|_| PrepareError::Missing)?;
    let in_space = engine.cloud.space().head_blob(&hash).await?.map(|info| info.size);
    let local = temp_file(engine, &hash).await;
    let size = match (&local, in_space) {
        (Some((_, size)), _) => *size,
        (None, Some(size)) => size,
        (None, None) => return Err(PrepareError::Missing),
    };
    let pieces: Pieces = match local {
        Some((file, _)) => ReaderStream::with_capacity(file.take(size), READ_BYTES)
            .map_err(local_error)
            .boxed(),
        None => {
            if is_sealed(&head(engine, &hash, size).await?)
                && !engine.cloud.check_password(&hash, opens.map(Password::expose)).await?
            {
                return Err(PrepareError::WrongPassword);
            }
            engine.cloud.space().read_blob(&hash, 0..size).await?
        }
    };
    let copy = fetch(engine, &hash, size, pieces).await?;
    convert(engine, &hash, copy, opens, password, stop).await
}

/// The first bytes of a blob in the space.
async fn head(engine: &Engine, hash: &Hash, size: u64) -> Result<Vec<u8>, PrepareError> {
    let end = size.min(SEALED.len() as u64);
    let pieces: Vec<Bytes> = engine
        .cloud
        .space()
        .read_blob(hash, 0..end)
        .await?
        .try_collect()
        .await?;
    Ok(pieces.concat())
}

fn is_sealed(head: &[u8]) -> bool {
    head.starts_with(SEALED)
}

/// Writes a blob into the staging directory and verifies it.
async fn fetch(engine: &Engine, hash: &Hash, size: u64, mut pieces: Pieces) -> Result<Draft, PrepareError> {
    let directory = engine.config.staging_dir.clone();
    let min_free = engine.config.min_free_bytes;
    let mut draft = blocking(move || {
        // For this copy, and for the one that is made of it.
        staging::check_room(&directory, size.saturating_mul(2), min_free)?;
        Draft::create(&directory)
    })
    .await?;
    let mut hasher = Hasher::new();
    let stall = engine.config.stall_timeout;
    loop {
        let piece = timeout(stall, pieces.next()).await;
        let piece = piece.map_err(|_| PrepareError::Unreachable("the space sends no more bytes".to_owned()))?;
        let Some(piece) = piece.transpose()? else { break };
        engine
            .limiter
            .bucket(Direction::Download)
            .take(piece.len() as u64)
            .await;
        (draft, hasher) = blocking(move || {
            draft.file().write_all(&piece)?;
            hasher.update(&piece);
            Ok((draft, hasher))
        })
        .await?;
    }
    if hasher.finish() == *hash {
        Ok(draft)
    } else {
        Err(PrepareError::Failed(
            "the bytes of the blob do not have the hash in its name".to_owned(),
        ))
    }
}

/// Makes the prepared copy from a copy of the blob.
async fn convert(
    engine: &Arc<Engine>,
    hash: &Hash,
    copy: Draft,
    opens: Option<&Password>,
    password: Option<Password>,
    stop: CancellationToken,
) -> Result<Prepared, PrepareError> {
    let (copy, sealed) = blocking(move || {
        let mut file = copy.file();
        file.seek(SeekFrom::Start(0))?;
        let mut head = Vec::new();
        file.take(SEALED.len() as u64).read_to_end(&mut head)?;
        file.seek(SeekFrom::Start(0))?;
        Ok((copy, is_sealed(&head)))
    })
    .await?;
    let content: Box<dyn Read + Send> = if sealed {
        let opens = opens.ok_or(PrepareError::WrongPassword)?;
        let reader: BufReader<File> = decrypt::reader(copy.file())?;
        Box::new(engine.cloud.open_sealed(reader, opens.expose()).await?)
    } else if password.is_some() {
        Box::new(copy.file().try_clone()?)
    } else {
        // It is as it should be, and it is in the space or among the temp files.
        return Ok(Prepared {
            id: Origin::Space.to_string(),
            name: String::new(),
            hash: hash.to_string(),
            size: blocking(move || Ok(copy.file().metadata()?.len())).await?,
            protected: false,
        });
    };
    let engine = engine.clone();
    let work = spawn_blocking(move || {
        let (draft, hash, size) = match &password {
            Some(password) => seal_copy(&engine, Stoppable { inner: content, stop }, password)?,
            None => plain_copy(&engine, content, &stop)?,
        };
        engine.arrivals.add(&hash);
        draft.finish(&hash)?;
        // Removes the copy of the blob on this thread.
        drop(copy);
        Ok(Prepared {
            id: Origin::Staged { from: String::new() }.to_string(),
            name: String::new(),
            hash: hash.to_string(),
            size,
            protected: password.is_some(),
        })
    });
    work.await.map_err(PrepareError::failed)?
}

fn local_error(error: std::io::Error) -> SpaceError {
    SpaceError::Local {
        subject: "a temp file".to_owned(),
        source: Arc::new(error),
    }
}
