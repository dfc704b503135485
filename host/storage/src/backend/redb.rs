//! The backend on disk: a redb database with a write-ahead log and memtables in front of it.
//!
//! A batch is durable once its record is in the log, and is read from the active memtable. When the
//! current half of the log is full, or its batches are old, the active memtable is frozen: the
//! flusher writes it into the database while the next batches go to the other half and a new
//! memtable. So the database writes each page once for thousands of batches, and rows that are
//! written and removed in between never reach it. See docs/storage.md.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use redb::backends::FileBackend;
use redb::{Database, StorageBackend};

use super::database::{DatabaseSnapshot, FlushTransaction};
use super::flusher::{self, CHUNK_KEYS, FlushMode, Flusher};
use super::layers::Layers;
use super::memtable::Memtable;
use super::mutants::{self, Mutant};
use super::read_errors::ReadErrors;
use super::wal::{HALF_BYTES, RecordFit, Wal};
use super::{
    ApplyError, Backend, BackendLoad, BackendSnapshot, CheckpointState, KeyUpdate, Visit, format, new_database,
};
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

/// The first and the longest time between a flush that found no space and the next one.
pub(crate) const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(4);
/// The least time between two openings that may heal failed reads.
pub(crate) const HEAL_INTERVAL: Duration = Duration::from_secs(60);
/// Space that must be free before a flush is tried again.
const SPACE_BYTES: usize = 1 << 20;

/// Opens a file.
pub(crate) type OpenDisk = Box<dyn Fn() -> io::Result<Box<dyn StorageBackend>> + Send>;

/// Opens the two files.
pub(crate) struct Opener {
    pub(crate) database: OpenDisk,
    pub(crate) wal: OpenDisk,
    /// Fails if the disk is full.
    pub(crate) has_space: Box<dyn Fn() -> io::Result<()> + Send>,
    /// Memory for pages of the database.
    pub(crate) cache_size_bytes: usize,
    /// Bytes of a half of the log.
    pub(crate) half_bytes: usize,
    /// Bytes of a half that are filled before its memtable is flushed.
    pub(crate) fill_bytes: usize,
    pub(crate) flush_mode: FlushMode,
    /// Keys of a transaction of the database.
    pub(crate) chunk_keys: usize,
    /// After a flush found no space: when the next one is tried.
    pub(crate) first_retry: Duration,
    /// The least time between two openings that may heal failed reads.
    pub(crate) heal_interval: Duration,
}

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

/// The open files and the state over them.
struct OpenFiles {
    db: Arc<Database>,
    wal: Wal,
    fill_bytes: usize,
    chunk_keys: usize,
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
    /// The last batch in `flushed`, and the last one in `frozen`.
    flushed_batch: u64,
    frozen_batch: u64,
    /// The batch that a checkpoint waits for.
    checkpoint: Option<u64>,
    flusher: Flusher,
    errors: Arc<ReadErrors>,
    /// If the database cannot take what the log holds: why. The log then stays as it is, its
    /// batches are read from `active`, and nothing is written.
    read_only: Option<ReadOnly>,
    /// Flushes that have begun.
    flushes: u64,
}

