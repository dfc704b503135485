//! The directories whose files may be uploaded.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;

/// The directories whose files may be uploaded.
#[derive(Debug)]
pub(crate) struct UploadRoots(Vec<PathBuf>);

/// A file to upload, open for reading, as it was when it was opened.
#[derive(Debug)]
pub(crate) struct SourceFile {
    pub(crate) file: File,
    pub(crate) size: u64,
    /// Its modification time, in nanoseconds since the epoch.
    pub(crate) mtime_ns: i64,
}

impl SourceFile {
    /// Describes an open file.
    fn of(file: File) -> io::Result<SourceFile> {
        let metadata = file.metadata()?;
        Ok(SourceFile {
            size: metadata.len(),
            mtime_ns: metadata
                .mtime()
                .saturating_mul(1_000_000_000)
                .saturating_add(metadata.mtime_nsec()),
            file,
        })
    }

    /// Whether the file still has its size and time.
    pub(crate) fn is_unchanged(&self) -> io::Result<bool> {
        let now = SourceFile::of(self.file.try_clone()?)?;
        Ok((now.size, now.mtime_ns) == (self.size, self.mtime_ns))
    }
}

/// Why a file cannot be uploaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// The path is relative.
    #[error("expected an absolute path")]
    Relative,
    /// The path has a `..`.
    #[error("expected a path without `..`")]
    Parent,
    /// The path is outside the directories of uploads.
    #[error("expected a path inside {}", listed(.roots))]
    Outside {
        /// The directories whose files may be uploaded.
        roots: Vec<PathBuf>,
    },
    /// There is no file with this path.
    #[error("expected the path of a file; there is no file with this path")]
    Missing,
    /// The path is that of a directory, or leads through a link.
    #[error("expected the path of a regular file, without links in it")]
    NotRegular,
    /// The file changed while it was read.
    #[error("the file changed while it was read; try again when it is complete")]
    Changed,
    /// The file cannot be read.
    #[error("the file cannot be read: {reason}")]
    Unreadable {
        /// What the system said.
        reason: String,
    },
}

fn listed(roots: &[PathBuf]) -> String {
    if roots.is_empty() {
        return "a directory that is allowed for uploads; none is".to_owned();
    }
    let roots: Vec<_> = roots.iter().map(|root| root.display().to_string()).collect();
    roots.join(" or ")
}

impl From<io::Error> for PathError {
    fn from(error: io::Error) -> PathError {
        PathError::Unreadable {
            reason: error.to_string(),
        }
    }
}

impl From<Errno> for PathError {
    fn from(error: Errno) -> PathError {
        match error {
            Errno::NOENT => PathError::Missing,
            Errno::LOOP | Errno::NOTDIR | Errno::NXIO => PathError::NotRegular,
            other => io::Error::from(other).into(),
        }
    }
}

impl UploadRoots {
    /// Roots that need not exist yet.
    pub(crate) fn new(roots: &[PathBuf]) -> io::Result<UploadRoots> {
        let roots: io::Result<Vec<_>> = roots.iter().map(std::path::absolute).collect();
        roots.map(UploadRoots)
    }

    /// Opens a regular file below a root for reading. No link below the root is followed. Blocks.
    pub(crate) fn open(&self, path: &str) -> Result<SourceFile, PathError> {
        let path = Path::new(path);
        if !path.is_absolute() {
            return Err(PathError::Relative);
        }
        if path.components().any(|component| component == Component::ParentDir) {
            return Err(PathError::Parent);
        }
        let (root, below) = self
            .0
            .iter()
            .filter_map(|root| Some((root, path.strip_prefix(root).ok()?)))
            .max_by_key(|(root, _)| root.components().count())
            .ok_or_else(|| PathError::Outside { roots: self.0.clone() })?;
        let mut names: Vec<_> = below
            .components()
            .filter_map(|component| match component {
                Component::Normal(name) => Some(name),
                _ => None,
            })
            .collect();
        let name = names.pop().ok_or(PathError::NotRegular)?;
        let step = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut directory: OwnedFd = fs::open(root, step, Mode::empty())?;
        for name in names {
            directory = fs::openat(&directory, name, step | OFlags::NOFOLLOW, Mode::empty())?;
        }
        // Without NONBLOCK, opening a named pipe would block for ever.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(fs::openat(&directory, name, flags, Mode::empty())?);
        if !file.metadata()?.is_file() {
            return Err(PathError::NotRegular);
        }
        Ok(SourceFile::of(file)?)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_a_regular_file_below_a_root_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("a")).unwrap();
        std::fs::write(root.join("a/x"), b"content").unwrap();
        std::fs::write(dir.path().join("outside"), b"secret").unwrap();
        symlink(dir.path().join("outside"), root.join("link")).unwrap();
        symlink(dir.path(), root.join("up")).unwrap();
        let roots = UploadRoots::new(std::slice::from_ref(&root)).unwrap();
        let open = |path: &str| roots.open(path).map(|file| file.size);
        let below = |path: &str| root.join(path).display().to_string();

        assert_eq!(open(&below("a/x")), Ok(7));
        assert_eq!(open(&below("./a//x")), Ok(7));
        assert_eq!(open("a/x"), Err(PathError::Relative));
        assert_eq!(open(""), Err(PathError::Relative));
        assert_eq!(open(&below("../outside")), Err(PathError::Parent));
        assert_eq!(open(&below("none")), Err(PathError::Missing));
        for path in ["", "a", "link", "up/outside", "a/x/y"] {
            assert_eq!(open(&below(path)), Err(PathError::NotRegular), "{path}");
        }
        let outside = open(&dir.path().join("outside").display().to_string());
        assert_eq!(
            outside,
            Err(PathError::Outside {
                roots: vec![root.clone()]
            })
        );
        assert!(outside.unwrap_err().to_string().contains(&root.display().to_string()));
        assert!(matches!(open(&below("a/\0")), Err(PathError::Unreadable { .. })));
    }

    #[test]
    fn without_a_root_no_file_is_opened() {
        let roots = UploadRoots::new(&[]).unwrap();
        assert!(matches!(roots.open("/etc/passwd"), Err(PathError::Outside { .. })));
    }
}
