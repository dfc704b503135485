//! Blobs: immutable objects named by the SHA-256 of their bytes.

use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use object_store::path::Path;
use object_store::{Error as StoreError, GetOptions, MultipartUpload, ObjectStoreExt as _, PutMode};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::redaction::redacted;
use crate::{Error, Hash, Hasher, Space};

/// A blob up to this size is sent as a whole. A larger one is sent in parts of at least this size.
const PART_BYTES: u64 = 16 << 20;
/// Parts that are sent at once.
const PARTS_AT_ONCE: usize = 3;
/// The most parts of a blob. Stores take 10 000.
const PARTS_LIMIT: u64 = 9_000;
/// The largest blob for a store that takes whole objects only. The blob is held in memory.
const WHOLE_LIMIT_BYTES: u64 = 256 << 20;

/// What a store knows of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its size in bytes.
    pub size: u64,
    /// When it was stored.
    pub last_modified: SystemTime,
}

/// How [`Space::put_blob`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The bytes were sent.
    Stored,
    /// The space had the blob already. The source was not read.
    Present,
}

/// The object of a blob.
pub(crate) fn path(hash: &Hash) -> String {
    let hex = hash.to_hex();
    format!("blobs/{}/{hex}", &hex[..2])
}

impl Space {
    /// What the store knows of a blob. `None` if there is no such blob.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn head_blob(&self, hash: &Hash) -> Result<Option<BlobInfo>, Error> {
        match self.objects().get(&path(hash), GetOptions::new().with_head(true)).await {
            Ok(got) => Ok(Some(BlobInfo {
                size: got.meta.size,
                last_modified: got.meta.last_modified.into(),
            })),
            Err(Error::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores a blob: the `size` bytes of `source`, whose SHA-256 is `hash`. If the source has
    /// other bytes, nothing is stored. After success the blob is durable. A blob that is there
    /// already is not sent again.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the source has other bytes, [`Error::Local`] if it cannot be read,
    /// [`Error::TooLarge`], [`Error::Unreachable`].
    pub async fn put_blob<R>(&self, source: R, hash: &Hash, size: u64) -> Result<Put, Error>
    where
        R: AsyncRead + Send + Unpin,
    {
        self.check_in_place().await?;
        if self.head_blob(hash).await?.is_some_and(|info| info.size == size) {
            return Ok(Put::Present);
        }
        let mut source = BlobSource {
            reader: source,
            hasher: Hasher::new(),
            hash: *hash,
            size,
        };
        let object = path(hash);
        if size > PART_BYTES {
            let location = Path::parse(&object).map_err(|error| Error::malformed(&object, error))?;
            match self.objects().store().put_multipart(&location).await {
                Ok(upload) => return send_parts(&object, upload, &mut source).await.map(|()| Put::Stored),
                Err(StoreError::NotImplemented { .. } | StoreError::NotSupported { .. }) => {}
                Err(error) => return Err(Error::unreachable(&object, error)),
            }
            if size > WHOLE_LIMIT_BYTES {
                return Err(Error::TooLarge {
                    len_bytes: size,
                    limit_bytes: WHOLE_LIMIT_BYTES,
                });
            }
        }
        let bytes = source.all(&object).await?;
        let put = self.objects().put(&object, bytes, PutMode::Overwrite).await;
        put.map(|_| Put::Stored)
            .map_err(|error| Error::unreachable(&object, error))
    }

    /// Removes a blob even if rows name it. It is no error if there is no such blob. Hosts use
    /// [`SpaceChange::DeleteBlob`](crate::SpaceChange) instead, which looks for rows first.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn delete_blob(&self, hash: &Hash) -> Result<(), Error> {
        self.objects().delete(&path(hash)).await
    }
}

/// The bytes to store. They are hashed as they are read.
struct BlobSource<R> {
    reader: R,
    hasher: Hasher,
    hash: Hash,
    size: u64,
}

impl<R: AsyncRead + Send + Unpin> BlobSource<R> {
    /// All bytes, verified.
    async fn all(&mut self, object: &str) -> Result<Bytes, Error> {
        let bytes = self.next(object, self.size).await?;
        self.verify(object).await?;
        Ok(bytes)
    }

