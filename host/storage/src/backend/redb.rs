//! The backend on disk: a redb database, and beside it a journal.
//!
//! A batch is durable once it is in the journal, and is read from a memtable. When the half of the journal that is written is full, or has
//! lain for a while, a thread of its own has the database take up its memtable, while the next batches go to the other half and another
//! memtable. The database thus writes each of its pages once for thousands of batches, and what was written and removed again in
//! the meantime not at all.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, StorageBackend};

use super::database::{self, Settled, Settlement};
use super::disk_file::DiskFile;
use super::flusher::{self, Flusher};
use super::journal::{HALF_BYTES, Journal, Place};
use super::memtable::{Layers, Memtable};
use super::{Backend, BackendSnapshot, Change, News, Visit};
use crate::error::{BackendError, OpenError};

/// Bytes of memtables that only old snapshots see, for each byte of a half of the journal that is filled.
const HELD_PER_FILL: usize = 8;

/// What opens the two files.
pub(crate) struct Opener {
    pub(crate) database: Box<dyn Fn() -> Result<Database, DatabaseError> + Send>,
    pub(crate) journal: Box<dyn Fn() -> io::Result<Box<dyn StorageBackend>> + Send>,
    /// Bytes of a half of the journal.
    pub(crate) half_bytes: usize,
    /// Bytes of it that are filled before the database takes them up.
    pub(crate) fill_bytes: usize,
}

/// A redb database, which is opened anew after a failure.
pub(crate) struct RedbBackend {
    path: PathBuf,
    opener: Opener,
    news: Arc<OnceLock<News>>,
    open: Option<Open>,
}

struct Open {
    db: Arc<Database>,
    journal: Journal,
    fill_bytes: usize,
    /// The last batch.
    batch: u64,
    /// Changes since the half of the journal was begun.
    active: Arc<Memtable>,
    /// Those of the other half, while the database takes them up.
    frozen: Option<Arc<Memtable>>,
    /// What the database holds by itself.
    settled: Arc<Settled>,
    flusher: Flusher,
}

impl RedbBackend {
    /// Opens or creates the file at `path`, which no other process may have open, and its journal: `path` with the extension
    /// `journal`.
    pub(crate) fn open(path: &Path, cache_size_bytes: usize, fill_bytes: usize) -> Result<Self, OpenError> {
        let file = path.to_path_buf();
        let journal = path.with_extension("journal");
        let opener = Opener {
            database: Box::new(move || {
                let file = DiskFile::new(FileBackend::new(open_file(&file)?)?);
                Builder::new()
                    .set_cache_size(cache_size_bytes)
                    .create_with_backend(file)
            }),
            journal: Box::new(move || {
                let backend = FileBackend::new(open_file(&journal)?).map_err(io::Error::other)?;
                Ok(Box::new(backend))
            }),
            half_bytes: HALF_BYTES,
            fill_bytes,
        };
        Self::open_with(path, opener)
    }

    /// Opens with `opener`, now and after each failure. `path` is named in errors.
    pub(crate) fn open_with(path: &Path, opener: Opener) -> Result<Self, OpenError> {
        let news = Arc::default();
        let open = Open::new(path, &opener, &news)?;
        Ok(Self {
            path: path.to_path_buf(),
            opener,
            news,
            open: Some(open),
        })
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
        changes: &mut dyn Iterator<Item = Change<'_>>,
    ) -> Result<Arc<dyn BackendSnapshot>, BackendError> {
        let open = self.open.as_mut().ok_or(BackendError::Closed)?;
        open.apply(&changes.collect::<Vec<_>>())?;
        Ok(open.snapshot())
    }

    fn on_news(&mut self, news: News) {
        // Set once, by the one who works with this backend.
        let _ = self.news.set(news);
    }

    fn look_after(&mut self) -> Result<Option<Arc<dyn BackendSnapshot>>, BackendError> {
        let open = self.open.as_mut().ok_or(BackendError::Closed)?;
        let settled = open.take_settled()?;
        match open.is_due() {
            true => open.freeze()?,
            false => open.flusher.remind_again(),
        }
        Ok(settled.then(|| open.snapshot()))
    }

