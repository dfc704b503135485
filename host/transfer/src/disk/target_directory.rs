//! The opened directory of a download, and the files of the download in it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use sha2::Digest;

use super::copy::disk_full;
use super::finished_file::FinishedFile;
use super::hash::hash_prefix;
use super::part_file::PartFile;
use super::roots::Target;
use crate::name::numbered;

/// The most numbers that are tried for one file name.
const MOST_NUMBERS: u32 = 10_000;

/// The directory of a download, opened without following a link below its root. It stays the same
/// directory when a path is renamed later.
#[derive(Debug)]
pub(crate) struct TargetDirectory {
    dir: OwnedFd,
    path: PathBuf,
}

impl TargetDirectory {
    /// Opens a directory below a root. Creates missing directories.
    ///
    /// # Errors
    /// Errors of the file system. A link or a file in the place of a directory is an error.
    pub(crate) fn open(target: &Target) -> io::Result<TargetDirectory> {
        TargetDirectory::walk(target, true)
    }

    /// Opens a directory below a root that must exist.
    pub(crate) fn existing(target: &Target) -> io::Result<TargetDirectory> {
        TargetDirectory::walk(target, false)
    }

    fn walk(target: &Target, make: bool) -> io::Result<TargetDirectory> {
        let step = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut dir = fs::open(&target.root, step, Mode::empty())?;
        for name in &target.below {
            let open = |dir: &OwnedFd| fs::openat(dir, name.as_str(), step | OFlags::NOFOLLOW, Mode::empty());
            dir = match open(&dir) {
                Err(Errno::NOENT) if make => {
                    match fs::mkdirat(&dir, name.as_str(), Mode::from_raw_mode(0o777)) {
                        Ok(()) => fs::fsync(&dir)?,
                        Err(Errno::EXIST) => {}
                        Err(error) => return Err(error.into()),
                    }
                    open(&dir)?
                }
                other => other?,
            };
        }
        Ok(TargetDirectory {
            dir,
            path: target.path(),
        })
    }

