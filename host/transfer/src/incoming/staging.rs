//! Files that arrive, in the directory `incoming` of the staging directory. All functions block the
//! thread.
//!
//! | name in the staging directory | contents |
//! |---|---|
//! | the lower-case hex of a SHA-256 | a complete file, which waits for its upload |
//! | `incoming/ID.put` | a file that arrives in one piece; one that is there at start is a leftover |
//! | `incoming/ID.tus` | an upload that arrives in several pieces |

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;
use stowage_cloud::Hash;

use crate::arrivals::Arrivals;

/// The ending of a file that arrives in one piece.
const PUT: &str = "put";
/// The ending of an upload that arrives in several pieces.
const TUS: &str = "tus";

/// The directory of files that arrive, in the staging directory.
const INCOMING: &str = "incoming";

/// Files that arrive.
pub(super) struct Staging {
    /// The staging directory.
    complete: PathBuf,
    dir: PathBuf,
    min_free_bytes: u64,
    arrivals: Arc<Arrivals>,
    /// Held while free space is checked and reserved, so that two files do not count the same
    /// bytes.
    reserving: Mutex<()>,
}

/// The name of a file that arrives in one piece.
pub(super) fn put_name(id: &str) -> String {
    format!("{id}.{PUT}")
}

/// The name of an upload that arrives in several pieces.
pub(super) fn upload_name(id: &str) -> String {
    format!("{id}.{TUS}")
}

impl Staging {
    /// Opens the directory in the staging directory. Only this user may read it.
    pub(super) fn open(staging_dir: &Path, min_free_bytes: u64, arrivals: Arc<Arrivals>) -> io::Result<Staging> {
        let dir = staging_dir.join(INCOMING);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        Ok(Staging {
            complete: staging_dir.to_owned(),
            dir,
            min_free_bytes,
            arrivals,
            reserving: Mutex::new(()),
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A new, empty file.
    pub(super) fn create(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        options.open(self.path(name))
    }

    /// A known file, for reading and writing.
    pub(super) fn reopen(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(self.path(name))
    }

    /// Bytes of a file. `None` if there is none.
    pub(super) fn size(&self, name: &str) -> io::Result<Option<u64>> {
        match fs::symlink_metadata(self.path(name)) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn complete_path(&self, hash: &Hash) -> PathBuf {
        self.complete.join(hash.to_hex())
    }

    /// Gives a synced file its final name. It replaces a file with the same bytes.
    pub(super) fn publish(&self, name: &str, hash: &Hash) -> io::Result<()> {
        self.arrivals.add(hash);
        fs::rename(self.path(name), self.complete_path(hash))?;
        sync_directory(&self.complete)
    }

    /// Gives a synced file its final name and keeps the old one.
    pub(super) fn publish_link(&self, name: &str, hash: &Hash) -> io::Result<()> {
        self.arrivals.add(hash);
        let (from, to) = (self.path(name), self.complete_path(hash));
        match fs::hard_link(&from, &to) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
            // Some file systems have no links.
            Err(_) => {
                let copy = self.path(&format!("{name}.{PUT}"));
                self.check_room(fs::metadata(&from)?.len())?;
                fs::copy(&from, &copy)?;
                File::open(&copy)?.sync_all()?;
                fs::rename(&copy, &to)?;
            }
        }
        // A complete file that no upload needs is removed an hour after it changed.
        File::options().write(true).open(&to)?.set_modified(SystemTime::now())?;
        sync_directory(&self.complete)
    }

    /// Removes a file. A missing file is no error.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Makes new and removed names durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        sync_directory(&self.dir)
    }

    /// Checks that the disk keeps its free minimum after this many more bytes.
    pub(super) fn check_room(&self, bytes: u64) -> io::Result<()> {
        let stat = statvfs(&self.dir)?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        if free < self.min_free_bytes.saturating_add(bytes) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    /// Checks for room and reserves it, without changing the length of the file.
    pub(super) fn reserve(&self, file: &File, bytes: u64) -> io::Result<()> {
        let _reserving = self.reserving.lock();
        self.check_room(bytes)?;
        match fallocate(file, FallocateFlags::KEEP_SIZE, 0, bytes) {
            // Some file systems cannot reserve. The room is checked again while bytes arrive.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes files that nobody knows any more: those that arrived in one piece, and uploads that
    /// are not `known`.
    pub(super) fn remove_leftovers(&self, known: impl Fn(&str) -> bool) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let leftover = match path.extension().and_then(|extension| extension.to_str()) {
                Some(PUT) => true,
                Some(TUS) => !known(stem),
                _ => false,
            };
            if leftover {
                fs::remove_file(&path)?;
            }
        }
        self.sync()
    }
}

fn sync_directory(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn leftovers_go_and_known_uploads_stay() {
        let dir = tempfile::tempdir().unwrap();
        let staging = Staging::open(dir.path(), 0, Arc::default()).unwrap();
        for name in ["a.put", "b.tus", "c.tus"] {
            staging.create(name).unwrap();
        }
        staging.remove_leftovers(|id| id == "c").unwrap();
        assert_eq!(names(&dir.path().join(INCOMING)), ["c.tus"]);
    }

    #[test]
    fn a_complete_file_may_be_there_already() {
        let dir = tempfile::tempdir().unwrap();
        let staging = Staging::open(dir.path(), 0, Arc::default()).unwrap();
        let hash = Hash::of(b"");
        for name in ["a.tus", "b.tus"] {
            staging.create(name).unwrap();
            staging.publish_link(name, &hash).unwrap();
        }
        staging.create("c.put").unwrap();
        staging.publish("c.put", &hash).unwrap();
        assert_eq!(names(dir.path()), [hash.to_hex(), INCOMING.to_owned()]);
        assert_eq!(names(&dir.path().join(INCOMING)), ["a.tus", "b.tus"]);
    }

    #[test]
    fn the_disk_keeps_its_free_minimum() {
        let dir = tempfile::tempdir().unwrap();
        let staging = Staging::open(dir.path(), u64::MAX, Arc::default()).unwrap();
        let file = staging.create("a.put").unwrap();
        assert_eq!(staging.check_room(0).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(
            staging.reserve(&file, 1).unwrap_err().kind(),
            io::ErrorKind::StorageFull
        );
    }
}
