//! Reads blobs: in parts or as a whole.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{Error as StoreError, GetOptions, GetRange, GetResult, GetResultPayload};
use tokio::sync::mpsc;

use crate::blob::path;
use crate::{Error, Hash, Space};

/// Bytes of one request of [`Space::read_blob`]. Each request has its own time limit and retries.
const RANGE_BYTES: u64 = 8 << 20;
/// Bytes that are read at once from a file.
const FILE_READ_BYTES: usize = 1 << 20;

/// The bytes of a blob, or of a part of it, in pieces.
type Pieces = BoxStream<'static, Result<Bytes, Error>>;

impl Space {
    /// The bytes of a range of a blob, in pieces of a few MiB at most. The range must be within the
    /// blob. An answer that ends early is an error. The bytes are not verified: the caller must
    /// hash them.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Unreachable`], here or from the stream.
    pub async fn read_blob(&self, hash: &Hash, range: Range<u64>) -> Result<Pieces, Error> {
        if range.is_empty() {
            return Ok(stream::empty().boxed());
        }
        if self.directory().is_some() {
            return self.read_blob_part(hash, range).await;
        }
        let first = match self.read_blob_part(hash, piece(&range)).await {
            Err(Error::NoRanges { .. }) => {
                let whole = self.read_whole_blob(hash).await?;
                return Ok(part_of(path(hash), whole, range));
            }
            first => first?,
        };
        let (space, hash) = (self.clone(), *hash);
        let rest = piece(&range).end..range.end;
        let later = stream::try_unfold(rest, move |rest| {
            let space = space.clone();
            async move {
                if rest.is_empty() {
                    return Ok(None);
                }
                let next = piece(&rest);
                let pieces = space.read_blob_part(&hash, next.clone()).await?;
                Ok::<_, Error>(Some((pieces, next.end..rest.end)))
            }
        });
        Ok(first.chain(later.try_flatten()).boxed())
    }

    /// The bytes of a range of a blob, with one request. The range must be within the blob and not
    /// empty. An answer that ends early is an error. The bytes are not verified.
    ///
    /// # Errors
    /// [`Error::NoRanges`] if the store sends the whole blob or another range. Then no byte of the
    /// answer is used. [`Error::Missing`], [`Error::Unreachable`], here or from the stream.
    pub async fn read_blob_part(&self, hash: &Hash, range: Range<u64>) -> Result<Pieces, Error> {
        let object = path(hash);
        let wanted = GetRange::Bounded(range.clone());
        let got = self
            .get_blob(&object, GetOptions::new().with_range(Some(wanted)))
            .await?;
        let starts_elsewhere = got.range.start != range.start || got.range.end > range.end;
        if starts_elsewhere {
            return Err(Error::NoRanges { object });
        }
        Ok(pieces(object, got, range))
    }

    /// All bytes of a blob, with one request for no range. The answer must have the size that the
    /// store tells. The bytes are not verified.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Unreachable`], here or from the stream.
    pub async fn read_whole_blob(&self, hash: &Hash) -> Result<Pieces, Error> {
        let object = path(hash);
        let got = self.get_blob(&object, GetOptions::new()).await?;
        let range = 0..got.meta.size;
        Ok(pieces(object, got, range))
    }

    /// The file of a blob, opened for reading, if the space is a directory. `None` if it is not.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Unreachable`].
    pub async fn open_blob(&self, hash: &Hash) -> Result<Option<File>, Error> {
        if self.directory().is_none() {
            return Ok(None);
        }
        match self.get_blob(&path(hash), GetOptions::new()).await?.payload {
            GetResultPayload::File(file, _) => Ok(Some(file)),
            GetResultPayload::Stream(_) => Ok(None),
        }
    }

    async fn get_blob(&self, object: &str, options: GetOptions) -> Result<GetResult, Error> {
        let location = Path::parse(object).map_err(|error| Error::malformed(object, error))?;
        self.objects().check_is_file(object).await?;
        match self.objects().store().get_opts(&location, options).await {
            Err(error) if is_range_ignored(&error) => Err(Error::NoRanges {
                object: object.to_owned(),
            }),
            got => got.map_err(|error| Error::from_store(object, error)),
        }
    }
}

/// Whether an answer to a request for a range was refused because it holds something else.
fn is_range_ignored(error: &StoreError) -> bool {
    let source = match error {
        // From a WebDAV server.
        StoreError::NotSupported { .. } => return true,
        StoreError::Generic { source, .. } => source,
        _ => return false,
    };
    // The type of this error is private to `object_store`, so its text must tell.
    let text = source.to_string();
    [
        "Received non-partial response",
        "Content-Range header",
        "Failed to parse value for CONTENT_RANGE",
        "Requested ",
    ]
    .iter()
    .any(|beginning| text.starts_with(beginning))
}

fn pieces(object: String, got: GetResult, range: Range<u64>) -> Pieces {
    match got.payload {
        GetResultPayload::File(file, _) => read_file(object, file, range),
        GetResultPayload::Stream(pieces) => exactly(object, range.end - range.start, pieces),
    }
}

/// The first piece of a range.
fn piece(range: &Range<u64>) -> Range<u64> {
    range.start..range.end.min(range.start.saturating_add(RANGE_BYTES))
}

/// Passes only a range of a whole blob on.
fn part_of(object: String, whole: Pieces, range: Range<u64>) -> Pieces {
    stream::try_unfold((whole, 0), move |(mut whole, mut offset)| {
        let (object, range) = (object.clone(), range.clone());
        async move {
            while offset < range.end {
                let Some(mut bytes) = whole.next().await.transpose()? else {
                    return Err(Error::unreachable(object, "the answer ended early"));
                };
                let start = offset;
                offset += bytes.len() as u64;
                if offset <= range.start {
                    continue;
                }
                let within = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                let (from, to) = (within(range.start.saturating_sub(start)), within(range.end - start));
                bytes = bytes.slice(from..to);
                return Ok(Some((bytes, (whole, offset))));
            }
            Ok(None)
        }
    })
    .boxed()
}

/// Passes pieces on. Fails if they are not exactly `len_bytes` in total.
fn exactly(object: String, len_bytes: u64, pieces: BoxStream<'static, object_store::Result<Bytes>>) -> Pieces {
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
fn read_file(object: String, file: std::fs::File, range: Range<u64>) -> Pieces {
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
