//! Writes memtables into the database, on a thread of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use bytes::Bytes;
use redb::Database;

use super::database::FlushTransaction;
use super::memtable::Memtable;
use super::mutants::{self, Mutant};
use crate::error::BackendError;
use crate::sync::mpsc::{self, Receiver, SyncSender};
use crate::sync::thread::{self, JoinHandle};

/// How often the thread checks whether flushed memtables are still in use.
const RETENTION_INTERVAL: Duration = Duration::from_millis(20);

/// Keys of one database transaction. Each key may dirty a page of its own.
pub(crate) const CHUNK_KEYS: usize = 4096;

/// How memtables are flushed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FlushMode {
    /// On a thread.
    Thread,
    /// By the caller, one chunk at a time, whenever it looks for the result. The same seed gives
    /// the same steps: for simulations.
    #[cfg(any(test, feature = "faults"))]
    Steps(u64),
}

/// Flushes one memtable at a time.
pub(super) enum Flusher {
    Thread(FlusherThread),
    #[cfg(any(test, feature = "faults"))]
    Steps(Steps),
}

impl Flusher {
    /// Flushed memtables that snapshots still read take up to `retained_bytes`; beyond that, the
    /// oldest are discarded. A transaction of the database has `chunk_keys` keys.
    ///
    /// # Errors
    /// If the system starts no thread.
    pub(super) fn start(
        db: &Arc<Database>,
        mode: FlushMode,
        retained_bytes: usize,
        chunk_keys: usize,
    ) -> Result<Self, BackendError> {
        match mode {
            FlushMode::Thread => FlusherThread::start(db, retained_bytes, chunk_keys).map(Self::Thread),
            #[cfg(any(test, feature = "faults"))]
            FlushMode::Steps(seed) => Ok(Self::Steps(Steps::new(db, seed, chunk_keys))),
        }
    }

    /// Starts to flush a memtable. The caller has received the result of the flush before it.
    ///
    /// # Errors
    /// If the thread has ended.
    pub(super) fn begin(&mut self, memtable: Arc<Memtable>, last_batch: u64) -> Result<(), BackendError> {
        match self {
            Self::Thread(thread) => thread.begin(memtable, last_batch),
            #[cfg(any(test, feature = "faults"))]
            Self::Steps(steps) => steps.begin(memtable, last_batch),
        }
    }

    /// The result of the last flush, if it has ended. Each result is returned once.
    pub(super) fn try_result(&mut self) -> Option<Result<(), BackendError>> {
        match self {
            Self::Thread(thread) => thread.try_result(),
            #[cfg(any(test, feature = "faults"))]
            Self::Steps(steps) => steps.try_result(),
        }
    }

    /// Waits until the last flush has ended.
    ///
    /// # Errors
    /// If that flush failed, now or when [`Flusher::try_result`] returned its result.
    pub(super) fn wait(&mut self) -> Result<(), BackendError> {
        match self {
            Self::Thread(thread) => thread.wait(),
            #[cfg(any(test, feature = "faults"))]
            Self::Steps(steps) => steps.wait(),
        }
    }

    /// Ends the thread after the flush it is doing.
    pub(super) fn stop(&mut self) {
        match self {
            Self::Thread(thread) => thread.stop(),
            #[cfg(any(test, feature = "faults"))]
            Self::Steps(steps) => steps.stop(),
        }
    }
}

/// A memtable to write, and the last batch in it.
struct FlushCommand {
    memtable: Arc<Memtable>,
    last_batch: u64,
}

/// The handle of the thread. Both channels hold one message.
pub(super) struct FlusherThread {
    /// `None` after [`Flusher::stop`].
    commands: Option<SyncSender<FlushCommand>>,
    results: Receiver<Result<(), BackendError>>,
    thread: Option<JoinHandle<()>>,
    /// Whether the result of the last flush has not been received yet.
    is_busy: bool,
}

impl FlusherThread {
    fn start(db: &Arc<Database>, retained_bytes: usize, chunk_keys: usize) -> Result<Self, BackendError> {
        let (commands, pending) = mpsc::sync_channel(1);
        let (done, results) = mpsc::sync_channel(1);
        let db = Arc::clone(db);
        let thread = thread::Builder::new()
            .name("storage-flusher".to_owned())
            .spawn(move || run(&db, &pending, &done, retained_bytes, chunk_keys))?;
        Ok(Self {
            commands: Some(commands),
            results,
            thread: Some(thread),
            is_busy: false,
        })
    }

    fn begin(&mut self, memtable: Arc<Memtable>, last_batch: u64) -> Result<(), BackendError> {
        let commands = self.commands.as_ref().ok_or_else(thread_ended)?;
        let command = FlushCommand { memtable, last_batch };
        commands.send(command).map_err(|_| thread_ended())?;
        self.is_busy = true;
        Ok(())
    }

    fn try_result(&mut self) -> Option<Result<(), BackendError>> {
        let result = self.results.try_recv().ok()?;
        self.is_busy = false;
        Some(result)
    }

    fn wait(&mut self) -> Result<(), BackendError> {
        match std::mem::replace(&mut self.is_busy, false) {
            true => self.results.recv().unwrap_or_else(|_| Err(thread_ended())),
            false => Err(BackendError::Failed("an earlier flush failed".into())),
        }
    }

