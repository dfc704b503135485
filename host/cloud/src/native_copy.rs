//! Copies a file into a space that is a directory.
//!
//! The bytes go to a staging file beside the blob and are hashed. If the hash is right, the staging
//! file is synced and gets the blob's name. A file system that can share the blocks of two files
//! (btrfs, XFS) does that, and then only the hash is read.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path as FilePath, PathBuf};

use crate::blob::path;
use crate::{Error, Hash, Hasher, Space, UploadState};

/// Bytes that are copied in one step.
const STEP_BYTES: usize = 1 << 20;
/// Digits at the end of the name of a staging file, after `#`. The object store passes over names
/// that end like this. Its own have fewer digits.
const STAGING_DIGITS: usize = 16;

/// Copies a file to the blob `hash`, which must have `size` bytes.
pub(crate) async fn run(
    space: &Space,
    directory: &FilePath,
    file: File,
    hash: &Hash,
    size: u64,
    state: &dyn UploadState,
) -> Result<(), Error> {
    let object = path(hash);
    let target = directory.join(&object);
    let (root, name) = (directory.to_owned(), target.clone());
    let mut copy = blocking(&object, move || Copy::begin(file, &root, &name)).await?;
    // One byte more than there should be tells that the file is too long.
    while copy.hasher.len_bytes() <= size {
        let copied;
        (copy, copied) = blocking(&object, move || copy.step()).await?;
        if copied == 0 {
            break;
        }
        state.before_send(copied).await;
        state.progressed(copy.hasher.len_bytes());
    }
    let (found, found_len_bytes) = (copy.hasher.clone().finish(), copy.hasher.len_bytes());
    if found != *hash || found_len_bytes != size {
        return Err(Error::Mismatch {
            expected: *hash,
            found,
            expected_len_bytes: size,
            found_len_bytes,
        });
    }
    space.check_in_place().await?;
    blocking(&object, move || copy.publish(&target)).await
}

/// Runs a step on a blocking thread. A step that has begun runs to its end.
async fn blocking<T: Send + 'static>(
    object: &str,
    step: impl FnOnce() -> Result<T, StepError> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(step).await;
    match done.map_err(|error| Error::unreachable(object, error))? {
        Ok(done) => Ok(done),
        Err(StepError::Source(error)) => Err(Error::local(object, error)),
        Err(StepError::Space(error)) => Err(Error::unreachable(object, error)),
    }
}

/// Which side of the copy failed.
enum StepError {
    /// The file cannot be read.
    Source(io::Error),
    /// The space cannot be written.
    Space(io::Error),
}

/// For the `?` of what is done in the space.
impl From<io::Error> for StepError {
    fn from(error: io::Error) -> Self {
        StepError::Space(error)
    }
}

/// A copy under way. Dropped before its end, it removes its staging file.
struct Copy {
    source: File,
    staging: Staging,
    /// Whether the blocks are shared, so that nothing is written.
    is_shared: bool,
    hasher: Hasher,
    buffer: Vec<u8>,
}

impl Copy {
    fn begin(source: File, root: &FilePath, target: &FilePath) -> Result<Self, StepError> {
        let staging = Staging::create(root, target)?;
        let is_shared = share_blocks(&source, &staging.file);
        Ok(Self {
            source,
            staging,
            is_shared,
            hasher: Hasher::new(),
            buffer: vec![0; STEP_BYTES],
        })
    }

    /// Copies and hashes the next bytes. Returns how many there were.
    fn step(mut self) -> Result<(Self, u64), StepError> {
        let buffer = &mut self.buffer[..];
        // What is hashed is what the space has.
        let read = match self.is_shared {
            true => self.staging.file.read(buffer)?,
            false => self.source.read(buffer).map_err(StepError::Source)?,
        };
        if !self.is_shared {
            self.staging.file.write_all(&buffer[..read])?;
        }
        self.hasher.update(&buffer[..read]);
        Ok((self, read as u64))
    }

    /// Gives the staging file its name. Both are durable on return.
    fn publish(mut self, target: &FilePath) -> Result<(), StepError> {
        self.staging.file.sync_all()?;
        std::fs::rename(&self.staging.path, target)?;
        self.staging.is_published = true;
        if let Some(folder) = target.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

/// A file that does not have its name yet.
struct Staging {
    file: File,
    path: PathBuf,
    is_published: bool,
}

impl Staging {
    /// Makes an empty staging file beside the target, and the folders for it. The root must exist.
    /// Removes staging files of the same blob that a crash left.
    fn create(root: &FilePath, target: &FilePath) -> io::Result<Self> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
        let folder = target.parent().ok_or_else(invalid)?;
        let name = target.file_name().and_then(|name| name.to_str()).ok_or_else(invalid)?;
        make_folders(root, folder)?;
        remove_stale(folder, name)?;
        let number = uuid::Uuid::new_v4().as_u64_pair().0 % 10_u64.pow(STAGING_DIGITS as u32);
        let path = folder.join(format!("{name}#{number:0width$}", width = STAGING_DIGITS));
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        // Held while the copy goes on, so that no other one takes the file for stale. If the file
        // system has no locks, nothing is ever taken for stale.
        let _ = file.try_lock();
        Ok(Self {
            file,
            path,
            is_published: false,
        })
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.is_published
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(file = %self.path.display(), %error, "a staging file stays in the space");
        }
    }
}

/// Makes the folders between the root and `folder`. They are durable on return.
fn make_folders(root: &FilePath, folder: &FilePath) -> io::Result<()> {
    let below = folder.strip_prefix(root).map_err(io::Error::other)?;
    let mut parent = root.to_owned();
    for name in below {
        let child = parent.join(name);
        match std::fs::create_dir(&child) {
            Ok(()) => File::open(&parent)?.sync_all()?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        parent = child;
    }
    Ok(())
}

/// Removes staging files of a blob that nobody writes any more.
fn remove_stale(folder: &FilePath, name: &str) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let is_staging = entry.file_name().to_str().is_some_and(|found| {
            let digits = found.strip_prefix(name).and_then(|rest| rest.strip_prefix('#'));
            digits.is_some_and(|digits| digits.len() == STAGING_DIGITS && digits.bytes().all(|b| b.is_ascii_digit()))
        });
        if is_staging
            && let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Lets two files share their blocks, if the file system can do this.
#[cfg(target_os = "linux")]
fn share_blocks(source: &File, target: &File) -> bool {
    rustix::fs::ioctl_ficlone(target, source).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn share_blocks(_: &File, _: &File) -> bool {
    false
}
