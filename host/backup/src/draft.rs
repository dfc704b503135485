//! A data directory that is being made. It gets its name when it is complete.
//!
//! It is made beside its place, as `.NAME.restore`. A lock file in it tells a program that works
//! from one that died.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::error::Error;
use crate::files::FOLDERS;

/// The file that is locked while a program works.
const LOCK: &str = "restore.lock";

/// A data directory that is being made. Unless it is finished, dropping it removes it.
pub(crate) struct Draft {
    path: PathBuf,
    /// The place that it will have.
    data: PathBuf,
    /// Locked as long as the program works.
    lock: fs::File,
    finished: bool,
}

impl Draft {
    /// Begins a data directory at a place that is absent or empty.
    ///
    /// # Errors
    /// [`Error::NotEmpty`], [`Error::Draft`], [`Error::RestoreRuns`], [`Error::File`].
    pub(crate) fn begin(data: &Path) -> Result<Draft, Error> {
        let data = std::path::absolute(data).map_err(Error::file(data))?;
        check_empty(&data)?;
        let name = data.file_name().unwrap_or_default().to_string_lossy();
        let path = data.with_file_name(format!(".{name}.restore"));
        if let Some(above) = path.parent() {
            make_dir(above)?;
        }
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check_left_over(&path)?,
            Err(error) => return Err(Error::file(&path)(error)),
        }
        let lock = lock(&path)?;
        // What a program left that died.
        clear(&path)?;
        Ok(Draft {
            path,
            data,
            lock,
            finished: false,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folders of files.
    pub(crate) fn make_folders(&self) -> Result<(), Error> {
        FOLDERS
            .iter()
            .try_for_each(|(folder, _)| make_dir(&self.path.join(folder)))
    }

    /// Makes everything durable and gives the directory its name.
    ///
    /// # Errors
    /// [`Error::NotEmpty`] if something came to its place, [`Error::File`].
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        for (folder, _) in FOLDERS {
            sync_dir(&self.path.join(folder))?;
        }
        sync_dir(&self.path)?;
        // A directory takes the place of an empty one, and of no other.
        fs::rename(&self.path, &self.data).map_err(|error| match error.kind() {
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => Error::NotEmpty {
                path: self.data.clone(),
            },
            _ => Error::file(&self.data)(error),
        })?;
        self.finished = true;
        // Not before it has its name: without the lock, another restore takes it for left over. If
        // it stays, it does no harm: nothing in a data directory has this name.
        if let Err(error) = fs::remove_file(self.data.join(LOCK)) {
            tracing::warn!(%error, dir = %self.data.display(), "{LOCK} stays in the new directory; remove it");
        }
        sync_dir(&self.data)?;
        match self.data.parent() {
            Some(above) => sync_dir(above),
            None => Ok(()),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.finished
            && let Err(error) = remove(&self.path)
        {
            tracing::warn!(%error, dir = %self.path.display(), "an unfinished restore stays; the next one removes it");
        }
        // It is unlocked when it is closed too; this says so.
        let _ = self.lock.unlock();
    }
}

/// Fails unless a directory is one that a restore of this user left. Others may give theirs the
/// same name, and what is left over is removed.
fn check_left_over(path: &Path) -> Result<(), Error> {
    let occupied = |reason| {
        Err(Error::Draft {
            path: path.to_owned(),
            reason,
        })
    };
    let found = fs::symlink_metadata(path).map_err(Error::file(path))?;
    if !found.is_dir() {
        return occupied("it is no directory");
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return occupied("it is the directory of another user");
    }
    if found.mode() & 0o077 != 0 {
        return occupied("others may use this directory");
    }
    let is_empty = fs::read_dir(path).map_err(Error::file(path))?.next().is_none();
    let has_lock = || fs::symlink_metadata(path.join(LOCK)).is_ok_and(|lock| lock.is_file());
    match is_empty || has_lock() {
        true => Ok(()),
        false => occupied("no restore has made what is in it"),
    }
}

/// Removes all but the lock.
fn clear(path: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(path).map_err(Error::file(path))? {
        let entry = entry.map_err(Error::file(path))?;
        if entry.file_name() == LOCK {
            continue;
        }
        let removed = match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            true => fs::remove_dir_all(entry.path()),
            false => fs::remove_file(entry.path()),
        };
        removed.map_err(Error::file(&entry.path()))?;
    }
    Ok(())
}

/// Removes a directory, and its lock last: the lock says that the rest is left over.
fn remove(path: &Path) -> Result<(), Error> {
    clear(path)?;
    let lock_path = path.join(LOCK);
    fs::remove_file(&lock_path).map_err(Error::file(&lock_path))?;
    fs::remove_dir(path).map_err(Error::file(path))
}

fn make_dir(path: &Path) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(Error::file(path))
}

fn check_empty(data: &Path) -> Result<(), Error> {
    let mut entries = match fs::read_dir(data) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::file(data)(error)),
    };
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(Error::NotEmpty { path: data.to_owned() }),
    }
}