    /// Bytes that this process may still write to the file system.
    pub(crate) fn free_bytes(&self) -> io::Result<u64> {
        let stat = fs::fstatvfs(&self.dir)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// Opens a temporary file that has at least `least_bytes`. `None` if there is none.
    pub(crate) fn existing_part(&self, name: &str, least_bytes: u64) -> io::Result<Option<PartFile>> {
        let Some(file) = self.open_file(name, OFlags::RDWR)? else {
            return Ok(None);
        };
        let metadata = file.metadata()?;
        // With a second link, writing here would overwrite another file.
        let usable = metadata.len() >= least_bytes && metadata.nlink() == 1;
        Ok(usable.then(|| PartFile {
            file,
            name: name.to_owned(),
        }))
    }

    /// Creates an empty temporary file. It replaces an old one.
    pub(crate) fn new_part(&self, name: &str) -> io::Result<PartFile> {
        self.remove(name)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::openat(&self.dir, name, flags, Mode::from_raw_mode(0o666))?;
        Ok(PartFile {
            file: File::from(file),
            name: name.to_owned(),
        })
    }

    /// Removes a file. A missing file is no error.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        match fs::unlinkat(&self.dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Renames a temporary file to `name`, or to the first free name of `name (1)`, `name (2)`, ….
    /// If a file with such a name has the same content, it is used instead. The name is durable on
    /// return. `sha256` is the hash of the content.
    pub(crate) fn publish(&self, part: &PartFile, name: &str, sha256: [u8; 32]) -> io::Result<FinishedFile> {
        part.file.sync_all().map_err(disk_full)?;
        let size = part.file.metadata()?.len();
        for number in 0..MOST_NUMBERS {
            let candidate = numbered(name, number);
            match self.rename(&part.name, &candidate) {
                Ok(()) => {
                    fs::fsync(&self.dir)?;
                    return FinishedFile::of(&part.file, self.path.join(candidate), sha256);
                }
                Err(Errno::EXIST) => {
                    if let Some(finished_file) = self.find(&candidate, size, sha256)? {
                        self.remove(&part.name)?;
                        return Ok(finished_file);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("{MOST_NUMBERS} files with this name exist; expected a free number"),
        ))
    }

    /// Finds a file with this name, with or without a number, that has this content. It may come
    /// from an earlier download, or from one that was interrupted at its end. It is durable on
    /// return.
    pub(crate) fn find_any(&self, name: &str, size: u64, sha256: [u8; 32]) -> io::Result<Option<FinishedFile>> {
        for number in 0..MOST_NUMBERS {
            let candidate = numbered(name, number);
            match fs::statat(&self.dir, &candidate, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => break,
                Err(error) => return Err(error.into()),
                Ok(_) => {}
            }
            if let Some(finished_file) = self.find(&candidate, size, sha256)? {
                return Ok(Some(finished_file));
            }
        }
        Ok(None)
    }

    /// Finds the file with exactly this name, if it has this content. It is durable on return.
    fn find(&self, name: &str, size: u64, sha256: [u8; 32]) -> io::Result<Option<FinishedFile>> {
        let Some(file) = self.open_file(name, OFlags::RDONLY)? else {
            return Ok(None);
        };
        if file.metadata()?.len() != size || hash_prefix(&file, size)?.finalize()[..] != sha256 {
            return Ok(None);
        }
        fs::fsync(&file)?;
        fs::fsync(&self.dir)?;
        FinishedFile::of(&file, self.path.join(name), sha256).map(Some)
    }

    /// Opens a regular file. `None` if there is no file, or something else, with this name.
    fn open_file(&self, name: &str, access: OFlags) -> io::Result<Option<File>> {
        // Without NONBLOCK, opening a named pipe would block for ever.
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {}
            Ok(_) | Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        match fs::openat(&self.dir, name, flags, Mode::empty()) {
            Ok(file) => {
                let file = File::from(file);
                Ok(file.metadata()?.is_file().then_some(file))
            }
            Err(Errno::NOENT | Errno::LOOP | Errno::ACCESS) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Errno> {
        let dir = self.dir.as_fd();
        match fs::renameat_with(dir, from, dir, to, RenameFlags::NOREPLACE) {
            // Some file systems do not know the flag. A hard link does not replace a file either.
            Err(Errno::INVAL | Errno::NOSYS) => {
                match fs::linkat(dir, from, dir, to, AtFlags::empty()) {
                    Ok(()) => fs::unlinkat(dir, from, AtFlags::empty()),
                    // Some do not know links either. There, an empty file reserves the name first.
                    Err(Errno::PERM | Errno::OPNOTSUPP) => {
                        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                        fs::openat(dir, to, flags, Mode::from_raw_mode(0o666))?;
                        fs::renameat(dir, from, dir, to)
                    }
                    Err(error) => Err(error),
                }
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::path::Path;

    use sha2::Sha256;

    use super::*;
    use crate::disk::verify;

    fn target(root: &Path, below: &[&str]) -> Target {
        Target {
            root: root.to_path_buf(),
            below: below.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn part(directory: &TargetDirectory, content: &[u8]) -> PartFile {
        let mut part = directory.new_part(".x.part").unwrap();
        part.file.write_all(content).unwrap();
        part
    }

    fn publish(directory: &TargetDirectory, name: &str, content: &[u8]) -> FinishedFile {
        let sha256 = Sha256::digest(content).into();
        directory.publish(&part(directory, content), name, sha256).unwrap()
    }

    #[test]
    fn a_taken_name_gets_a_number_and_the_same_content_is_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let directory = TargetDirectory::open(&target(dir.path(), &["a", "b"])).unwrap();
        let first = publish(&directory, "x.txt", b"one");
        assert_eq!(first.path, dir.path().join("a/b/x.txt"));
        let second = publish(&directory, "x.txt", b"two");
        assert_eq!(second.path, dir.path().join("a/b/x (1).txt"));
        let third = publish(&directory, "x.txt", b"three");
        assert_eq!(third.path, dir.path().join("a/b/x (2).txt"));
        assert_eq!(publish(&directory, "x.txt", b"two"), second);
        assert_eq!(fs::read(first.path).unwrap(), b"one");
        assert_eq!(fs::read_dir(dir.path().join("a/b")).unwrap().count(), 3);
    }

    #[test]
    fn a_link_or_directory_of_the_name_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        fs::write(&outside, b"mine").unwrap();
        let directory = TargetDirectory::open(&target(dir.path(), &["a"])).unwrap();
        std::os::unix::fs::symlink(&outside, dir.path().join("a/x")).unwrap();
        fs::create_dir(dir.path().join("a/x (1)")).unwrap();
        let finished_file = publish(&directory, "x", b"mine");
        assert_eq!(finished_file.path, dir.path().join("a/x (2)"));
        assert_eq!(fs::read(outside).unwrap(), b"mine");
    }

    #[test]
    fn a_link_below_the_root_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("3")).unwrap();
        assert!(TargetDirectory::open(&target(dir.path(), &["3", "x"])).is_err());
        assert!(TargetDirectory::open(&target(dir.path(), &["3"])).is_err());
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_temporary_file_that_is_a_link_is_replaced_not_written_through() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        fs::write(&outside, b"precious").unwrap();
        let directory = TargetDirectory::open(&target(dir.path(), &["a"])).unwrap();
        std::os::unix::fs::symlink(&outside, dir.path().join("a/p")).unwrap();
        assert!(directory.existing_part("p", 4).unwrap().is_none());
        let mut part = directory.new_part("p").unwrap();
        part.file.write_all(b"new").unwrap();
        directory.remove("p").unwrap();
        fs::hard_link(&outside, dir.path().join("a/p")).unwrap();
        assert!(directory.existing_part("p", 4).unwrap().is_none());
        let mut part = directory.new_part("p").unwrap();
        part.file.write_all(b"new").unwrap();
        assert_eq!(fs::read(outside).unwrap(), b"precious");
    }

    #[test]
    fn a_file_counts_as_there_when_only_its_time_changed() {
        let dir = tempfile::tempdir().unwrap();
        let directory = TargetDirectory::open(&target(dir.path(), &[])).unwrap();
        let finished_file = publish(&directory, "x", b"content");
        assert_eq!(verify(&finished_file), Some(finished_file.clone()));
        let file = File::options().write(true).open(&finished_file.path).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        let touched = verify(&finished_file).unwrap();
        assert_eq!(touched.mtime_ns, 0);
        fs::write(&finished_file.path, b"CONTENT").unwrap();
        assert_eq!(verify(&finished_file), None);
        fs::write(&finished_file.path, b"longer content").unwrap();
        assert_eq!(verify(&finished_file), None);
        fs::remove_file(&finished_file.path).unwrap();
        assert_eq!(verify(&finished_file), None);
    }
}
