//! The open files, and the memtables over them: batches go in here, flushes come out.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redb::Database;

use super::database::{DatabaseSnapshot, FlushTransaction};
use super::flusher::{self, Flusher};
use super::layers::Layers;
use super::memtable::Memtable;
use super::mutants::{self, Mutant};
use super::opener::Opener;
use super::read_errors::ReadErrors;
use super::recovery::{self, Log, Recovered};
use super::wal::{RecordFit, Wal};
use super::{ApplyError, BackendSnapshot, CheckpointState, KeyUpdate, Visit, format};
use crate::error::{BackendError, OpenError};

/// Bytes of flushed memtables that are kept for old snapshots, for each byte of a log half.
const RETAINED_PER_HALF: usize = 8;

/// A memtable is flushed this long after its first batch, if no batch came for [`QUIET`].
const MIN_AGE: Duration = Duration::from_secs(2);
const QUIET: Duration = Duration::from_millis(200);
/// A memtable is flushed this long after its first batch in any case. The longer it waits, the more
/// of its keys share a page of the database.
pub(super) const MAX_AGE: Duration = Duration::from_secs(10);

/// How often a flush in progress is checked for its end.
const FLUSH_POLL: Duration = Duration::from_millis(20);

/// The open files and the state over them.
pub(super) struct OpenFiles {
    db: Arc<Database>,
    pub(super) wal: Wal,
    fill_bytes: usize,
    chunk_keys: usize,
    /// The last batch.
    pub(super) batch: u64,
    /// The updates since the current half of the log was begun.
    pub(super) active: Arc<Memtable>,
    /// When `active` got its first and its last batch; `None` while it is empty.
    pub(super) filled: Option<FillTimes>,
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
    pub(super) errors: Arc<ReadErrors>,
    /// If the database cannot take what the log holds: why. The log then stays as it is, its
    /// batches are read from `active`, and nothing is written.
    pub(super) read_only: Option<ReadOnly>,
    /// Flushes that have begun.
    pub(super) flushes: u64,
}

/// Why nothing is written, and when that is tried again; `None` if only a repair helps.
pub(super) struct ReadOnly {
    pub(super) reason: Arc<BackendError>,
    pub(super) retry: Option<Instant>,
}

/// When a memtable got its first and its last batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct FillTimes {
    pub(super) first: Instant,
    pub(super) last: Instant,
}

impl FillTimes {
    /// When the memtable is due for a flush, if no more batches come.
    fn due(self) -> Instant {
        (self.first + MIN_AGE).max(self.last + QUIET).min(self.first + MAX_AGE)
    }
}

impl OpenFiles {
    /// Opens both files, and recovers what only the log holds.
    pub(super) fn new(path: &Path, opener: &Opener) -> Result<Self, OpenError> {
        let Recovered { db, log, problem } = recovery::recover(path, opener)?;
        Self::start(path, opener, db, log, problem)
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

    pub(super) fn snapshot(&self) -> Arc<dyn BackendSnapshot> {
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
    pub(super) fn apply(&mut self, updates: &[KeyUpdate<'_>]) -> Result<(), ApplyError> {
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

    pub(super) fn checkpoint(&mut self) -> Result<Option<CheckpointState>, ApplyError> {
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

    pub(super) fn maintenance_due(&self) -> Option<Instant> {
        if let Some(read_only) = &self.read_only {
            return read_only.retry;
        }
        match self.frozen {
            Some(_) => Some(Instant::now() + FLUSH_POLL),
            None => self.filled.map(FillTimes::due),
        }
    }

    /// Whether the active memtable should be flushed now. Only one flush runs at a time.
    pub(super) fn is_due(&self) -> bool {
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
    pub(super) fn freeze(&mut self) -> Result<(), BackendError> {
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
    pub(super) fn finish_flush(&mut self) -> Result<bool, BackendError> {
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
    pub(super) fn close(mut self) -> Result<(), BackendError> {
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
}
