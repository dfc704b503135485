//! How writers of one space exclude each other.
//!
//! If the store has conditional puts, a segment is changed with `If-Match` and nothing is locked. A
//! directory has no conditional put. There a writer takes the operating system's lock on
//! `lists/.lock`, which is free again when its process dies. In any other store a writer takes a
//! lock object with a lease ([`crate::lease`]).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::Error;
use crate::backoff::Backoff;
use crate::conditions::Conditions;
use crate::lease::{Lease, LeaseLock};
use crate::objects::Objects;

/// What prevents lost updates in a space.
#[derive(Debug)]
pub(crate) enum Exclusion {
    /// Conditional puts.
    Conditional,
    /// The operating system's lock on a file.
    File(FileLock),
    /// A lock object with a lease.
    Lease(LeaseLock),
    /// Nothing. The store has no conditional put, and cannot create without replacing.
    Alone,
}

/// The right to change segments.
#[derive(Debug)]
pub(crate) enum Guard {
    /// Every put must be conditional.
    Conditional,
    /// This writer is the only one.
    File {
        _file: std::fs::File,
        _turn: OwnedMutexGuard<()>,
    },
    /// This writer is the only one until the lease ends.
    Lease(Lease),
    /// There may be other writers.
    Alone,
}

impl Guard {
    /// Whether every put must be conditional.
    pub(crate) fn is_conditional(&self) -> bool {
        matches!(self, Guard::Conditional)
    }

    /// Fails if a put that begins now could end after the lease.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Guard::Lease(lease) => lease.check(),
            Guard::Conditional | Guard::File { .. } | Guard::Alone => Ok(()),
        }
    }
}

impl Exclusion {
    /// Tries what the store can do. Logs it if the store has no conditional put.
    pub(crate) async fn probe(objects: &Objects) -> Result<Self, Error> {
        if let Some(directory) = objects.directory() {
            let lock = FileLock::new(directory.join("lists").join(".lock"));
            match lock.try_take().await {
                Ok(_) => {
                    tracing::info!(
                        space = objects.name(),
                        "no conditional puts in a directory: taking a file lock"
                    );
                    return Ok(Exclusion::File(lock));
                }
                Err(error) if error.kind() == std::io::ErrorKind::Unsupported => {}
                Err(error) => return Err(Error::unreachable("lists/.lock", error)),
            }
        } else if Conditions::probe(objects).await?.exclude() {
            return Ok(Exclusion::Conditional);
        }
        let exclusion = match LeaseLock::probe(objects).await? {
            Some(lock) => Exclusion::Lease(lock),
            None => Exclusion::Alone,
        };
        match &exclusion {
            Exclusion::Alone => tracing::error!(
                space = objects.name(),
                "the store has neither conditional puts nor locks: two writers at once lose changes"
            ),
            _ => tracing::warn!(
                space = objects.name(),
                "no conditional puts in this store: taking a lock object"
            ),
        }
        Ok(exclusion)
    }

    /// Waits for the right to change segments.
    pub(crate) async fn enter(&self, objects: &Objects) -> Result<Guard, Error> {
        objects.check_in_place()?;
        match self {
            Exclusion::Conditional => Ok(Guard::Conditional),
            Exclusion::Alone => Ok(Guard::Alone),
            Exclusion::File(lock) => lock
                .take()
                .await
                .map_err(|error| Error::unreachable("lists/.lock", error)),
            Exclusion::Lease(lock) => Ok(Guard::Lease(lock.take(objects).await?)),
        }
    }
}

/// The operating system's lock on one file.
#[derive(Debug)]
pub(crate) struct FileLock {
    path: PathBuf,
    /// Held by the one task of this process that asks the system.
    turn: Arc<Mutex<()>>,
}

impl FileLock {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            turn: Arc::default(),
        }
    }

    async fn take(&self) -> std::io::Result<Guard> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let mut backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(20));
        loop {
            if let Some(file) = self.try_take().await? {
                return Ok(Guard::File {
                    _file: file,
                    _turn: turn,
                });
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }

    async fn try_take(&self) -> std::io::Result<Option<std::fs::File>> {
        let path = self.path.clone();
        let taken = tokio::task::spawn_blocking(move || try_lock(&path));
        taken.await.map_err(std::io::Error::other)?
    }
}

fn try_lock(path: &std::path::Path) -> std::io::Result<Option<std::fs::File>> {
    if let Some(parent) = path.parent() {
        // Only `lists` itself: if the disk of the space is gone, no new space must begin there.
        match std::fs::create_dir(parent) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    let file = std::fs::File::options().create(true).append(true).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
        Err(std::fs::TryLockError::Error(error)) => return Err(error),
    }
    // If the file was removed after it was opened, others lock a new file.
    Ok(is_at(&file, path)?.then_some(file))
}

#[cfg(unix)]
fn is_at(file: &std::fs::File, path: &std::path::Path) -> std::io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let held = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(there) => Ok(there.ino() == held.ino() && there.dev() == held.dev()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn is_at(_: &std::fs::File, _: &std::path::Path) -> std::io::Result<bool> {
    // An open file cannot be removed on these systems.
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_lock_has_one_holder_and_is_free_when_it_is_dropped() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("lists/.lock");
        let (one, other) = (FileLock::new(path.clone()), FileLock::new(path));
        let held = one.take().await.expect("free");
        assert!(other.try_take().await.expect("readable").is_none());
        drop(held);
        assert!(other.try_take().await.expect("readable").is_some());
    }

    #[tokio::test]
    async fn a_lock_whose_file_was_removed_is_not_taken() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join(".lock");
        let file = try_lock(&path).expect("readable").expect("free");
        std::fs::remove_file(&path).expect("there");
        assert!(!is_at(&file, &path).expect("readable"));
        assert!(try_lock(&path).expect("readable").is_some(), "the new file is free");
    }
}
