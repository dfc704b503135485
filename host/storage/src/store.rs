//! The handle of a store.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use crate::backend::Backend;
use crate::backend::memory::MemoryBackend;
use crate::backend::redb::RedbBackend;
use crate::checkpoint::Checkpoint;
use crate::commit::Commit;
use crate::committer::{CommitReply, Committer, Pending, Request, Shared};
use crate::config::Config;
use crate::error::{BackendError, CommitError, Error, OpenError, UpdateError};
use crate::snapshot::Snapshot;
use crate::stats::{BatchStats, ServiceState, Stats, count};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Mutex, oneshot};
use crate::transaction::Transaction;

/// An ordered key-value store with serializable transactions. Cloning the handle is cheap.
///
/// [`Store::close`] waits until everything is on disk and the files are closed. If the last handle
/// is dropped instead, the dropping thread waits for that.
#[derive(Clone)]
pub struct Store(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    config: Config,
    /// `None` after the store is closed.
    queue: Mutex<Option<mpsc::Sender<Request>>>,
    committer: Mutex<Option<JoinHandle<()>>>,
    /// Closes when the committer ends.
    ended: watch::Receiver<()>,
}

impl Store {
    /// Opens or creates the database at `path`, and its log beside it. Only one store may have them
    /// open. A database of an older format is converted.
    ///
    /// If a page of the database is damaged, or the disk is full, so that it cannot take the
    /// batches of the log, the store opens nevertheless. Everything else can be read then. Commits
    /// fail with [`BackendError::ReadOnly`]; when the disk has space again, they succeed.
    ///
    /// # Errors
    ///
    /// [`OpenError::InUse`] if another store has the file open, in this process or another;
    /// [`OpenError::FormatTooNew`]; [`OpenError::NotAStore`]; [`OpenError::LogWithoutDatabase`];
    /// [`OpenError::Damaged`] if the
    /// database cannot be read at all, or if a batch of the log is missing before a later one;
    /// [`OpenError::Backend`] if the files cannot be read or written; [`OpenError::Thread`].
    pub fn open(path: &Path, config: Config) -> Result<Self, OpenError> {
        let backend = RedbBackend::open(path, config.cache_size_bytes, config.wal_bytes)?;
        Self::with_backend(Box::new(backend), config).map_err(|error| match error {
            StartError::Backend(source) => OpenError::Backend {
                path: path.to_path_buf(),
                source,
            },
            StartError::Thread(error) => OpenError::Thread(error),
        })
    }

    /// A store in memory. Its data is gone when it is closed.
    ///
    /// # Panics
    ///
    /// If the system cannot start a thread.
    pub fn in_memory(config: Config) -> Self {
        Self::with_backend(Box::new(MemoryBackend::default()), config)
            .expect("memory is always readable, and the system can start a thread")
    }

    pub(crate) fn with_backend(backend: Box<dyn Backend>, config: Config) -> Result<Self, StartError> {
        let (sender, receiver) = mpsc::channel(config.queue_capacity.max(1));
        // The committer waits on an async queue with a timeout. This runtime is the timer for it.
        let clock = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let clock = clock.map_err(StartError::Thread)?;
        let (committer, shared) = Committer::new(backend, &config).map_err(StartError::Backend)?;
        let (alive, ended) = watch::channel(());
        let thread = thread::Builder::new()
            .name("storage-committer".to_owned())
            .spawn(move || {
                // Dropped when the thread ends, also by a panic, and after the queue: callers in
                // the queue must not wait forever.
                let _alive = alive;
                committer.run(receiver, &clock);
            })
            .map_err(StartError::Thread)?;
        Ok(Self(Arc::new(Handle {
            shared,
            config,
            queue: Mutex::new(Some(sender)),
            committer: Mutex::new(Some(thread)),
            ended,
        })))
    }