    /// The next `len_bytes` bytes, or fewer at the end.
    async fn next(&mut self, object: &str, len_bytes: u64) -> Result<Bytes, Error> {
        let mut bytes = BytesMut::with_capacity(usize::try_from(len_bytes).unwrap_or(0));
        let mut reader = (&mut self.reader).take(len_bytes);
        while reader
            .read_buf(&mut bytes)
            .await
            .map_err(|error| Error::local(object, error))?
            > 0
        {}
        let bytes = bytes.freeze();
        let mut hasher = std::mem::take(&mut self.hasher);
        let hashed = bytes.clone();
        let hashing = tokio::task::spawn_blocking(move || {
            hasher.update(&hashed);
            hasher
        });
        self.hasher = hashing
            .await
            .map_err(|error| Error::local(object, std::io::Error::other(error)))?;
        Ok(bytes)
    }

    /// Checks that the source ended, with the right size and hash.
    async fn verify(&mut self, object: &str) -> Result<(), Error> {
        let mut beyond = [0; 1];
        let more = self
            .reader
            .read(&mut beyond)
            .await
            .map_err(|error| Error::local(object, error))?;
        let len_bytes = self.hasher.len_bytes() + more as u64;
        let found = self.hasher.clone().finish();
        if len_bytes == self.size && found == self.hash {
            return Ok(());
        }
        Err(Error::Mismatch {
            expected: self.hash,
            found,
            expected_len_bytes: self.size,
            found_len_bytes: len_bytes,
        })
    }
}

async fn send_parts<R>(
    object: &str,
    mut upload: Box<dyn MultipartUpload>,
    source: &mut BlobSource<R>,
) -> Result<(), Error>
where
    R: AsyncRead + Send + Unpin,
{
    let sent = match try_send_parts(object, upload.as_mut(), source).await {
        Ok(()) => upload
            .complete()
            .await
            .map(drop)
            .map_err(|error| Error::unreachable(object, error)),
        Err(error) => Err(error),
    };
    if sent.is_err()
        && let Err(error) = upload.abort().await
    {
        let error = redacted(&error.to_string());
        tracing::debug!(object, error, "parts of a failed upload stay in the store");
    }
    sent
}

async fn try_send_parts<R>(
    object: &str,
    upload: &mut dyn MultipartUpload,
    source: &mut BlobSource<R>,
) -> Result<(), Error>
where
    R: AsyncRead + Send + Unpin,
{
    // Some stores need parts of equal size, except the last.
    let part_bytes = source
        .size
        .div_ceil(PARTS_LIMIT)
        .next_multiple_of(1 << 20)
        .max(PART_BYTES);
    let mut under_way = FuturesUnordered::new();
    loop {
        let part = source.next(object, part_bytes).await?;
        if part.is_empty() || source.hasher.len_bytes() > source.size {
            break;
        }
        // Spawned, so that parts are sent while the source is read.
        under_way.push(tokio::spawn(upload.put_part(part.into())));
        while under_way.len() >= PARTS_AT_ONCE {
            wait_for_one(object, &mut under_way).await?;
        }
    }
    source.verify(object).await?;
    while !under_way.is_empty() {
        wait_for_one(object, &mut under_way).await?;
    }
    Ok(())
}

async fn wait_for_one(
    object: &str,
    under_way: &mut FuturesUnordered<tokio::task::JoinHandle<object_store::Result<()>>>,
) -> Result<(), Error> {
    match under_way.next().await {
        Some(Ok(Ok(()))) | None => Ok(()),
        Some(Ok(Err(error))) => Err(Error::unreachable(object, error)),
        Some(Err(error)) => Err(Error::unreachable(object, error)),
    }
}