fn lock(path: &Path) -> Result<fs::File, Error> {
    let lock_path = path.join(LOCK);
    let lock = fs::File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        // It leads to no file elsewhere, and a pipe does not make it wait.
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(&lock_path)
        .map_err(Error::file(&lock_path))?;
    let runs = || Err(Error::RestoreRuns { path: path.to_owned() });
    match lock.try_lock() {
        // Another program may have finished since it was opened: then another file is there, or
        // none.
        Ok(()) => match (fs::symlink_metadata(&lock_path), lock.metadata()) {
            (Ok(there), Ok(own)) if (there.dev(), there.ino()) == (own.dev(), own.ino()) => Ok(lock),
            _ => runs(),
        },
        Err(fs::TryLockError::WouldBlock) => runs(),
        Err(fs::TryLockError::Error(error)) => Err(Error::file(&lock_path)(error)),
    }
}

fn sync_dir(path: &Path) -> Result<(), Error> {
    fs::File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(Error::file(path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    struct Scene {
        dir: tempfile::TempDir,
    }

    impl Scene {
        fn new() -> Scene {
            Scene {
                dir: tempfile::tempdir().unwrap(),
            }
        }

        fn data(&self) -> PathBuf {
            self.dir.path().join("data")
        }

        fn draft(&self) -> PathBuf {
            self.dir.path().join(".data.restore")
        }

        fn begin(&self) -> Result<Draft, Error> {
            Draft::begin(&self.data())
        }
    }

    fn begin_with(path: &Path, mode: u32) {
        DirBuilder::new().mode(mode).create(path).unwrap();
    }

    #[test]
    fn only_what_a_restore_left_is_removed() {
        let scene = Scene::new();
        let (draft, photos) = (scene.draft(), scene.dir.path().join("photos"));
        begin_with(&photos, 0o700);
        let photo = photos.join("cat.jpg");
        fs::write(&photo, b"x").unwrap();
        let refused = |what: &str| match scene.begin() {
            Err(Error::Draft { reason, .. }) => assert!(reason.contains(what), "{what}: {reason}"),
            other => panic!("{what}: {:?}", other.err()),
        };

        symlink(&photos, &draft).unwrap();
        refused("no directory");
        // Even if it seems to be one of a restore.
        fs::write(photos.join(LOCK), b"").unwrap();
        refused("no directory");
        fs::remove_file(&draft).unwrap();
        assert!(photo.exists());

        begin_with(&draft, 0o700);
        fs::write(draft.join("cat.jpg"), b"x").unwrap();
        refused("no restore");
        symlink(&photo, draft.join(LOCK)).unwrap();
        refused("no restore");
        assert!(draft.join("cat.jpg").exists());
        fs::remove_file(draft.join(LOCK)).unwrap();

        fs::write(draft.join(LOCK), b"").unwrap();
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).unwrap();
        refused("others");
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o700)).unwrap();
        let begun = scene.begin().unwrap();
        assert!(!draft.join("cat.jpg").exists());
        drop(begun);
        assert!(!draft.exists());

        // It died before it made its lock.
        begin_with(&draft, 0o700);
        drop(scene.begin().unwrap());
        assert!(!draft.exists());
    }

    #[test]
    fn a_lock_is_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        symlink(&target, dir.path().join(LOCK)).unwrap();
        assert!(matches!(lock(dir.path()), Err(Error::File { .. })));
        assert!(!target.exists());
    }

    #[test]
    fn a_lock_that_was_removed_since_it_was_opened_is_no_lock() {
        let scene = Scene::new();
        let first = scene.begin().unwrap();
        assert!(matches!(scene.begin(), Err(Error::RestoreRuns { .. })));
        // Another program has finished, and a third one has begun.
        fs::remove_file(scene.draft().join(LOCK)).unwrap();
        let second = lock(&scene.draft()).unwrap();
        assert_ne!(second.metadata().unwrap().ino(), first.lock.metadata().unwrap().ino());
        assert!(matches!(scene.begin(), Err(Error::RestoreRuns { .. })));
    }

    /// Begins and ends of two programs in any order: one wins, and it has everything.
    #[test]
    fn of_many_restores_to_one_place_one_wins() {
        for _ in 0..50 {
            let scene = Scene::new();
            let won = std::thread::scope(|scope| {
                let attempt = |name: &'static str| {
                    let scene = &scene;
                    scope.spawn(move || {
                        let draft = scene.begin()?;
                        draft.make_folders()?;
                        fs::write(draft.path().join(name), b"x").map_err(Error::file(draft.path()))?;
                        draft.finish()
                    })
                };
                let attempts = ["a", "b", "c", "d"].map(|name| (name, attempt(name)));
                let ended = attempts.map(|(name, attempt)| (name, attempt.join().unwrap()));
                ended
                    .into_iter()
                    .filter_map(|(name, ended)| ended.ok().map(|()| name))
                    .collect::<Vec<_>>()
            });
            let mut found: Vec<_> = fs::read_dir(scene.data())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            found.sort();
            assert_eq!(won.len(), 1, "{won:?}: {found:?}");
            assert_eq!(found, [won[0], "modules", "staging", "temp"]);
            assert!(!scene.draft().exists());
        }
    }
}
