//! A finished file, and how to tell later whether it is unchanged.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use sha2::Digest;

use super::hash::hash_prefix;

/// A finished file on disk, with what tells later whether it is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FinishedFile {
    /// The absolute path.
    pub(crate) path: PathBuf,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Its modification time, in nanoseconds since the epoch.
    pub(crate) mtime_ns: i64,
    /// SHA-256 of its content. For a protected file, of the decrypted content.
    pub(crate) sha256: [u8; 32],
}

impl FinishedFile {
    /// Describes a file that is open under this path.
    pub(crate) fn of(file: &File, path: PathBuf, sha256: [u8; 32]) -> io::Result<FinishedFile> {
        let metadata = file.metadata()?;
        Ok(FinishedFile {
            path,
            size: metadata.len(),
            mtime_ns: mtime_ns(&metadata),
            sha256,
        })
    }
}

/// Opens a regular file for reading. Does not follow a link in the last component. `None` if there
/// is no such file.
pub(crate) fn open_regular(path: &Path) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match fs::open(path, flags, Mode::empty()) {
        Ok(file) => {
            let file = File::from(file);
            Ok(file.metadata()?.is_file().then_some(file))
        }
        Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn mtime_ns(metadata: &std::fs::Metadata) -> i64 {
    metadata
        .mtime()
        .saturating_mul(1_000_000_000)
        .saturating_add(metadata.mtime_nsec())
}

/// Checks whether a finished file has the same content. If only its time changed, the file is read,
/// and the result has the new time. `None` if the file is gone or has other content.
pub(crate) fn verify(finished_file: &FinishedFile) -> Option<FinishedFile> {
    let metadata = std::fs::symlink_metadata(&finished_file.path).ok()?;
    if !metadata.is_file() || metadata.len() != finished_file.size {
        return None;
    }
    let mtime_ns = mtime_ns(&metadata);
    if mtime_ns == finished_file.mtime_ns {
        return Some(finished_file.clone());
    }
    let file = open_regular(&finished_file.path).ok()??;
    let hasher = hash_prefix(&file, finished_file.size).ok()?;
    (hasher.finalize()[..] == finished_file.sha256).then(|| FinishedFile {
        mtime_ns,
        ..finished_file.clone()
    })
}

/// Whether a finished file has the same size and time. Takes one system call.
pub(crate) fn is_unchanged(finished_file: &FinishedFile) -> bool {
    std::fs::symlink_metadata(&finished_file.path).is_ok_and(|metadata| {
        metadata.is_file() && metadata.len() == finished_file.size && mtime_ns(&metadata) == finished_file.mtime_ns
    })
}