    fn stop(&mut self) {
        drop(self.commands.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the flusher thread panicked");
        }
    }
}

impl Drop for FlusherThread {
    fn drop(&mut self) {
        self.stop();
    }
}

fn thread_ended() -> BackendError {
    BackendError::Failed("the flusher thread has ended".into())
}

fn run(
    db: &Database,
    commands: &Receiver<FlushCommand>,
    done: &SyncSender<Result<(), BackendError>>,
    retained_bytes: usize,
    chunk_keys: usize,
) {
    // Flushed memtables that snapshots still read. The last owner frees a memtable, which takes
    // long: this thread does it, so that no call and no commit has to.
    let mut retained: Vec<Arc<Memtable>> = Vec::new();
    loop {
        retained.retain(|memtable| Arc::strong_count(memtable) > 1);
        let command = match retained.is_empty() {
            true => commands.recv().map_err(RecvTimeoutError::from),
            false => commands.recv_timeout(RETENTION_INTERVAL),
        };
        match command {
            Ok(FlushCommand { memtable, last_batch }) => {
                let result = flush(db, &memtable, last_batch, chunk_keys);
                retained.push(memtable);
                discard_beyond(&mut retained, retained_bytes);
                if done.send(result).is_err() {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Discards the oldest memtables beyond this many bytes. The newest one always stays.
fn discard_beyond(retained: &mut Vec<Arc<Memtable>>, bytes: usize) {
    while retained.len() > 1 && retained.iter().map(|memtable| memtable.bytes()).sum::<usize>() > bytes {
        retained.remove(0).discard();
    }
}

/// Writes a memtable into the database.
///
/// It takes several transactions of `chunk_keys` keys, because redb keeps the dirty pages of a
/// transaction in its cache; with more than the cache holds it writes them early, reads them back
/// and writes them again. The last transaction names `last_batch`. Until then the write-ahead log
/// stays the authority, and a crash replays it.
///
/// # Errors
/// If the database cannot be written. A panic counts as damage of the database.
pub(super) fn flush(
    db: &Database,
    memtable: &Memtable,
    last_batch: u64,
    chunk_keys: usize,
) -> Result<(), BackendError> {
    let mut last_key = None;
    while !write_chunk(db, memtable, last_batch, chunk_keys, &mut last_key)? {}
    Ok(())
}

/// Writes the keys after `last_key`. Returns whether these were the last ones.
fn write_chunk(
    db: &Database,
    memtable: &Memtable,
    last_batch: u64,
    chunk_keys: usize,
    last_key: &mut Option<Bytes>,
) -> Result<bool, BackendError> {
    let mut write = || {
        let mut transaction = FlushTransaction::begin(db)?;
        *last_key = memtable.read_chunk(last_key.as_ref(), chunk_keys, |updates| transaction.write(updates))?;
        match last_key {
            None => transaction.commit_batch(last_batch).map(|()| true),
            Some(_) if mutants::has(Mutant::BatchInFirstChunk) => transaction.commit_batch(last_batch).map(|()| false),
            Some(_) => transaction.commit().map(|()| false),
        }
    };
    catch_unwind(AssertUnwindSafe(&mut write))
        .unwrap_or_else(|_| Err(BackendError::Corrupted("the flush of a memtable panicked".into())))
}

/// Flushes chunk by chunk, between the steps of the caller.
#[cfg(any(test, feature = "faults"))]
pub(super) struct Steps {
    db: Option<Arc<Database>>,
    random: crate::random::Random,
    chunk_keys: usize,
    /// The flush in progress, and the last key that is written.
    current: Option<(FlushCommand, Option<Bytes>)>,
}

#[cfg(any(test, feature = "faults"))]
impl Steps {
    fn new(db: &Arc<Database>, seed: u64, chunk_keys: usize) -> Self {
        Self {
            db: Some(Arc::clone(db)),
            random: crate::random::Random::new(seed | 1),
            chunk_keys,
            current: None,
        }
    }

    fn begin(&mut self, memtable: Arc<Memtable>, last_batch: u64) -> Result<(), BackendError> {
        self.current = Some((FlushCommand { memtable, last_batch }, None));
        Ok(())
    }

    fn try_result(&mut self) -> Option<Result<(), BackendError>> {
        match self.current.is_some() && self.random.below(2) == 0 {
            true => self.step(),
            false => None,
        }
    }

    fn wait(&mut self) -> Result<(), BackendError> {
        while self.current.is_some() {
            if let Some(result) = self.step() {
                return result;
            }
        }
        Err(BackendError::Failed("an earlier flush failed".into()))
    }

    fn step(&mut self) -> Option<Result<(), BackendError>> {
        let (command, last_key) = self.current.as_mut()?;
        let db = self.db.as_ref()?;
        let written = write_chunk(db, &command.memtable, command.last_batch, self.chunk_keys, last_key);
        let result = match written {
            Ok(false) => return None,
            Ok(true) => Ok(()),
            Err(error) => Err(error),
        };
        self.current = None;
        Some(result)
    }

    fn stop(&mut self) {
        self.db = None;
    }
}