    /// The latest committed state. After [`Store::close`], and while the backend is out of service,
    /// all reads of the snapshot fail.
    pub fn snapshot(&self) -> Snapshot {
        let snapshot = Snapshot::new(self.0.shared.published.load_full());
        if !snapshot.in_service()
            && let Some(queue) = self.0.queue()
        {
            // If the queue is full, it has commits, and they reopen the backend as well.
            let _ = queue.try_send(Request::Reopen);
        }
        snapshot
    }

    /// A committed state that stays readable however long it is held, for a copy of the whole
    /// store. It has everything that was committed before the call. What waits in memory is written
    /// into the database first, while commits go on; that may take some seconds.
    ///
    /// # Errors
    ///
    /// [`BackendError::Closed`]; [`BackendError::ReadOnly`]; or another one if the database failed
    /// meanwhile.
    pub async fn checkpoint(&self) -> Result<Checkpoint, BackendError> {
        let queue = self.0.queue().ok_or(BackendError::Closed)?;
        let (reply, state) = oneshot::channel();
        let sent = queue.send(Request::Checkpoint(reply)).await;
        // The store must be able to close while this waits.
        drop(queue);
        sent.map_err(|_| BackendError::Closed)?;
        let state = state.await.unwrap_or(Err(BackendError::Closed))?;
        Ok(Checkpoint::new(state))
    }

    /// Begins a transaction on the latest committed state.
    pub fn begin(&self) -> Transaction {
        self.transaction(self.snapshot())
    }

    /// Begins a transaction on an earlier snapshot of this store, to run something again on the
    /// same state. It can be committed if nothing that it reads has changed since.
    pub fn begin_at(&self, snapshot: &Snapshot) -> Transaction {
        self.transaction(snapshot.clone())
    }

    /// Commits a transaction of this store. Returns when it is durable and every new snapshot sees
    /// it. A transaction without writes is done at once. Waits for space if the queue is full. If
    /// the future is dropped, the transaction may still be committed.
    ///
    /// # Errors
    ///
    /// [`CommitError::Conflict`]: it may succeed if it runs again on a new snapshot.
    /// [`CommitError::NotACounter`], [`CommitError::Closed`], [`CommitError::Backend`].
    pub fn commit(&self, tx: Transaction) -> impl Future<Output = Result<Commit, CommitError>> + Send {
        self.submit(tx, false)
    }

    /// [`Store::commit`] that also fences: afterwards every transaction on an earlier snapshot
    /// conflicts, whatever it read. Use it if the meaning of stored bytes changes.
    ///
    /// # Errors
    ///
    /// Those of [`Store::commit`].
    pub fn commit_fenced(&self, tx: Transaction) -> impl Future<Output = Result<Commit, CommitError>> + Send {
        self.submit(tx, true)
    }

    async fn submit(&self, tx: Transaction, is_fence: bool) -> Result<Commit, CommitError> {
        let verdict = match self.enqueue(tx, is_fence)? {
            Enqueued::Done(commit) => return Ok(commit),
            Enqueued::Waits(verdict) => verdict,
            // Boxed, because it is rare and large.
            Enqueued::Full(send, verdict) => {
                send.await?;
                verdict
            }
        };
        // The committer replies to every request. No reply means that its thread has ended.
        match verdict.await {
            Ok(reply) => reply.verdict,
            Err(_) => Err(CommitError::Backend(BackendError::Failed("the committer ended".into()))),
        }
    }

    /// Sends a transaction to the committer.
    fn enqueue(&self, tx: Transaction, is_fence: bool) -> Result<Enqueued, CommitError> {
        let (snapshot, reads, writes) = tx.into_parts();
        let sequence = snapshot.sequence();
        drop(snapshot);
        if writes.is_empty() && !is_fence {
            count(&self.0.shared.counters.read_only_commits, 1);
            return Ok(Enqueued::Done(Commit { sequence, batch: None }));
        }
        let queue = self.0.queue().ok_or(CommitError::Closed)?;
        let (reply, verdict) = oneshot::channel();
        let pending = Pending {
            snapshot: sequence,
            reads,
            writes,
            is_fence,
            reply,
        };
        match queue.try_send(Request::Commit(pending)) {
            Ok(()) => Ok(Enqueued::Waits(verdict)),
            Err(TrySendError::Closed(_)) => Err(CommitError::Closed),
            Err(TrySendError::Full(request)) => {
                let send = async move { queue.send(request).await.map_err(|_| CommitError::Closed) };
                Ok(Enqueued::Full(Box::pin(send), verdict))
            }
        }
    }

