//! Prepares a file for its upload: hashes it, and seals or opens a copy of it if need be.

use std::io::{self, BufWriter, Read};
use std::path::Path;
use std::sync::Arc;

use stowage_cloud::{Error as SpaceError, ErrorClass, Hash, Hasher, OpenSealedError, seal};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::decrypt::{self, DecryptError};
use crate::engine::Engine;
use crate::prepare_blob;
use crate::prepared_id::Origin;
use crate::request::Password;
use crate::staging::{self, Draft, HashedFile};
use crate::upload_roots::PathError;

/// The most files that are prepared at once.
pub(crate) const PREPARES_AT_ONCE: usize = 4;

/// Bytes read or written at a time.
const BUFFER_BYTES: usize = 256 << 10;

/// Where the bytes of an upload come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrepareSource {
    /// A regular file on this machine: its absolute path, below a directory that is allowed for
    /// uploads.
    Path(String),
    /// A blob of the space.
    Blob {
        /// Its hash.
        hash: String,
        /// Opens it, if it is protected. Else it is ignored.
        password: Option<Password>,
    },
}

/// A file that can be uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Names the prepared file in a [`FileUpload`](crate::FileUpload).
    pub id: String,
    /// The name of the file. Empty for a blob.
    pub name: String,
    /// Base58 of the SHA-256 of the bytes to store.
    pub hash: String,
    /// The size of the bytes to store.
    pub size: u64,
    /// Whether a password protects the bytes to store.
    pub protected: bool,
}

/// Why a file was not prepared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// The path cannot be uploaded.
    #[error("the path cannot be uploaded: {0}")]
    Path(#[source] PathError),
    /// The blob is neither in the space nor on this machine.
    #[error("there is no blob with this hash")]
    Missing,
    /// The blob is protected, and the password is missing or wrong.
    #[error("the password of the file is missing or wrong")]
    WrongPassword,
    /// The space cannot be reached. A later attempt may succeed.
    #[error("{0}")]
    Unreachable(String),
    /// It failed for another reason, such as a full disk or a damaged file.
    #[error("{0}")]
    Failed(String),
}

impl PrepareError {
    pub(crate) fn failed(error: impl std::fmt::Display) -> PrepareError {
        PrepareError::Failed(error.to_string())
    }
}

impl From<io::Error> for PrepareError {
    fn from(error: io::Error) -> PrepareError {
        PrepareError::Failed(format!("the copy of the file cannot be written: {error}"))
    }
}

impl From<SpaceError> for PrepareError {
    fn from(error: SpaceError) -> PrepareError {
        match error.class() {
            ErrorClass::Missing => PrepareError::Missing,
            ErrorClass::Permanent | ErrorClass::Local | ErrorClass::Full => PrepareError::failed(error),
            _ => PrepareError::Unreachable(error.to_string()),
        }
    }
}

impl From<OpenSealedError> for PrepareError {
    fn from(error: OpenSealedError) -> PrepareError {
        match error {
            OpenSealedError::WrongPassword => PrepareError::WrongPassword,
            error => PrepareError::failed(error),
        }
    }
}

impl From<DecryptError> for PrepareError {
    fn from(error: DecryptError) -> PrepareError {
        match error {
            DecryptError::Password => PrepareError::WrongPassword,
            error => PrepareError::failed(error),
        }
    }
}

/// Prepares a file. With a password, the prepared bytes are sealed with it.
pub(crate) async fn run(
    engine: &Arc<Engine>,
    source: PrepareSource,
    password: Option<Password>,
) -> Result<Prepared, PrepareError> {
    let _turn = engine.preparing.acquire().await.map_err(PrepareError::failed)?;
    // Stops the blocking work when nobody waits for the result any more.
    let stop = engine.stop.child_token();
    let _stop_at_return = stop.clone().drop_guard();
    match source {
        PrepareSource::Path(path) => {
            let engine = engine.clone();
            let work = spawn_blocking(move || from_path(&engine, path, password.as_ref(), stop));
            work.await.map_err(PrepareError::failed)?
        }
        PrepareSource::Blob { hash, password: opens } => {
            prepare_blob::run(engine, &hash, opens.as_ref(), password, stop).await
        }
    }
}

fn from_path(
    engine: &Engine,
    path: String,
    password: Option<&Password>,
    stop: CancellationToken,
) -> Result<Prepared, PrepareError> {
    let source = engine.upload_roots.open(&path).map_err(PrepareError::Path)?;
    let unreadable = |error: io::Error| PrepareError::Path(error.into());
    let mut content = Stoppable {
        inner: source.file.try_clone().map_err(unreadable)?,
        stop,
    };
    let name = Path::new(&path).file_name().unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    let prepared = match password {
        None => {
            let (hash, size) = hash_all(&mut content).map_err(unreadable)?;
            let mtime_ns = source.mtime_ns;
            Prepared {
                id: Origin::Path { path, size, mtime_ns }.to_string(),
                name,
                hash: hash.to_string(),
                size,
                protected: false,
            }
        }
        Some(password) => {
            staging::check_room(&engine.config.staging_dir, source.size, engine.config.min_free_bytes)?;
            let (draft, hash, size) = seal_copy(engine, content, password)?;
            engine.arrivals.add(&hash);
            draft.finish(&hash)?;
            Prepared {
                id: Origin::Staged { from: path }.to_string(),
                name,
                hash: hash.to_string(),
                size,
                protected: true,
            }
        }
    };
    // The bytes of a file that changes while it is read may be a mixture.
    if source.is_unchanged().map_err(unreadable)? {
        Ok(prepared)
    } else {
        Err(PrepareError::Path(PathError::Changed))
    }
}

/// Seals `content` into a copy in the staging directory. Returns the copy with its hash and size.
/// Blocks.
pub(crate) fn seal_copy(engine: &Engine, content: impl Read, password: &Password) -> io::Result<(Draft, Hash, u64)> {
    let draft = Draft::create(&engine.config.staging_dir)?;
    let mut output = HashedFile {
        file: draft.file(),
        hasher: Hasher::new(),
    };
    seal(
        content,
        BufWriter::with_capacity(BUFFER_BYTES, &mut output),
        password.expose(),
    )?;
    let hasher = output.hasher;
    let size = hasher.len_bytes();
    Ok((draft, hasher.finish(), size))
}

/// Writes `content` into a copy in the staging directory. Returns the copy with its hash and size.
/// Blocks.
pub(crate) fn plain_copy(
    engine: &Engine,
    content: impl Read,
    stop: &CancellationToken,
) -> Result<(Draft, Hash, u64), DecryptError> {
    let draft = Draft::create(&engine.config.staging_dir)?;
    let opened = decrypt::copy(content, draft.file(), stop)?;
    Ok((draft, Hash::from_bytes(opened.sha256), opened.size))
}

fn hash_all(mut content: impl Read) -> io::Result<(Hash, u64)> {
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let size = hasher.len_bytes();
    Ok((hasher.finish(), size))
}

/// A reader that fails after its work was stopped.
pub(crate) struct Stoppable<R> {
    pub(crate) inner: R,
    pub(crate) stop: CancellationToken,
}

impl<R: Read> Read for Stoppable<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_cancelled() {
            return Err(io::Error::other("the work was stopped"));
        }
        self.inner.read(buffer)
    }
}
