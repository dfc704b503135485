//! The thread that writes memtables into the database.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use redb::Database;

use super::database::FlushTransaction;
use super::memtable::Memtable;
use crate::error::BackendError;
use crate::sync::mpsc::{self, Receiver, SyncSender};
use crate::sync::thread::{self, JoinHandle};

/// How often the thread checks whether flushed memtables are still in use.
const RETENTION_INTERVAL: Duration = Duration::from_millis(20);

/// Keys of one database transaction. Each key may dirty a page of its own. Small in tests, so that
/// the simulated power loss falls between chunks.
const CHUNK_KEYS: usize = if cfg!(test) { 16 } else { 4096 };

/// A memtable to write, and the last batch in it.
struct FlushCommand {
    memtable: Arc<Memtable>,
    last_batch: u64,
}

/// The handle of the thread. It flushes one memtable at a time, so both channels hold one message.
pub(super) struct Flusher {
    /// `None` after [`Flusher::stop`].
    commands: Option<SyncSender<FlushCommand>>,
    results: Receiver<Result<(), BackendError>>,
    thread: Option<JoinHandle<()>>,
    /// Whether the result of the last flush has not been received yet.
    is_busy: bool,
}

impl Flusher {
    /// Starts the thread. Flushed memtables that snapshots still read take up to `retained_bytes`;
    /// beyond that, the oldest are discarded.
    ///
    /// # Errors
    /// If the system starts no thread.
    pub(super) fn start(db: &Arc<Database>, retained_bytes: usize) -> Result<Self, BackendError> {
        let (commands, pending) = mpsc::sync_channel(1);
        let (done, results) = mpsc::sync_channel(1);
        let db = Arc::clone(db);
        let thread = thread::Builder::new()
            .name("storage-flusher".to_owned())
            .spawn(move || run(&db, &pending, &done, retained_bytes))?;
        Ok(Self {
            commands: Some(commands),
            results,
            thread: Some(thread),
            is_busy: false,
        })
    }

    /// Starts to flush a memtable. The caller has received the result of the flush before it.
    ///
    /// # Errors
    /// If the thread has ended.
    pub(super) fn begin(&mut self, memtable: Arc<Memtable>, last_batch: u64) -> Result<(), BackendError> {
        let commands = self.commands.as_ref().ok_or_else(thread_ended)?;
        let command = FlushCommand { memtable, last_batch };
        commands.send(command).map_err(|_| thread_ended())?;
        self.is_busy = true;
        Ok(())
    }

    /// The result of the last flush, if it has ended. Each result is returned once.
    pub(super) fn try_result(&mut self) -> Option<Result<(), BackendError>> {
        let result = self.results.try_recv().ok()?;
        self.is_busy = false;
        Some(result)
    }

    /// Waits until the last flush has ended.
    ///
    /// # Errors
    /// If that flush failed, now or when [`Flusher::try_result`] returned its result.
    pub(super) fn wait(&mut self) -> Result<(), BackendError> {
        match std::mem::replace(&mut self.is_busy, false) {
            true => self.results.recv().unwrap_or_else(|_| Err(thread_ended())),
            false => Err(BackendError::Failed("an earlier flush failed".into())),
        }
    }

    /// Ends the thread after the flush it is doing.
    pub(super) fn stop(&mut self) {
        drop(self.commands.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the flusher thread panicked");
        }
    }
}

impl Drop for Flusher {
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
                let result = flush(db, &memtable, last_batch);
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
/// It takes several transactions of [`CHUNK_KEYS`] keys, because redb keeps the dirty pages of a
/// transaction in its cache; with more than the cache holds it writes them early, reads them back
/// and writes them again. The last transaction names `last_batch`. Until then the write-ahead log
/// stays the authority, and a crash replays it.
///
/// # Errors
/// If the database cannot be written. A panic counts as damage of the database.
pub(super) fn flush(db: &Database, memtable: &Memtable, last_batch: u64) -> Result<(), BackendError> {
    catch_unwind(AssertUnwindSafe(|| write_chunks(db, memtable, last_batch)))
        .unwrap_or_else(|_| Err(BackendError::Corrupted("the flush of a memtable panicked".into())))
}

fn write_chunks(db: &Database, memtable: &Memtable, last_batch: u64) -> Result<(), BackendError> {
    let mut last_key = None;
    loop {
        let mut transaction = FlushTransaction::begin(db)?;
        last_key = memtable.read_chunk(last_key.as_ref(), CHUNK_KEYS, |updates| transaction.write(updates))?;
        if last_key.is_none() {
            return transaction.commit_batch(last_batch);
        }
        transaction.commit()?;
    }
}