    /// Runs `f` in a transaction and commits it. After a conflict it runs `f` again on a new
    /// snapshot, up to [`Config::update_attempts`] times. `f` must have no other effect than on the
    /// transaction and its result.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Aborted`] with the error of `f`, [`UpdateError::Contended`],
    /// [`UpdateError::Commit`].
    pub async fn update<T, E: From<Error>>(
        &self,
        mut f: impl FnMut(&mut Transaction) -> Result<T, E>,
    ) -> Result<T, UpdateError<E>> {
        let attempts = self.0.config.update_attempts.max(1);
        for _ in 0..attempts {
            let mut tx = self.begin();
            let answer = f(&mut tx).map_err(UpdateError::Aborted)?;
            match self.commit(tx).await {
                Ok(_) => return Ok(answer),
                Err(CommitError::Conflict) => {}
                Err(error) => return Err(UpdateError::Commit(error)),
            }
        }
        Err(UpdateError::Contended { attempts })
    }

    /// Counts of what the store has done since it was opened.
    pub fn stats(&self) -> Stats {
        let queued = self
            .0
            .queue()
            .map_or(0, |queue| (queue.max_capacity() - queue.capacity()) as u64);
        self.0.shared.counters.read(queued)
    }

    /// How large the batches were, and how long they took, since the store was opened.
    pub fn batch_stats(&self) -> BatchStats {
        self.0.shared.counters.read_batches()
    }

    /// Whether the store can commit. It returns at once, whatever the disk does.
    pub fn service_state(&self) -> ServiceState {
        ServiceState {
            closed: self.0.queue.lock().is_none(),
            failed: !self.0.shared.published.load_full().in_service,
            busy: self.0.shared.counters.busy(),
        }
    }

    /// The settings that it was opened with.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Closes the store for all its handles. Waiting commits are finished. Later commits fail with
    /// [`CommitError::Closed`], and reads with [`BackendError::Closed`]. When it returns, the files
    /// are closed. A second close does nothing.
    pub async fn close(&self) {
        self.0.stop();
        let mut ended = self.0.ended.clone();
        // Nothing is ever sent. An error means that the thread has ended.
        while ended.changed().await.is_ok() {}
        self.0.join();
    }

    fn transaction(&self, snapshot: Snapshot) -> Transaction {
        let config = &self.0.config;
        Transaction::new(snapshot, config.limits, config.read_set_bytes)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// The result of sending a transaction to the committer.
enum Enqueued {
    /// It has no writes, so it is committed.
    Done(Commit),
    Waits(oneshot::Receiver<CommitReply>),
    /// The queue was full. The future waits for space and sends it.
    Full(
        Pin<Box<dyn Future<Output = Result<(), CommitError>> + Send>>,
        oneshot::Receiver<CommitReply>,
    ),
}

/// A store could not be started.
#[derive(Debug)]
pub(crate) enum StartError {
    Backend(BackendError),
    Thread(std::io::Error),
}

impl Handle {
    fn queue(&self) -> Option<mpsc::Sender<Request>> {
        self.queue.lock().clone()
    }

    /// Closes the queue. The committer ends after the commits in it.
    fn stop(&self) {
        self.queue.lock().take();
    }

    fn join(&self) {
        // The lock is held during the join, so that no second close returns before the files are
        // closed.
        let mut committer = self.committer.lock();
        if let Some(thread) = committer.take()
            && thread.join().is_err()
        {
            tracing::error!("the committer panicked");
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop();
        self.join();
    }
}
