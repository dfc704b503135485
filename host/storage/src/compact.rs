//! A database file without unused space.

use std::path::Path;
use std::sync::Arc;

use redb::Database;

use crate::backend::database::DatabaseSnapshot;
use crate::backend::new_database::{self, NewDatabase};
use crate::backend::opener::file_opener;
use crate::backend::redb::RedbBackend;
use crate::backend::wal::HALF_BYTES;
use crate::backend::{Backend as _, BackendSnapshot as _, format};
use crate::error::{BackendError, OpenError};

/// Memory for pages.
const CACHE_BYTES: usize = 32 << 20;

/// Rewrites the closed store at `path` without unused space. Returns the length of its database
/// before and after, in bytes.
///
/// All rows are copied to a new file beside it, which then takes its place. Until then the old file
/// stays as it is, so a crash or a full disk loses nothing. It needs as much free space as the rows
/// take. A log that holds batches is taken over first.
///
/// # Errors
///
/// Those of [`Store::open`](crate::Store::open); [`OpenError::Backend`] if the new file cannot be
/// written.
pub fn compact(path: &Path) -> Result<(u64, u64), OpenError> {
    let failed = |error: BackendError| format::not_read(path, error);
    if !path.try_exists().map_err(|error| failed(error.into()))? {
        return Err(failed(std::io::Error::from(std::io::ErrorKind::NotFound).into()));
    }
    // Recovers and empties the log.
    let mut backend = RedbBackend::open(path, CACHE_BYTES, HALF_BYTES)?;
    backend.close().map_err(failed)?;
    let before = len(path).map_err(failed)?;
    let disk = file_opener(path.to_path_buf())().map_err(|error| failed(error.into()))?;
    // Held until the new file has its name, so that no store opens the old one.
    let old = format::open(path, disk, CACHE_BYTES, &Arc::default())?;
    let copy = path.with_extension("compacted");
    let copied = copy_rows(&old, &copy).and_then(|()| Ok(new_database::replace(&copy, path)?));
    if let Err(error) = copied {
        // A leftover is replaced by the next attempt.
        let _ = new_database::remove(&copy);
        return Err(failed(error));
    }
    Ok((before, len(path).map_err(failed)?))
}

fn copy_rows(old: &Database, copy: &Path) -> Result<(), BackendError> {
    new_database::remove(copy)?;
    let (file_id, batch) = format::identity(old)?;
    let mut new = NewDatabase::create(copy)?;
    let mut failure = None;
    DatabaseSnapshot::open(old, &Arc::default())?.walk(
        &[],
        &[0xff],
        false,
        &mut |key, value| match new.put(key, value) {
            Ok(()) => std::ops::ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                std::ops::ControlFlow::Break(())
            }
        },
    )?;
    match failure {
        None => new.finish(file_id, batch).map(drop),
        Some(error) => Err(error),
    }
}

fn len(path: &Path) -> Result<u64, BackendError> {
    Ok(std::fs::metadata(path)?.len())
}
