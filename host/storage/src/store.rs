//! The handle of a store.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

use crate::backend::Backend;
use crate::backend::memory::MemoryBackend;
use crate::backend::redb::RedbBackend;
use crate::committer::{CommitReply, Committer, Pending, Request, Shared};
use crate::config::Config;
use crate::error::{BackendError, CommitError, Error, OpenError, UpdateError};
use crate::snapshot::Snapshot;
use crate::stats::{Stats, count};
use crate::transaction::Transaction;

/// An ordered key-value store with serializable transactions. Cloning the handle is cheap.
///
/// [`Store::close`] makes sure that everything is on disk and the file is free; when the last handle is dropped
/// instead, the dropping thread waits for it.
#[derive(Clone)]
pub struct Store(Arc<Handle>);

/// A transaction's place among all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Commit {
    /// Its place in the serial order: it saw the effects of every transaction with a lower number, and of no
    /// other. For a transaction without writes, the number of the last transaction in its snapshot. Counts from 1 each
    /// time a store is opened, with gaps.
    pub sequence: u64,
}

struct Handle {
    shared: Arc<Shared>,
    config: Config,
    /// Absent once the store is closed.
    queue: Mutex<Option<mpsc::Sender<Request>>>,
    committer: Mutex<Option<JoinHandle<()>>>,
    /// Closed when the committer has ended.
    ended: watch::Receiver<()>,
}

impl Store {
    /// Opens or creates the file at `path`. One store has it at a time.
    ///
    /// # Errors
    ///
    /// [`OpenError::InUse`] while another store has the file, in this process or another; [`OpenError::FormatTooNew`];
    /// [`OpenError::NotAStore`]; [`OpenError::Backend`] where the file cannot be read or written.
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

    /// A store that lives in memory and is gone when it is closed.
    ///
    /// # Panics
    ///
    /// Where the system cannot start a thread.
    pub fn in_memory(config: Config) -> Self {
        Self::with_backend(Box::new(MemoryBackend::default()), config)
            .expect("memory can always be read, and a system that starts no thread cannot go on")
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
                // Dropped when the thread ends, also by a panic, and after the queue: callers in the
                // queue must not wait forever.
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

    /// The latest committed state. After [`Store::close`], and while the disk is failing, a snapshot whose reads
    /// fail.
    pub fn snapshot(&self) -> Snapshot {
        let snapshot = Snapshot::new(self.0.shared.published.load_full());
        if !snapshot.in_service()
            && let Some(queue) = self.0.queue()
        {
            // A full queue has commits in it, which bring the backend back as well.
            let _ = queue.try_send(Request::Reopen);
        }
        snapshot
    }

    /// A transaction on the latest committed state.
    pub fn begin(&self) -> Transaction {
        self.transaction(self.snapshot())
    }

    /// A transaction on a snapshot of this store: to run something again on what it saw the first time. It can be
    /// committed, too, if nothing it read has changed since.
    pub fn begin_at(&self, snapshot: &Snapshot) -> Transaction {
        self.transaction(snapshot.clone())
    }

    /// Commits a transaction of this store. Returns once it is durable and every new snapshot sees it; at once where it
    /// wrote nothing. Waits for room where many commits are queued. A call that is dropped while it waits may still
    /// commit.
    ///
    /// # Errors
    ///
    /// [`CommitError::Conflict`], where running it again on a new snapshot may succeed; [`CommitError::NotACounter`];
    /// [`CommitError::Closed`]; [`CommitError::Backend`].
    pub fn commit(&self, tx: Transaction) -> impl Future<Output = Result<Commit, CommitError>> + Send {
        self.submit(tx, false)
    }

    /// [`Store::commit`], after which no transaction on an earlier snapshot commits any more, whatever it read: they
    /// all conflict. For a change of what the stored bytes mean.
    ///
    /// # Errors
    ///
    /// As [`Store::commit`].
    pub fn commit_fenced(&self, tx: Transaction) -> impl Future<Output = Result<Commit, CommitError>> + Send {
        self.submit(tx, true)
    }

    async fn submit(&self, tx: Transaction, is_fence: bool) -> Result<Commit, CommitError> {
        let verdict = match self.enqueue(tx, is_fence)? {
            Enqueued::Done(commit) => return Ok(commit),
            Enqueued::Waits(verdict) => verdict,
            // Apart, for it is rare, and has room for all that waits.
            Enqueued::Full(send, verdict) => {
                send.await?;
                verdict
            }
        };
        // The committer answers all it takes, so that one without an answer died with the committer.
        match verdict.await {
            Ok(reply) => reply.verdict,
            Err(_) => Err(CommitError::Backend(BackendError::Failed("the committer ended".into()))),
        }
    }

    /// Hands a transaction to the committer.
    fn enqueue(&self, tx: Transaction, is_fence: bool) -> Result<Enqueued, CommitError> {
        let (snapshot, reads, writes) = tx.into_parts();
        let sequence = snapshot.sequence();
        drop(snapshot);
        if writes.is_empty() && !is_fence {
            count(&self.0.shared.counters.read_only_commits, 1);
            return Ok(Enqueued::Done(Commit { sequence }));
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

    /// Runs `f` in a transaction and commits it; on a conflict, again on a new snapshot, up to
    /// [`Config::update_attempts`] times. `f` must have no effect but on the transaction and what it returns.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Aborted`] with the error of `f`, [`UpdateError::Contended`], [`UpdateError::Commit`].
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

    /// What the store has done since it was opened.
    pub fn stats(&self) -> Stats {
        let queued = self
            .0
            .queue()
            .map_or(0, |queue| (queue.max_capacity() - queue.capacity()) as u64);
        self.0.shared.counters.read(queued)
    }

    /// The settings it was opened with.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Closes the store, for every handle of it: commits that wait are finished, later ones fail with
    /// [`CommitError::Closed`], and reads fail with [`BackendError::Closed`]. When it returns, the file is closed.
    /// Closing twice is harmless.
    pub async fn close(&self) {
        self.0.stop();
        let mut ended = self.0.ended.clone();
        // Nothing is ever sent: the error is the end of the thread.
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

/// What became of a transaction that was to be handed to the committer.
enum Enqueued {
    /// It writes nothing.
    Done(Commit),
    Waits(oneshot::Receiver<CommitReply>),
    /// The queue was full: it is handed over by the first.
    Full(
        Pin<Box<dyn Future<Output = Result<(), CommitError>> + Send>>,
        oneshot::Receiver<CommitReply>,
    ),
}

/// Why a store did not start.
#[derive(Debug)]
pub(crate) enum StartError {
    Backend(BackendError),
    Thread(std::io::Error),
}

impl Handle {
    fn queue(&self) -> Option<mpsc::Sender<Request>> {
        self.queue.lock().clone()
    }

    /// Takes no further commits; the committer ends when it has done those that are under way.
    fn stop(&self) {
        self.queue.lock().take();
    }

    fn join(&self) {
        // Held while joining, so that of two who close at once neither returns before the file is closed.
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
