//! The staging directory: copies of files that wait for their upload.

use std::collections::HashSet;
use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::fs;
use stowage_cloud::{Hash, Hasher};
use tokio::time::{MissedTickBehavior, interval};

use crate::disk::blocking;
use crate::engine::Engine;
use crate::task::Task;

/// How long a file that no upload needs stays.
const KEPT: Duration = Duration::from_secs(3600);

/// The time between two searches for files that no upload needs.
const SWEEP_INTERVAL: Duration = Duration::from_secs(600);

/// A copy that is being written. Unless it is finished, dropping it removes the file.
#[derive(Debug)]
pub(crate) struct Draft {
    directory: PathBuf,
    path: PathBuf,
    file: File,
    finished: bool,
}

impl Draft {
    /// Creates an empty file. Blocks.
    pub(crate) fn create(directory: &Path) -> io::Result<Draft> {
        let path = directory.join(format!(".{}", uuid::Uuid::new_v4()));
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Draft {
            directory: directory.to_owned(),
            path,
            file,
            finished: false,
        })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Makes the file durable under the name of its hash. Blocks.
    pub(crate) fn finish(mut self, hash: &Hash) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.path, self.directory.join(hash.to_hex()))?;
        self.finished = true;
        File::open(&self.directory)?.sync_all()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.finished
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::debug!(path = %self.path.display(), %error, "cannot remove an unfinished copy");
        }
    }
}

/// Hashes what is written to a file.
pub(crate) struct HashedFile<'a> {
    pub(crate) file: &'a File,
    pub(crate) hasher: Hasher,
}

impl Write for HashedFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Fails unless the staging directory has room for `needed` bytes besides those that must stay
/// free. Blocks.
pub(crate) fn check_room(directory: &Path, needed: u64, min_free: u64) -> io::Result<()> {
    let stat = fs::statvfs(directory)?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free < needed.saturating_add(min_free) {
        return Err(io::Error::new(
            io::ErrorKind::StorageFull,
            format!("the copy needs {needed} bytes, {min_free} bytes must stay free, {free} bytes are free"),
        ));
    }
    Ok(())
}

/// Creates the directory if it is missing, and removes what no upload needs. Call it before
/// anything is prepared. Blocks.
pub(crate) fn open(directory: &Path, needed: &HashSet<String>) -> io::Result<()> {
    // It may hold the content of protected files.
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    sweep(directory, needed, Duration::ZERO)
}

/// Removes now and then what no upload needs, until the host shuts down.
pub(crate) async fn run(engine: Arc<Engine>) {
    let mut turns = interval(SWEEP_INTERVAL);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while engine.stop.run_until_cancelled(turns.tick()).await.is_some() {
        let directory = engine.config.staging_dir.clone();
        let needed = engine.tasks().needed_files();
        if let Err(error) = blocking(move || sweep(&directory, &needed, KEPT)).await {
            tracing::warn!(%error, "cannot look for copies that no upload needs");
        }
    }
}

/// Removes the files that no upload needs and that did not change for `kept`.
fn sweep(directory: &Path, needed: &HashSet<String>, kept: Duration) -> io::Result<()> {
    let needed: HashSet<String> = needed
        .iter()
        .filter_map(|hash| Some(hash.parse::<Hash>().ok()?.to_hex()))
        .collect();
    let now = SystemTime::now();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let is_needed = entry.file_name().to_str().is_some_and(|name| needed.contains(name));
        let metadata = entry.metadata()?;
        let age = now.duration_since(metadata.modified()?).unwrap_or_default();
        if metadata.is_file() && !is_needed && age >= kept {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Removes the prepared copy of an upload that has ended, unless another upload needs it.
pub(crate) async fn remove_unneeded(engine: &Engine, task: &Task) {
    let Some(hash) = task.staged_hash() else {
        return;
    };
    // Under the lock of the arrivals, so that no file is removed between its arrival and its task.
    let removed = engine
        .arrivals
        .remove_unless_waiting(&hash, || match engine.tasks().needs_file(&task.file.hash) {
            true => Ok(()),
            false => std::fs::remove_file(engine.staged_path(&hash)),
        });
    if let Some(Err(error)) = removed
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::debug!(%hash, %error, "cannot remove a copy that no upload needs");
    }
}