    fn reopen(&mut self) -> Result<(), BackendError> {
        if let Err(error) = self.close() {
            tracing::warn!(path = %self.path.display(), %error, "closing the failed storage failed as well");
        }
        let open = Open::new(&self.path, &self.opener, &self.news).map_err(|error| match error {
            OpenError::Backend { source, .. } => source,
            OpenError::InUse { .. }
            | OpenError::FormatTooNew { .. }
            | OpenError::NotAStore { .. }
            | OpenError::Thread(_) => BackendError::Failed(error.to_string().into()),
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

impl Open {
    /// Opens the database, and has it take up what the journal holds beyond it.
    fn new(path: &Path, opener: &Opener, news: &Arc<OnceLock<News>>) -> Result<Self, OpenError> {
        let db = database::open(path, &opener.database)?;
        Self::take_up_journal(db, opener, news).map_err(|source| OpenError::Backend {
            path: path.to_path_buf(),
            source,
        })
    }

    fn take_up_journal(db: Database, opener: &Opener, news: &Arc<OnceLock<News>>) -> Result<Self, BackendError> {
        let (file, settled) = database::identity(&db)?;
        let journal = Journal::open((opener.journal)()?, file, opener.half_bytes)?;
        // Sorted, and in pieces, as any other memtable.
        let left = Memtable::default();
        let batch = journal.replay(settled, |batch, changes| left.insert(batch, changes))?;
        if batch > settled {
            flusher::flush(&db, &left, batch)?;
        }
        let db = Arc::new(db);
        Ok(Self {
            settled: Arc::new(Settled::read(&db)?),
            flusher: Flusher::start(&db, news, HELD_PER_FILL.saturating_mul(opener.fill_bytes))?,
            db,
            journal,
            fill_bytes: opener.fill_bytes,
            batch,
            active: Arc::default(),
            frozen: None,
        })
    }

    fn snapshot(&self) -> Arc<dyn BackendSnapshot> {
        // What comes into one that is empty now is of later batches.
        let active = Some(&self.active).filter(|memtable| !memtable.is_empty());
        Arc::new(State {
            memtables: active.into_iter().chain(&self.frozen).map(Arc::clone).collect(),
            settled: Arc::clone(&self.settled),
            batch: self.batch,
        })
    }

    fn apply(&mut self, changes: &[Change<'_>]) -> Result<(), BackendError> {
        self.take_settled()?;
        let batch = self.batch + 1;
        self.journal.begin(batch);
        for change in changes {
            self.journal.push(*change);
        }
        let is_full = self.journal.used_bytes() >= self.fill_bytes;
        match self.journal.place() {
            Place::Nowhere => self.settle_with(batch, changes)?,
            Place::Here if !is_full && !self.is_due() => self.write(batch, changes)?,
            Place::Here | Place::NextHalf => {
                // Where batches come faster than the database takes them up, they wait for it here.
                self.wait_for_settled()?;
                self.freeze()?;
                self.write(batch, changes)?;
            }
        }
        self.batch = batch;
        Ok(())
    }

    /// Whether the memtable has lain for a while, and the one before is out of the way.
    fn is_due(&self) -> bool {
        self.frozen.is_none() && self.flusher.is_due()
    }

    /// Makes a batch durable in the journal, and lets it be read.
    fn write(&mut self, batch: u64, changes: &[Change<'_>]) -> Result<(), BackendError> {
        self.journal.write()?;
        self.active.insert(batch, changes);
        self.flusher.remind();
        Ok(())
    }

    /// Has the database take up a batch that is too long for the journal, with all before it.
    fn settle_with(&mut self, batch: u64, changes: &[Change<'_>]) -> Result<(), BackendError> {
        self.settle_all()?;
        let mut settlement = Settlement::begin(&self.db)?;
        settlement.take_up(changes.iter().copied())?;
        settlement.finish(batch)?;
        self.settled = Arc::new(Settled::read(&self.db)?);
        self.active = Arc::default();
        self.flusher.begin_anew();
        self.journal.turn_over();
        Ok(())
    }

    /// Has the database take up everything, here and now.
    fn settle_all(&mut self) -> Result<(), BackendError> {
        self.wait_for_settled()?;
        match self.active.is_empty() {
            true => Ok(()),
            false => flusher::flush(&self.db, &self.active, self.batch),
        }
    }

    /// Lets the database take up the memtable, and begins another with the other half of the journal, which it holds by itself.
    fn freeze(&mut self) -> Result<(), BackendError> {
        let frozen = std::mem::take(&mut self.active);
        self.flusher.flush(Arc::clone(&frozen), self.batch)?;
        self.frozen = Some(frozen);
        self.journal.turn_over();
        Ok(())
    }

    /// Where the database has taken up the frozen memtable, reads what was in it from there.
    fn take_settled(&mut self) -> Result<bool, BackendError> {
        match self.flusher.flushed() {
            None => Ok(false),
            Some(flushed) => self.settle_frozen(flushed),
        }
    }

    fn wait_for_settled(&mut self) -> Result<(), BackendError> {
        if self.frozen.is_some() {
            let flushed = self.flusher.wait();
            self.settle_frozen(flushed)?;
        }
        Ok(())
    }

    fn settle_frozen(&mut self, flushed: Result<(), BackendError>) -> Result<bool, BackendError> {
        flushed?;
        self.settled = Arc::new(Settled::read(&self.db)?);
        self.frozen = None;
        Ok(true)
    }

    /// Closes both files, of which the database then holds everything by itself.
    fn close(mut self) -> Result<(), BackendError> {
        self.settle_all()?;
        self.flusher.stop();
        drop(self.settled);
        match Arc::into_inner(self.db) {
            Some(db) => db.close().map_err(redb::Error::from)?,
            None => return Err(BackendError::Failed("the database is still being written".into())),
        }
        Ok(self.journal.empty()?)
    }
}

/// What batches have left behind up to one of them.
struct State {
    /// The latest first.
    memtables: Vec<Arc<Memtable>>,
    settled: Arc<Settled>,
    batch: u64,
}

impl State {
    fn layers(&self) -> Layers<'_, Settled> {
        Layers {
            memtables: &self.memtables,
            base: &*self.settled,
            batch: self.batch,
        }
    }
}

impl BackendSnapshot for State {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        self.layers().get(key)
    }

    fn walk(&self, start: &[u8], end: &[u8], reverse: bool, visit: &mut Visit<'_>) -> Result<(), BackendError> {
        self.layers().walk(start, end, reverse, visit)
    }
}
