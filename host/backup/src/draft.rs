//! A data directory that is being made. It gets its name when it is complete.
//!
//! It is made beside its place, as `.NAME.restore`. A lock file in it tells a program that works
//! from one that died.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

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
    /// [`Error::NotEmpty`], [`Error::RestoreRuns`], [`Error::File`].
    pub(crate) fn begin(data: &Path) -> Result<Draft, Error> {
        let data = std::path::absolute(data).map_err(Error::file(data))?;
        check_empty(&data)?;
        let name = data.file_name().unwrap_or_default().to_string_lossy();
        let path = data.with_file_name(format!(".{name}.restore"));
        if let Some(above) = path.parent() {
            make_dir(above)?;
        }
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(Error::file(&path)(error)),
            _ => {}
        }
        let lock = lock(&path)?;
        // What a program left that died.
        for entry in fs::read_dir(&path).map_err(Error::file(&path))? {
            let entry = entry.map_err(Error::file(&path))?;
            if entry.file_name() == LOCK {
                continue;
            }
            let removed = match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                true => fs::remove_dir_all(entry.path()),
                false => fs::remove_file(entry.path()),
            };
            removed.map_err(Error::file(&entry.path()))?;
        }
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
        let lock_path = self.path.join(LOCK);
        fs::remove_file(&lock_path).map_err(Error::file(&lock_path))?;
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
        match self.data.parent() {
            Some(above) => sync_dir(above),
            None => Ok(()),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.finished
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::warn!(%error, dir = %self.path.display(), "an unfinished restore stays; the next one removes it");
        }
        // It is unlocked when it is closed too; this says so.
        let _ = self.lock.unlock();
    }
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
        .open(&lock_path)
        .map_err(Error::file(&lock_path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => Err(Error::RestoreRuns { path: path.to_owned() }),
        Err(fs::TryLockError::Error(error)) => Err(Error::file(&lock_path)(error)),
    }
}

fn sync_dir(path: &Path) -> Result<(), Error> {
    fs::File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(Error::file(path))
}
