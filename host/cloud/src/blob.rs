//! Blobs: immutable objects named by the SHA-256 of their bytes.

use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use object_store::path::Path;
use object_store::{Error as StoreError, GetOptions, MultipartUpload, ObjectStoreExt as _, PutMode};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::redaction::redacted;
use crate::{Error, Hash, Hasher, Space, UploadState};

/// A blob up to this size is sent as a whole. A larger one is sent in parts of at least this size.
pub(crate) const PART_BYTES: u64 = 16 << 20;
/// Parts that are sent at once.
pub(crate) const PARTS_AT_ONCE: usize = 3;
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
        let source = BlobSource::new(source, hash, size, None);
        self.put_source(source).await.map(|()| Put::Stored)
    }

    /// Stores the bytes of a source, in parts or as a whole.
    pub(crate) async fn put_source<R>(&self, mut source: BlobSource<'_, R>) -> Result<(), Error>
    where
        R: AsyncRead + Send + Unpin,
    {
        let (object, size) = (path(&source.hash), source.size);
        if size > PART_BYTES {
            let location = Path::parse(&object).map_err(|error| Error::malformed(&object, error))?;
            match self.objects().store().put_multipart(&location).await {
                Ok(upload) => return send_parts(&object, upload, &mut source).await,
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
        put.map(drop).map_err(|error| Error::unreachable(&object, error))
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

/// The size of the parts of a blob. Some stores need parts of equal size, except the last.
pub(crate) fn part_bytes(size: u64) -> u64 {
    size.div_ceil(PARTS_LIMIT).next_multiple_of(1 << 20).max(PART_BYTES)
}

/// The bytes to store. They are hashed as they are read.
pub(crate) struct BlobSource<'a, R> {
    reader: R,
    hasher: Hasher,
    hash: Hash,
    size: u64,
    state: Option<&'a dyn UploadState>,
    /// Bytes that are sent, or were read to be sent.
    sent_bytes: u64,
}

impl<'a, R: AsyncRead + Send + Unpin> BlobSource<'a, R> {
    pub(crate) fn new(reader: R, hash: &Hash, size: u64, state: Option<&'a dyn UploadState>) -> Self {
        Self {
            reader,
            hasher: Hasher::new(),
            hash: *hash,
            size,
            state,
            sent_bytes: 0,
        }
    }

    /// Tells that an earlier attempt sent so many bytes. They are only read.
    pub(crate) fn begin_at(&mut self, sent_bytes: u64) {
        self.sent_bytes = sent_bytes;
        self.progressed();
    }

    /// The size that it should have.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Whether more was read than there should be.
    pub(crate) fn is_too_long(&self) -> bool {
        self.hasher.len_bytes() > self.size
    }

    /// The hash of what was read.
    pub(crate) fn hash_so_far(&self) -> Hash {
        self.hasher.clone().finish()
    }

    fn progressed(&self) {
        if let Some(state) = self.state {
            state.progressed(self.sent_bytes);
        }
    }

    /// All bytes, verified.
    async fn all(&mut self, object: &str) -> Result<Bytes, Error> {
        let bytes = self.next(object, self.size, true).await?;
        self.verify(object).await?;
        Ok(bytes)
    }

    /// The next `len_bytes` bytes, or fewer at the end. Bytes that are to be sent wait until they
    /// may be.
    pub(crate) async fn next(&mut self, object: &str, len_bytes: u64, to_send: bool) -> Result<Bytes, Error> {
        let mut bytes = BytesMut::with_capacity(usize::try_from(len_bytes).unwrap_or(0));
        loop {
            let left = len_bytes - bytes.len() as u64;
            let read = (&mut self.reader).take(left).read_buf(&mut bytes).await;
            let read = read.map_err(|error| Error::local(object, error))? as u64;
            if read == 0 {
                break;
            }
            if to_send && let Some(state) = self.state {
                state.before_send(read).await;
                self.sent_bytes += read;
                self.progressed();
            }
        }
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
    pub(crate) async fn verify(&mut self, object: &str) -> Result<(), Error> {
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
    source: &mut BlobSource<'_, R>,
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
    source: &mut BlobSource<'_, R>,
) -> Result<(), Error>
where
    R: AsyncRead + Send + Unpin,
{
    let part_bytes = part_bytes(source.size);
    let mut under_way = FuturesUnordered::new();
    loop {
        let part = source.next(object, part_bytes, true).await?;
        if part.is_empty() || source.is_too_long() {
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