/// Why nothing is written, and when that is tried again; `None` if only a repair helps.
struct ReadOnly {
    reason: Arc<BackendError>,
    retry: Option<Instant>,
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
        let (database, wal) = (path.to_path_buf(), path.with_extension("wal"));
        let space = path.with_extension("space");
        let opener = || Opener {
            database: file_opener(database.clone()),
            wal: file_opener(wal.clone()),
            has_space: space_probe(space.clone()),
            cache_size_bytes,
            half_bytes: HALF_BYTES,
            fill_bytes,
            flush_mode: FlushMode::Thread,
            chunk_keys: CHUNK_KEYS,
            first_retry: FIRST_RETRY,
            heal_interval: HEAL_INTERVAL,
        };
        match Self::open_with(path, opener()) {
            Err(OpenError::FormatTooOld { .. }) => {
                new_database::convert(path)?;
                Self::open_with(path, opener())
            }
            other => other,
        }
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

/// Opens or creates the file at `path`.
pub(crate) fn file_opener(path: PathBuf) -> OpenDisk {
    Box::new(move || {
        let file = FileBackend::new(open_file(&path)?).map_err(io::Error::other)?;
        Ok(Box::new(file))
    })
}

/// Writes some bytes to a file and removes it. A file system tells only so that it has space.
fn space_probe(path: PathBuf) -> Box<dyn Fn() -> io::Result<()> + Send> {
    Box::new(move || {
        let write = || {
            let mut file = File::create(&path)?;
            file.write_all(&vec![0xa5; SPACE_BYTES])?;
            file.sync_all()
        };
        let written = write();
        new_database::remove(&path)?;
        written
    })
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
    /// Opens the database and recovers what only the log holds. If the database cannot take it,
    /// because a page is damaged or the disk is full, both are read as they are.
    fn new(path: &Path, opener: &Opener) -> Result<Self, OpenError> {
        let (db, log) = open_both(path, opener)?;
        // What was read must be what a power loss leaves. Otherwise a truncation may be undone, and
        // bring back a record whose sync had failed, after readers saw a state without it.
        if !mutants::has(Mutant::OpeningWithoutSync) {
            let synced = log.wal.sync();
            synced.map_err(|error| format::not_read(path, error.into()))?;
        }
        if log.batch == log.flushed_batch {
            return Self::start(path, opener, db, log, None);
        }
        // After a sync that failed, this one may have succeeded without making a record durable. In
        // one transaction, the database gets all of a batch or nothing.
        let chunk_keys = match mutants::has(Mutant::RecoveryInChunks) {
            false => usize::MAX,
            true => opener.chunk_keys,
        };
        match flusher::flush(&db, &log.recovered, log.batch, chunk_keys) {
            Ok(()) => {
                let log = Log {
                    flushed_batch: log.batch,
                    recovered: Memtable::default(),
                    ..log
                };
                Self::start(path, opener, db, log, None)
            }
            Err(error) if error.is_damage() || error.is_no_space() => {
                // An error of the disk makes redb refuse everything until it is opened again.
                drop((db, log));
                let (db, log) = open_both(path, opener)?;
                // What readers see from now on must stay.
                let rewritten = log.wal.rewrite();
                rewritten.map_err(|error| format::not_read(path, error.into()))?;
                tracing::error!(path = %path.display(), %error, "the storage takes no writes");
                Self::start(path, opener, db, log, Some(error))
            }
            Err(error) => Err(format::not_read(path, error)),
        }
    }

    fn start(
        path: &Path,
        opener: &Opener,
        db: Database,
        log: Log,
        problem: Option<BackendError>,
    ) -> Result<Self, OpenError> {
        let failed = |error| format::not_read(path, error);
        let db = Arc::new(db);
        let retained_bytes = RETAINED_PER_HALF.saturating_mul(opener.fill_bytes);
        Ok(Self {
            flushed: Arc::new(DatabaseSnapshot::open(&*db, &log.errors).map_err(failed)?),
            flusher: Flusher::start(&db, opener.flush_mode, retained_bytes, opener.chunk_keys).map_err(failed)?,
            db,
            wal: log.wal,
            fill_bytes: opener.fill_bytes,
            chunk_keys: opener.chunk_keys,
            batch: log.batch,
            active: Arc::new(log.recovered),
            filled: None,
            frozen: None,
            flushed_batch: log.flushed_batch,
            frozen_batch: log.flushed_batch,
            checkpoint: None,
            read_only: problem.map(|problem| ReadOnly {
                // A page that was changed stays so. One that cannot be read may be read later.
                retry: (problem.is_no_space() || log.errors.any()).then(|| Instant::now() + opener.first_retry),
                reason: Arc::new(problem),
            }),
            errors: log.errors,
            flushes: 0,
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

    /// # Errors
    /// [`ApplyError::Refused`] while nothing is written, and if the log cannot grow.
    fn apply(&mut self, updates: &[KeyUpdate<'_>]) -> Result<(), ApplyError> {
        self.check_writable()?;
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
            RecordFit::NextHalf if self.frozen.is_some() && mutants::has(Mutant::HalfOverwrittenEarly) => {
                self.wal.turn_over();
                self.log(batch, updates)?;
            }
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

    fn check_writable(&self) -> Result<(), ApplyError> {
        match &self.read_only {
            None => Ok(()),
            Some(ReadOnly { reason, .. }) => Err(ApplyError::Refused(BackendError::ReadOnly(Arc::clone(reason)))),
        }
    }

    fn checkpoint(&mut self) -> Result<Option<CheckpointState>, ApplyError> {
        self.check_writable()?;
        let batch = *self.checkpoint.get_or_insert(self.batch);
        if self.flushed_batch >= batch {
            self.checkpoint = None;
            return Ok(Some(CheckpointState {
                state: Arc::clone(&self.flushed) as Arc<dyn BackendSnapshot>,
                batch: self.flushed_batch,
            }));
        }
        if self.frozen.is_none() {
            self.freeze()?;
        }
        Ok(None)
    }

    fn maintenance_due(&self) -> Option<Instant> {
        if let Some(read_only) = &self.read_only {
            return read_only.retry;
        }
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
    fn log(&mut self, batch: u64, updates: &[KeyUpdate<'_>]) -> Result<(), ApplyError> {
        // Nothing of the record is written yet. A disk that is full here does no harm.
        let grown = self.wal.make_room();
        grown.map_err(|error| ApplyError::Refused(error.into()))?;
        self.wal.write()?;
        self.active.insert(batch, updates);
        let now = Instant::now();
        let first = self.filled.map_or(now, |filled| filled.first);
        self.filled = Some(FillTimes { first, last: now });
        Ok(())
    }

    /// Writes a batch that is too long for the log into the database, after everything before it.
    fn apply_to_database(&mut self, batch: u64, updates: &[KeyUpdate<'_>]) -> Result<(), ApplyError> {
        self.flush_all()?;
        let mut transaction = FlushTransaction::begin(&self.db)?;
        transaction
            .write(updates.iter().copied())
            .map_err(|error| match error.is_damage() {
                // The transaction is dropped, and redb goes on.
                true => ApplyError::Refused(error),
                false => ApplyError::Failed(error),
            })?;
        transaction.commit_batch(batch)?;
        self.flushed = Arc::new(DatabaseSnapshot::open(&*self.db, &self.errors)?);
        self.flushed_batch = batch;
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
            false => {
                self.flushes += 1;
                flusher::flush(&self.db, &self.active, self.batch, self.chunk_keys)
            }
        }
    }

    /// Starts to flush the active memtable. The next batches go to a new one and to the other half
    /// of the log, whose batches the database holds already.
    fn freeze(&mut self) -> Result<(), BackendError> {
        let frozen = std::mem::take(&mut self.active);
        self.filled = None;
        self.flusher.begin(Arc::clone(&frozen), self.batch)?;
        self.flushes += 1;
        self.frozen = Some(frozen);
        self.frozen_batch = self.batch;
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
        self.flushed = Arc::new(DatabaseSnapshot::open(&*self.db, &self.errors)?);
        self.flushed_batch = self.frozen_batch;
        self.frozen = None;
        Ok(())
    }

    /// Flushes everything, closes both files and empties the log. If nothing can be flushed, the
    /// log stays.
    fn close(mut self) -> Result<(), BackendError> {
        if self.read_only.is_none() {
            self.flush_all()?;
        }
        self.flusher.stop();
        drop(self.flushed);
        match Arc::into_inner(self.db) {
            Some(db) => db.close().map_err(redb::Error::from)?,
            None => return Err(BackendError::Failed("the database is still in use".into())),
        }
        match self.read_only {
            None => Ok(self.wal.empty()?),
            Some(_) => Ok(()),
        }
    }
}

/// The log after it was read.
struct Log {
    wal: Wal,
    /// What only the log holds.
    recovered: Memtable,
    /// The last batch of the database, and the last one of both files.
    flushed_batch: u64,
    batch: u64,
    errors: Arc<ReadErrors>,
}

/// Opens both files, and reads the records after the last batch of the database.
fn open_both(path: &Path, opener: &Opener) -> Result<(Database, Log), OpenError> {
    let failed = |error: io::Error| format::not_read(path, error.into());
    let disk = (opener.database)().map_err(failed)?;
    let errors = Arc::default();
    let db = format::open(path, disk, opener.cache_size_bytes, &errors)?;
    let (file_id, flushed_batch) = format::identity(&db).map_err(|error| format::not_read(path, error))?;
    let disk = (opener.wal)().map_err(failed)?;
    let wal = Wal::open(disk, file_id, opener.half_bytes).map_err(failed)?;
    let recovered = Memtable::default();
    let replay = wal.replay(flushed_batch, |batch, updates| recovered.insert(batch, updates));
    let replay = replay.map_err(failed)?;
    if let Some(later) = replay.later {
        let missing = replay.last + 1;
        return Err(OpenError::Damaged {
            path: path.with_extension("wal"),
            damage: format!("batch {missing} cannot be read, but the later batch {later} can"),
        });
    }
    let log = Log {
        wal,
        recovered,
        flushed_batch,
        batch: replay.last,
        errors,
    };
    Ok((db, log))
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
    fn take_read_failure(&self) -> bool {
        self.flushed.take_read_failure()
    }

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
