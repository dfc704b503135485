//! The backend on disk: a redb database with a write-ahead log and memtables in front of it.
//!
//! A batch is durable once its record is in the log, and is read from the active memtable. When the
//! current half of the log is full, or its batches are old, the active memtable is frozen: the
//! flusher writes it into the database while the next batches go to the other half and a new
//! memtable. So the database writes each page once for thousands of batches, and rows that are
//! written and removed in between never reach it. See docs/storage.md.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, StorageBackend};

use super::database::{DatabaseSnapshot, FlushTransaction};
use super::flusher::{self, Flusher};
use super::layers::Layers;
use super::memtable::Memtable;
use super::wal::{HALF_BYTES, RecordFit, Wal};
use super::{Backend, BackendSnapshot, KeyUpdate, Visit, format};
use crate::error::{BackendError, OpenError};

/// Bytes of flushed memtables that are kept for old snapshots, for each byte of a log half.
const RETAINED_PER_HALF: usize = 8;

/// A memtable is flushed this long after its first batch, if no batch came for [`QUIET`].
const MIN_AGE: Duration = Duration::from_secs(2);
const QUIET: Duration = Duration::from_millis(200);
/// A memtable is flushed this long after its first batch in any case. The longer it waits, the more
/// of its keys share a page of the database.
const MAX_AGE: Duration = Duration::from_secs(10);

/// How often a flush in progress is checked for its end.
const FLUSH_POLL: Duration = Duration::from_millis(20);

/// Opens the two files.
pub(crate) struct Opener {
    pub(crate) database: Box<dyn Fn() -> Result<Database, DatabaseError> + Send>,
    pub(crate) wal: Box<dyn Fn() -> io::Result<Box<dyn StorageBackend>> + Send>,
    /// Bytes of a half of the log.
    pub(crate) half_bytes: usize,
    /// Bytes of a half that are filled before its memtable is flushed.
    pub(crate) fill_bytes: usize,
}

/// A redb database with its log. It can be reopened after a failure.
pub(crate) struct RedbBackend {
    path: PathBuf,
    opener: Opener,
    open: Option<OpenFiles>,
}

/// The open files and the state over them.
struct OpenFiles {
    db: Arc<Database>,
    wal: Wal,
    fill_bytes: usize,
    /// The last batch.
    batch: u64,
    /// The updates since the current half of the log was begun.
    active: Arc<Memtable>,
    /// When `active` got its first and its last batch; `None` while it is empty.
    filled: Option<FillTimes>,
    /// The updates of the other half, while they are flushed.
    frozen: Option<Arc<Memtable>>,
    /// What the database itself holds.
    flushed: Arc<DatabaseSnapshot>,
    flusher: Flusher,
}

/// When a memtable got its first and its last batch.
#[derive(Debug, Clone, Copy)]
struct FillTimes {
    first: Instant,
    last: Instant,
}

impl FillTimes {
    /// When the memtable is due for a flush, if no more batches come.
    fn due(self) -> Instant {
        (self.first + MIN_AGE).max(self.last + QUIET).min(self.first + MAX_AGE)
    }
}

impl RedbBackend {
    /// Opens or creates the database at `path` and its log, which is `path` with the extension
    /// `wal`. No other process may have them open.
    pub(crate) fn open(path: &Path, cache_size_bytes: usize, fill_bytes: usize) -> Result<Self, OpenError> {
        let database = path.to_path_buf();
        let wal = path.with_extension("wal");
        let opener = Opener {
            database: Box::new(move || {
                let file = FileBackend::new(open_file(&database)?)?;
                Builder::new()
                    .set_cache_size(cache_size_bytes)
                    .create_with_backend(file)
            }),
            wal: Box::new(move || {
                let file = FileBackend::new(open_file(&wal)?).map_err(io::Error::other)?;
                Ok(Box::new(file))
            }),
            half_bytes: HALF_BYTES,
            fill_bytes,
        };
        Self::open_with(path, opener)
    }

    /// Opens with `opener`, now and after each failure. Errors name `path`.
    pub(crate) fn open_with(path: &Path, opener: Opener) -> Result<Self, OpenError> {
        let open = OpenFiles::new(path, &opener)?;
        Ok(Self {
            path: path.to_path_buf(),
            opener,
            open: Some(open),
        })
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
                now.checked_sub(MAX_AGE)
            } else {
                now.checked_add(100 * MAX_AGE)
            };
            let at = at.unwrap_or(now);
            *filled = FillTimes { first: at, last: at };
        }
    }
}

