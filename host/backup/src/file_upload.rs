//! Storing one file, whose bytes must be what its name says.

use std::io;
use std::path::Path;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;

use crate::error::Error;
use crate::files::NamedFile;
use crate::hash::ContentHash;
use crate::progress::Progress;
use crate::target::{Kind, PART_BYTES, Target};

/// Parts of a long file that are sent at once.
const PARTS: usize = 2;

/// Why one file was not stored.
pub(crate) enum FileError {
    /// Its bytes are not what its name says.
    Damaged(String),
    Failed(Error),
}

impl From<Error> for FileError {
    fn from(error: Error) -> Self {
        FileError::Failed(error)
    }
}

fn check_hash(found: ContentHash, named: ContentHash) -> Result<(), FileError> {
    match found == named {
        true => Ok(()),
        false => Err(FileError::Damaged("its SHA-256 is not its name".to_owned())),
    }
}

/// Adds bytes to a hash. Beside the threads of calls, because many bytes take long.
async fn hashed(mut hasher: Sha256, bytes: &Bytes) -> Result<Sha256, Error> {
    let bytes = bytes.clone();
    let hashing = tokio::task::spawn_blocking(move || {
        hasher.update(&bytes);
        hasher
    });
    hashing.await.map_err(|_| Error::Panicked)
}

/// The next bytes of a file, at most [`PART_BYTES`]. Fewer only at its end.
async fn read_piece(file: &mut (impl tokio::io::AsyncRead + Unpin)) -> io::Result<Bytes> {
    let mut piece = Vec::new();
    let mut part = file.take(PART_BYTES as u64);
    part.read_to_end(&mut piece).await?;
    Ok(piece.into())
}

/// Stores one file. `None` if it does not exist.
pub(crate) async fn store_file(
    target: &Target,
    data: &Path,
    file: &NamedFile,
    progress: &Progress,
) -> Result<Option<()>, FileError> {
    let path = data.join(&file.path);
    let failed = |error| FileError::Failed(Error::file(&path)(error));
    let opened = match tokio::fs::File::open(&path).await {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = opened.take(file.size);
    let object = Kind::File.object(file.hash);
    let mut piece = read_piece(&mut bytes).await.map_err(failed)?;
    if piece.len() as u64 == file.size {
        let hasher = hashed(Sha256::new(), &piece).await?;
        check_hash(ContentHash::finish(hasher), file.hash)?;
        progress.add_moved(file.size);
        target.put(&object, piece).await?;
        return Ok(Some(()));
    }
    let (mut hasher, mut len) = (Sha256::new(), 0);
    let mut upload = target.begin(&object).await?;
    let sent = loop {
        if piece.is_empty() {
            break Ok(());
        }
        hasher = hashed(hasher, &piece).await?;
        len += piece.len() as u64;
        progress.add_moved(piece.len() as u64);
        upload.put(piece);
        let next = async {
            let room = upload.wait_for_capacity(PARTS).await;
            room.map_err(|error| FileError::Failed(target.failed(&object, &error)))?;
            read_piece(&mut bytes).await.map_err(failed)
        };
        match next.await {
            Ok(next) => piece = next,
            Err(error) => break Err(error),
        }
    };
    let sent = sent.and_then(|()| {
        check_hash(ContentHash::finish(hasher), file.hash)?;
        match len == file.size {
            true => Ok(()),
            false => Err(FileError::Damaged("it became shorter".to_owned())),
        }
    });
    match sent {
        Ok(()) => {
            let finished = upload.finish().await;
            finished.map_err(|error| target.failed(&object, &error))?;
            Ok(Some(()))
        }
        Err(error) => {
            // What was sent is of no use. The store removes it some day if this fails.
            if let Err(error) = upload.abort().await {
                tracing::debug!(%error, object, "a cancelled upload stays in the store");
            }
            Err(error)
        }
    }
}
