//! The backend on disk: a redb database with a write-ahead log and memtables in front of it.
//!
//! A batch is durable once its record is in the log, and is read from the active memtable. When the
//! current half of the log is full, or its batches are old, the active memtable is frozen: the
//! flusher writes it into the database while the next batches go to the other half and a new
//! memtable. So the database writes each page once for thousands of batches, and rows that are
//! written and removed in between never reach it. See docs/storage.md.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, io};

#[cfg(test)]
use super::open_files;
use super::open_files::OpenFiles;
use super::opener::{HEAL_INTERVAL, Opener};
use super::{
    ApplyError, Backend, BackendLoad, BackendSnapshot, CheckpointState, KeyUpdate, format, new_database, pages,
};
use crate::error::{BackendError, OpenError};

/// The longest time between a flush that found no space and the next one.
const LAST_RETRY: Duration = Duration::from_secs(4);

/// A redb database with its log. It can be reopened after a failure.
pub(crate) struct RedbBackend {
    path: PathBuf,
    opener: Opener,
    open: Option<OpenFiles>,
    /// The time until the next flush after one that failed.
    retry: Duration,
    /// When the files were last opened again because of failed reads.
    healed: Option<Instant>,
    /// Flushes before the files were last reopened.
    earlier_flushes: u64,
}

impl RedbBackend {
    /// Opens or creates the database at `path` and its log, which is `path` with the extension
    /// `wal`. No other process may have them open.
    pub(crate) fn open(path: &Path, cache_size_bytes: usize, fill_bytes: usize) -> Result<Self, OpenError> {
        let lacks_log = lacks_log(path)?;
        let opener = || Opener::of_files(path, cache_size_bytes, fill_bytes);
        let opened = match Self::open_with(path, opener()) {
            Err(OpenError::FormatTooOld { .. }) => {
                new_database::convert(path)?;
                Self::open_with(path, opener())
            }
            other => other,
        }?;
        if lacks_log && opened.open.as_ref().is_some_and(|open| open.batch > 0) {
            tracing::warn!(
                log = %path.with_extension("wal").display(),
                "the database was not closed, and its log is missing or empty; if somebody removed the log, the last \
                 commits are lost"
            );
        }
        Ok(opened)
    }

    /// Opens with `opener`, now and after each failure. Errors name `path`.
    pub(crate) fn open_with(path: &Path, opener: Opener) -> Result<Self, OpenError> {
        let open = OpenFiles::new(path, &opener)?;
        Ok(Self {
            path: path.to_path_buf(),
            retry: opener.first_retry,
            opener,
            open: Some(open),
            healed: None,
            earlier_flushes: 0,
        })
    }

    /// The last batch. `None` if the files are not open.
    #[cfg(any(test, feature = "faults"))]
    pub(crate) fn batch(&self) -> Option<u64> {
        self.open.as_ref().map(|open| open.batch)
    }

    /// After a flush that found no space, or could not read: tries again.
    fn retry_flush(&mut self) -> Result<Option<Arc<dyn BackendSnapshot>>, BackendError> {
        let now = Instant::now();
        let Some(read_only) = self.open.as_mut().and_then(|open| open.read_only.as_mut()) else {
            return Ok(None);
        };
        if read_only.retry.is_none_or(|retry| retry > now) {
            return Ok(None);
        }
        let longest = match read_only.reason.is_damage() {
            true => HEAL_INTERVAL,
            false => LAST_RETRY,
        };
        self.retry = (self.retry * 2).min(longest);
        read_only.retry = Some(now + self.retry);
        if (self.opener.has_space)().is_err() {
            return Ok(None);
        }
        self.reopen()?;
        if let Some(read_only) = self.open.as_mut().and_then(|open| open.read_only.as_mut()) {
            read_only.retry = read_only.retry.map(|_| now + self.retry);
        } else {
            self.retry = self.opener.first_retry;
            tracing::warn!(path = %self.path.display(), "the storage takes writes again");
        }
        self.snapshot().map(Some)
    }
}

#[cfg(test)]
impl RedbBackend {
    /// Makes the active memtable due for a flush now, or not soon, whatever its age is.
    pub(crate) fn set_due(&mut self, is_due: bool) {
        if let Some(open) = &mut self.open
            && let Some(filled) = &mut open.filled
        {
            let now = Instant::now();
            let at = if is_due {
                now.checked_sub(open_files::MAX_AGE)
            } else {
                now.checked_add(100 * open_files::MAX_AGE)
            };
            let at = at.unwrap_or(now);
            *filled = open_files::FillTimes { first: at, last: at };
        }
    }
}