/// Opens or creates a file.
fn open_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false).open(path)
}

impl Backend for RedbBackend {
    fn snapshot(&self) -> Result<Arc<dyn BackendSnapshot>, BackendError> {
        Ok(self.open.as_ref().ok_or(BackendError::Closed)?.snapshot())
    }

    fn apply(
        &mut self,
        updates: &mut dyn Iterator<Item = KeyUpdate<'_>>,
    ) -> Result<Arc<dyn BackendSnapshot>, BackendError> {
        let open = self.open.as_mut().ok_or(BackendError::Closed)?;
        open.apply(&updates.collect::<Vec<_>>())?;
        Ok(open.snapshot())
    }

    fn maintenance_due(&self) -> Option<Instant> {
        self.open.as_ref()?.maintenance_due()
    }

    fn maintain(&mut self) -> Result<Option<Arc<dyn BackendSnapshot>>, BackendError> {
        let open = self.open.as_mut().ok_or(BackendError::Closed)?;
        let has_moved = open.finish_flush()?;
        if open.is_due() {
            open.freeze()?;
        }
        Ok(has_moved.then(|| open.snapshot()))
    }

    fn reopen(&mut self) -> Result<(), BackendError> {
        if let Err(error) = self.close() {
            tracing::warn!(path = %self.path.display(), %error, "the failed storage could not be closed cleanly");
        }
        let open = OpenFiles::new(&self.path, &self.opener).map_err(|error| match error {
            OpenError::Backend { source, .. } => source,
            OpenError::InUse { .. }
            | OpenError::FormatTooNew { .. }
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

impl OpenFiles {
    /// Opens the database and recovers what only the log holds.
    fn new(path: &Path, opener: &Opener) -> Result<Self, OpenError> {
        let db = format::open(path, &opener.database)?;
        Self::recover(db, opener).map_err(|source| OpenError::Backend {
            path: path.to_path_buf(),
            source,
        })
    }

    /// Replays the records after the last batch of the database into a memtable, and flushes it.
    fn recover(db: Database, opener: &Opener) -> Result<Self, BackendError> {
        let (file_id, flushed_batch) = format::identity(&db)?;
        let wal = Wal::open((opener.wal)()?, file_id, opener.half_bytes)?;
        let recovered = Memtable::default();
        let batch = wal.replay(flushed_batch, |batch, updates| recovered.insert(batch, updates))?;
        if batch > flushed_batch {
            // If only the process was killed, the last record may be in the page cache alone. Were
            // it lost now, a part of its batch would stay in the database.
            wal.sync()?;
            flusher::flush(&db, &recovered, batch)?;
        }
        let db = Arc::new(db);
        Ok(Self {
            flushed: Arc::new(DatabaseSnapshot::open(&db)?),
            flusher: Flusher::start(&db, RETAINED_PER_HALF.saturating_mul(opener.fill_bytes))?,
            db,
            wal,
            fill_bytes: opener.fill_bytes,
            batch,
            active: Arc::default(),
            filled: None,
            frozen: None,
        })
    }

    fn snapshot(&self) -> Arc<dyn BackendSnapshot> {
        // Later batches alone will fill a memtable that is empty now.
        let active = Some(&self.active).filter(|memtable| !memtable.is_empty());
        Arc::new(StoreSnapshot {
            memtables: active.into_iter().chain(&self.frozen).map(Arc::clone).collect(),
            flushed: Arc::clone(&self.flushed),
            batch: self.batch,
        })
    }

    fn apply(&mut self, updates: &[KeyUpdate<'_>]) -> Result<(), BackendError> {
        self.finish_flush()?;
        let batch = self.batch + 1;
        self.wal.begin(batch);
        for update in updates {
            self.wal.push(*update);
        }
        let is_full = self.wal.used_bytes() >= self.fill_bytes;
        match self.wal.fit() {
            RecordFit::TooLong => self.apply_to_database(batch, updates)?,
            RecordFit::CurrentHalf if !is_full && !self.is_due() => self.log(batch, updates)?,
            RecordFit::CurrentHalf | RecordFit::NextHalf => {
                // Backpressure: if batches come faster than they are flushed, they wait here.
                self.wait_for_flush()?;
                self.freeze()?;
                self.log(batch, updates)?;
            }
        }
        self.batch = batch;
        Ok(())
    }

    fn maintenance_due(&self) -> Option<Instant> {
        match self.frozen {
            Some(_) => Some(Instant::now() + FLUSH_POLL),
            None => self.filled.map(FillTimes::due),
        }
    }

    /// Whether the active memtable should be flushed now. Only one flush runs at a time.
    fn is_due(&self) -> bool {
        self.frozen.is_none() && self.filled.is_some_and(|filled| filled.due() <= Instant::now())
    }

    /// Makes a batch durable in the log, then lets snapshots read it.
    fn log(&mut self, batch: u64, updates: &[KeyUpdate<'_>]) -> Result<(), BackendError> {
        self.wal.write()?;
        self.active.insert(batch, updates);
        let now = Instant::now();
        let first = self.filled.map_or(now, |filled| filled.first);
        self.filled = Some(FillTimes { first, last: now });
        Ok(())
    }

    /// Writes a batch that is too long for the log into the database, after everything before it.
    fn apply_to_database(&mut self, batch: u64, updates: &[KeyUpdate<'_>]) -> Result<(), BackendError> {
        self.flush_all()?;
        let mut transaction = FlushTransaction::begin(&self.db)?;
        transaction.write(updates.iter().copied())?;
        transaction.commit_batch(batch)?;
        self.flushed = Arc::new(DatabaseSnapshot::open(&self.db)?);
        self.active = Arc::default();
        self.filled = None;
        self.wal.turn_over();
        Ok(())
    }

    /// Flushes both memtables on this thread.
    fn flush_all(&mut self) -> Result<(), BackendError> {
        self.wait_for_flush()?;
        match self.active.is_empty() {
            true => Ok(()),
            false => flusher::flush(&self.db, &self.active, self.batch),
        }
    }

    /// Starts to flush the active memtable. The next batches go to a new one and to the other half
    /// of the log, whose batches the database holds already.
    fn freeze(&mut self) -> Result<(), BackendError> {
        let frozen = std::mem::take(&mut self.active);
        self.filled = None;
        self.flusher.begin(Arc::clone(&frozen), self.batch)?;
        self.frozen = Some(frozen);
        self.wal.turn_over();
        Ok(())
    }

    /// If the flush has ended, lets later snapshots read its rows from the database.
    fn finish_flush(&mut self) -> Result<bool, BackendError> {
        match self.flusher.try_result() {
            None => Ok(false),
            Some(result) => {
                self.release_frozen(result)?;
                Ok(true)
            }
        }
    }

    fn wait_for_flush(&mut self) -> Result<(), BackendError> {
        if self.frozen.is_some() {
            let result = self.flusher.wait();
            self.release_frozen(result)?;
        }
        Ok(())
    }

    fn release_frozen(&mut self, flushed: Result<(), BackendError>) -> Result<(), BackendError> {
        flushed?;
        self.flushed = Arc::new(DatabaseSnapshot::open(&self.db)?);
        self.frozen = None;
        Ok(())
    }

    /// Flushes everything, closes both files and empties the log.
    fn close(mut self) -> Result<(), BackendError> {
        self.flush_all()?;
        self.flusher.stop();
        drop(self.flushed);
        match Arc::into_inner(self.db) {
            Some(db) => db.close().map_err(redb::Error::from)?,
            None => return Err(BackendError::Failed("the database is still in use".into())),
        }
        Ok(self.wal.empty()?)
    }
}

/// The state after a batch.
struct StoreSnapshot {
    /// The newest first.
    memtables: Vec<Arc<Memtable>>,
    flushed: Arc<DatabaseSnapshot>,
    batch: u64,
}

impl StoreSnapshot {
    fn layers(&self) -> Layers<'_, DatabaseSnapshot> {
        Layers {
            memtables: &self.memtables,
            base: &*self.flushed,
            batch: self.batch,
        }
    }
}

impl BackendSnapshot for StoreSnapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        self.layers().get(key)
    }

    fn walk(&self, start: &[u8], end: &[u8], reverse: bool, visit: &mut Visit<'_>) -> Result<(), BackendError> {
        self.layers().walk(start, end, reverse, visit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memtable_is_due_when_batches_stop_and_at_last_when_it_is_old() {
        let first = Instant::now();
        let after = |time| {
            FillTimes {
                first,
                last: first + time,
            }
            .due()
                - first
        };
        assert_eq!(after(Duration::ZERO), MIN_AGE);
        assert_eq!(after(MIN_AGE - QUIET / 2), MIN_AGE + QUIET / 2);
        assert_eq!(after(MIN_AGE * 3), MIN_AGE * 3 + QUIET);
        assert_eq!(after(MAX_AGE - QUIET / 2), MAX_AGE);
        assert_eq!(after(MAX_AGE * 2), MAX_AGE);
    }

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
