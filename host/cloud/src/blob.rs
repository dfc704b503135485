//! Blobs: immutable objects named by the SHA-256 of their bytes.

use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream, FuturesUnordered, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    Error as StoreError, GetOptions, GetRange, GetResultPayload, MultipartUpload, ObjectStoreExt as _, PutMode,
};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::mpsc;

use crate::redaction::redacted;
use crate::{Error, Hash, Hasher, Space};

/// Bytes of one request to a store that is not a directory. Each request has its own time limit and
/// retries.
const RANGE_BYTES: u64 = 8 << 20;
/// Bytes that are read at once from a file.
const FILE_READ_BYTES: usize = 1 << 20;
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

    /// The bytes of a range of a blob, in pieces of a few MiB at most. The range must be within the
    /// blob. An answer that ends early is an error. The bytes are not verified: the caller must
    /// hash them.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Unreachable`], here or from the stream.
    pub async fn read_blob(
        &self,
        hash: &Hash,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        if range.is_empty() {
            return Ok(stream::empty().boxed());
        }
        let object = path(hash);
        if self.directory().is_none() {
            let first = self.read_piece(&object, piece(&range)).await?;
            return Ok(self.clone().read_pieces(object, first, range));
        }
        let options = GetOptions::new().with_range(Some(GetRange::Bounded(range.clone())));
        let got = self.objects().get(&object, options).await?;
        match got.payload {
            GetResultPayload::File(file, _) => Ok(read_file(object, file, range)),
            GetResultPayload::Stream(pieces) => Ok(exactly(object, range.end - range.start, pieces)),
        }
    }

    async fn read_piece(
        &self,
        object: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let len_bytes = range.end - range.start;
        let got = self
            .objects()
            .get(object, GetOptions::new().with_range(Some(GetRange::Bounded(range))))
            .await?;
        Ok(exactly(object.to_owned(), len_bytes, got.into_stream()))
    }

    fn read_pieces(
        self,
        object: String,
        first: BoxStream<'static, Result<Bytes, Error>>,
        range: Range<u64>,
    ) -> BoxStream<'static, Result<Bytes, Error>> {
        let rest = piece(&range).end..range.end;
        let later = stream::try_unfold(rest, move |rest| {
            let (space, object) = (self.clone(), object.clone());
            async move {
                if rest.is_empty() {
                    return Ok(None);
                }
                let next = piece(&rest);
                let pieces = space.read_piece(&object, next.clone()).await?;
                Ok::<_, Error>(Some((pieces, next.end..rest.end)))
            }
        });
        first.chain(later.try_flatten()).boxed()
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
        self.objects().check_in_place()?;
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

/// The first piece of a range.
fn piece(range: &Range<u64>) -> Range<u64> {
    range.start..range.end.min(range.start.saturating_add(RANGE_BYTES))
}

/// Passes pieces on. Fails if they are not exactly `len_bytes` in total.
fn exactly(
    object: String,
    len_bytes: u64,
    pieces: BoxStream<'static, object_store::Result<Bytes>>,
) -> BoxStream<'static, Result<Bytes, Error>> {
    stream::try_unfold((pieces, len_bytes), move |(mut pieces, left)| {
        let object = object.clone();
        async move {
            match pieces.next().await {
                Some(Ok(bytes)) if bytes.len() as u64 <= left => {
                    let left = left - bytes.len() as u64;
                    Ok(Some((bytes, (pieces, left))))
                }
                Some(Ok(_)) => Err(Error::unreachable(
                    object,
                    "the answer is longer than what was asked for",
                )),
                Some(Err(error)) => Err(Error::from_store(object, error)),
                None if left == 0 => Ok(None),
                None => Err(Error::unreachable(object, "the answer ended early")),
            }
        }
    })
    .boxed()
}

/// Reads a range of a file on one blocking thread, at most two buffers ahead.
fn read_file(object: String, file: std::fs::File, range: Range<u64>) -> BoxStream<'static, Result<Bytes, Error>> {
    let (sender, receiver) = mpsc::channel(2);
    let object: Arc<str> = object.into();
    tokio::task::spawn_blocking(move || {
        if let Err(error) = read_into(&file, range, &sender) {
            // An error means that nobody reads any more.
            let _ = sender.blocking_send(Err(Error::unreachable(object, error)));
        }
    });
    stream::unfold(receiver, |mut receiver| async move {
        Some((receiver.recv().await?, receiver))
    })
    .boxed()
}

fn read_into(
    mut file: &std::fs::File,
    range: Range<u64>,
    sender: &mpsc::Sender<Result<Bytes, Error>>,
) -> std::io::Result<()> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    file.seek(SeekFrom::Start(range.start))?;
    let mut left = range.end - range.start;
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(FILE_READ_BYTES);
        let mut buffer = vec![0; want];
        file.read_exact(&mut buffer)?;
        left -= want as u64;
        if sender.blocking_send(Ok(buffer.into())).is_err() {
            break;
        }
    }
    Ok(())
}