impl Backend for RedbBackend {
    fn snapshot(&self) -> Result<Arc<dyn BackendSnapshot>, BackendError> {
        Ok(self.open.as_ref().ok_or(BackendError::Closed)?.snapshot())
    }

    fn apply(
        &mut self,
        updates: &mut dyn Iterator<Item = KeyUpdate<'_>>,
    ) -> Result<Arc<dyn BackendSnapshot>, ApplyError> {
        let open = self.open.as_mut().ok_or(BackendError::Closed)?;
        open.apply(&updates.collect::<Vec<_>>())?;
        Ok(open.snapshot())
    }

    fn maintenance_due(&self) -> Option<Instant> {
        self.open.as_ref()?.maintenance_due()
    }

    fn maintain(&mut self) -> Result<Option<Arc<dyn BackendSnapshot>>, BackendError> {
        if let Some(state) = self.retry_flush()? {
            return Ok(Some(state));
        }
        let open = self.open.as_mut().ok_or(BackendError::Closed)?;
        let has_moved = open.finish_flush()?;
        if open.is_due() {
            open.freeze()?;
        }
        Ok(has_moved.then(|| open.snapshot()))
    }

    fn should_reopen(&mut self) -> bool {
        let has_errors = self.open.as_ref().is_some_and(|open| open.errors.any());
        let waits = self
            .healed
            .is_some_and(|healed| healed.elapsed() < self.opener.heal_interval);
        if has_errors && !waits {
            self.healed = Some(Instant::now());
        }
        has_errors && !waits
    }

    fn checkpoint(&mut self) -> Result<Option<CheckpointState>, ApplyError> {
        self.open.as_mut().ok_or(BackendError::Closed)?.checkpoint()
    }

    fn load(&self) -> BackendLoad {
        let open = self.open.as_ref();
        BackendLoad {
            flushes: self.earlier_flushes + open.map_or(0, |open| open.flushes),
            log_bytes: open.map_or(0, |open| open.wal.used_bytes() as u64),
        }
    }

    fn reopen(&mut self) -> Result<(), BackendError> {
        self.earlier_flushes = self.load().flushes;
        if let Err(error) = self.close() {
            tracing::warn!(path = %self.path.display(), %error, "the failed storage could not be closed cleanly");
        }
        let open = OpenFiles::new(&self.path, &self.opener).map_err(|error| match error {
            OpenError::Backend { source, .. } => source,
            OpenError::InUse { .. }
            | OpenError::FormatTooNew { .. }
            | OpenError::FormatTooOld { .. }
            | OpenError::Damaged { .. }
            | OpenError::LogWithoutDatabase { .. }
            | OpenError::NotAStore { .. }
            | OpenError::Thread(_) => BackendError::Database(Arc::new(error)),
        })?;
        self.open = Some(open);
        Ok(())
    }

    fn close(&mut self) -> Result<(), BackendError> {
        match self.open.take() {
            Some(open) => open.close(),
            None => Ok(()),
        }
    }
}

/// Whether the database was not closed and has no log, as after a kill if somebody removed the log.
///
/// # Errors
/// [`OpenError::LogWithoutDatabase`]: a new database would take the log for one of another
/// database, and empty it.
fn lacks_log(path: &Path) -> Result<bool, OpenError> {
    let failed = |error: io::Error| format::not_read(path, error.into());
    let len = |path: &Path| match fs::metadata(path) {
        Ok(found) => Ok(found.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(failed(error)),
    };
    let log = path.with_extension("wal");
    match (len(path)?, len(&log)?) {
        (0, 0) => Ok(false),
        (0, _) => Err(OpenError::LogWithoutDatabase {
            path: path.to_path_buf(),
            log,
        }),
        (_, 0) => pages::is_open(path).map_err(failed),
        (_, _) => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without a batch or a message, the committer's own clock alone leads to a flush.
    #[test]
    fn maintenance_falls_due_by_itself_until_the_memtable_is_flushed() {
        let dir = tempfile::tempdir().unwrap();
        let mut backend = RedbBackend::open(&dir.path().join("test.redb"), 1 << 20, 1 << 20).unwrap();
        assert_eq!(backend.maintenance_due(), None);
        backend
            .apply(&mut [(&b"t\0k"[..], Some(&b"v\0"[..]))].into_iter())
            .unwrap();
        let mut rounds = 0;
        while let Some(due) = backend.maintenance_due() {
            std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
            backend.maintain().unwrap();
            rounds += 1;
            assert!(rounds < 10_000, "the flush never ends");
        }
        assert!(rounds >= 2, "one to freeze and one to release");
        assert!(backend.open.as_ref().unwrap().active.is_empty());
        assert_eq!(backend.snapshot().unwrap().get(b"t\0k").unwrap().unwrap(), b"v\0");
        backend.close().unwrap();
    }
}
