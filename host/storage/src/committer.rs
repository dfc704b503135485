//! The one thread that writes: it validates the transactions that wait, makes those that pass durable
//! together, publishes the new snapshot, and answers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};

use crate::backend::{Backend, BackendSnapshot, ClosedSnapshot};
use crate::batch::Batch;
use crate::config::Config;
use crate::error::{BackendError, CommitError};
use crate::freshness::Marks;
use crate::history::History;
use crate::point_cache::PointCache;
use crate::read_set::ReadSet;
use crate::snapshot::Published;
use crate::stats::{Counters, count};
use crate::store::Commit;
use crate::write_set::WriteSet;

/// How long a backend that could not be opened is left alone by those who only read.
const REOPEN_INTERVAL: Duration = Duration::from_millis(100);
/// The longest a batch waits for members who are likely to come.
const MAX_PATIENCE: Duration = Duration::from_micros(500);

/// How long the committer looks away while it waits for them.
const GLANCE: Duration = Duration::from_micros(50);

/// What the committer is asked.
pub(crate) enum Request {
    Commit(Pending),
    /// Somebody reads while the backend is out of service.
    Reopen,
    /// The backend has something to look after.
    News,
}

/// A transaction that waits to be committed.
pub(crate) struct Pending {
    /// The snapshot it read, by number: the committer need not keep the snapshot itself alive.
    pub(crate) snapshot: u64,
    pub(crate) reads: ReadSet,
    pub(crate) writes: WriteSet,
    /// Whether transactions on earlier snapshots conflict from then on.
    pub(crate) fences: bool,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// What became of a transaction, and what it consisted of: its owner, who allocated it, gives the memory back.
pub(crate) struct Answer {
    pub(crate) verdict: Result<Commit, CommitError>,
    _parts: (ReadSet, WriteSet),
}

impl Pending {
    fn answer(self, verdict: Result<Commit, CommitError>) {
        // A caller that no longer waits has no use for the answer.
        let _ = self.answer.send(Answer {
            verdict,
            _parts: (self.reads, self.writes),
        });
    }
}

/// What the committer shares with the handles of its store.
pub(crate) struct Shared {
    pub(crate) published: ArcSwap<Published>,
    pub(crate) counters: Counters,
}

pub(crate) struct Committer {
    backend: Box<dyn Backend>,
    /// The committed state.
    state: Arc<dyn BackendSnapshot>,
    points: Arc<PointCache>,
    marks: Arc<Marks>,
    shared: Arc<Shared>,
    history: History,
    /// The last committed transaction.
    sequence: u64,
    /// Transactions on a snapshot before this one conflict.
    fence: u64,
    /// Why the backend is out of service, and when it was last tried.
    broken: Option<(BackendError, Instant)>,
    batch_transactions: usize,
    batch_bytes: usize,
}

impl Committer {
    /// # Errors
    ///
    /// Where the backend's state cannot be read.
    pub(crate) fn new(backend: Box<dyn Backend>, config: &Config) -> Result<(Self, Arc<Shared>), BackendError> {
        let state = backend.snapshot()?;
        let points = Arc::new(PointCache::new());
        let marks = Arc::new(Marks::default());
        let shared = Arc::new(Shared {
            published: ArcSwap::from_pointee(Published {
                sequence: 0,
                state: Arc::clone(&state),
                points: Arc::clone(&points),
                marks: Arc::clone(&marks),
                in_service: true,
            }),
            counters: Counters::default(),
        });
        let committer = Self {
            backend,
            state,
            points,
            marks,
            shared: Arc::clone(&shared),
            history: History::new(config.history_keys, config.history_bytes),
            sequence: 0,
            fence: 0,
            broken: None,
            batch_transactions: config.batch_transactions.max(1),
            batch_bytes: config.batch_bytes,
        };
        Ok((committer, shared))
    }

    /// Works until no handle can send any more and the queue is empty, then closes the backend.
    pub(crate) fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        let mut batch = Vec::new();
        // The callers who were answered last are those who come back first: how many they were, and how long writing
        // for them took.
        let (mut expected, mut effort) = (0, Duration::ZERO);
        while let Some(request) = queue.blocking_recv() {
            self.gather(request, &mut queue, &mut batch, expected, effort / 4);
            if !batch.is_empty() {
                expected = batch.len();
                let start = Instant::now();
                self.commit_or_recover(&mut batch);
                effort = start.elapsed();
            }
        }
        self.close();
    }

    /// Takes what waits into the batch. Where that is less than expected, gives the callers who are about to ask up to
    /// `patience`: a durable write costs about the same for one as for many, so that starting it for the first who is
    /// back would make all others wait for one more. A caller alone never waits.
    fn gather(
        &mut self,
        first: Request,
        queue: &mut mpsc::Receiver<Request>,
        batch: &mut Vec<Pending>,
        expected: usize,
        patience: Duration,
    ) {
        let patience = patience.min(MAX_PATIENCE);
        let mut bytes = 0;
        let mut next = Some(first);
        let mut since = None;
        loop {
            match next.take() {
                Some(Request::Commit(pending)) => {
                    bytes += pending.writes.bytes();
                    batch.push(pending);
                }
                Some(Request::Reopen) => self.try_reopen(REOPEN_INTERVAL),
                Some(Request::News) => self.look_after(),
                None => {
                    let since = *since.get_or_insert_with(Instant::now);
                    if batch.len() >= expected || since.elapsed() >= patience {
                        return;
                    }
                    // Asleep: those who are about to ask need the processor to get there.
                    thread::sleep(GLANCE);
                }
            }
            if batch.len() >= self.batch_transactions || bytes >= self.batch_bytes {
                return;
            }
            next = queue.try_recv().ok();
        }
    }

    /// Commits the batch and answers every member of it, whatever happens.
    fn commit_or_recover(&mut self, batch: &mut Vec<Pending>) {
        self.try_reopen(Duration::ZERO);
        let failure = match &self.broken {
            Some((error, _)) => error.clone(),
            None => match catch_unwind(AssertUnwindSafe(|| self.commit(batch))) {
                Ok(Ok(())) => return,
                Ok(Err(error)) => self.fail(error),
                Err(_) => self.fail(BackendError::Failed("the committer panicked".into())),
            },
        };
        for pending in batch.drain(..) {
            pending.answer(Err(CommitError::Backend(failure.clone())));
        }
    }

    /// Commits the members of the batch that pass and answers all; on an error nobody has been answered, and the
    /// backend has to be opened again.
    fn commit(&mut self, batch: &mut Vec<Pending>) -> Result<(), BackendError> {
        let mut verdicts: Vec<Result<Commit, CommitError>> = Vec::with_capacity(batch.len());
        let mut folded = Batch::default();
        let mut sequence = self.sequence;
        let mut fence = self.fence;
        for pending in batch.iter() {
            let admitted = if pending.snapshot < fence {
                Err(CommitError::Conflict)
            } else {
                self.admit(&mut folded, pending, sequence + 1)
            };
            let verdict = match admitted {
                Ok(()) => {
                    sequence += 1;
                    if pending.fences {
                        fence = sequence;
                    }
                    Ok(Commit { sequence })
                }
                Err(CommitError::Backend(error)) => return Err(error),
                Err(refusal) => Err(refusal),
            };
            verdicts.push(verdict);
        }
        if sequence > self.sequence {
            let state = self.backend.apply(&mut folded.changes())?;
            self.points.advance(sequence, folded.changes().map(|(key, _)| key));
            self.marks.advance(sequence, folded.changes().map(|(key, _)| key));
            self.publish(state, sequence);
            self.history.record(sequence, folded.keys());
            self.fence = fence;
        }
        drop(folded);
        self.answer(batch, verdicts);
        Ok(())
    }

    /// Validates a transaction against what was committed since its snapshot and against the batch so far, then adds it
    /// to the batch as commit `sequence`.
    fn admit<'a>(&mut self, folded: &mut Batch<'a>, pending: &'a Pending, sequence: u64) -> Result<(), CommitError> {
        let reads = &pending.reads;
        if !reads.is_empty() && !self.history.spares(pending.snapshot, reads, folded) {
            return Err(CommitError::Conflict);
        }
        folded.include(&*self.state, &pending.writes)?;
        self.history.admit(sequence, &pending.writes);
        Ok(())
    }

    fn publish(&mut self, state: Arc<dyn BackendSnapshot>, sequence: u64) {
        self.state = Arc::clone(&state);
        self.sequence = sequence;
        self.shared.published.store(Arc::new(Published {
            sequence,
            state,
            points: Arc::clone(&self.points),
            marks: Arc::clone(&self.marks),
            in_service: true,
        }));
    }

    fn answer(&mut self, batch: &mut Vec<Pending>, verdicts: Vec<Result<Commit, CommitError>>) {
        // Counted before anybody is answered, so that a caller finds its own commit in the counts.
        let counters = &self.shared.counters;
        let (mut commits, mut conflicts, mut keys, mut bytes) = (0, 0, 0, 0);
        for (pending, verdict) in batch.iter().zip(&verdicts) {
            match verdict {
                Ok(_) => {
                    commits += 1;
                    keys += pending.writes.len() as u64;
                    bytes += pending.writes.bytes() as u64;
                }
                Err(CommitError::Conflict) => conflicts += 1,
                Err(_) => {}
            }
        }
        count(&counters.commits, commits);
        count(&counters.conflicts, conflicts);
        count(&counters.keys_written, keys);
        count(&counters.bytes_written, bytes);
        if commits > 0 {
            count(&counters.batches, 1);
            counters.largest_batch.fetch_max(commits, Ordering::Relaxed);
        }
        for (pending, verdict) in batch.drain(..).zip(verdicts) {
            pending.answer(verdict);
        }
        let len = self.history.len() as u64;
        counters.history_keys.store(len, Ordering::Relaxed);
    }

    fn look_after(&mut self) {
        if self.broken.is_some() {
            return;
        }
        match catch_unwind(AssertUnwindSafe(|| self.backend.look_after())) {
            Ok(Ok(Some(state))) => self.publish(state, self.sequence),
            Ok(Ok(None)) => {}
            Ok(Err(error)) => drop(self.fail(error)),
            Err(_) => drop(self.fail(BackendError::Failed("looking after the storage panicked".into()))),
        }
    }

    /// Takes the backend out of service and tries at once to bring it back.
    fn fail(&mut self, error: BackendError) -> BackendError {
        tracing::error!(%error, "the storage failed; opening it again");
        count(&self.shared.counters.failed_batches, 1);
        self.retire(error.clone());
        self.try_reopen(Duration::ZERO);
        error
    }

    /// From now on nothing can be read, and what was read before cannot be validated: the disk may hold the failed
    /// batch or not.
    fn retire(&mut self, error: BackendError) {
        self.sequence += 1;
        self.history.reset(self.sequence);
        self.points.clear(self.sequence);
        self.marks.clear(self.sequence);
        self.state = Arc::new(ClosedSnapshot);
        self.shared.published.store(Arc::new(Published {
            sequence: self.sequence,
            state: Arc::clone(&self.state),
            points: Arc::clone(&self.points),
            marks: Arc::clone(&self.marks),
            in_service: false,
        }));
        self.broken = Some((error, Instant::now()));
    }

    /// Opens a backend that is out of service, unless that was tried less than `interval` ago.
    fn try_reopen(&mut self, interval: Duration) {
        let Some((_, tried)) = &self.broken else {
            return;
        };
        if tried.elapsed() < interval {
            return;
        }
        let backend = &mut self.backend;
        let reopened = catch_unwind(AssertUnwindSafe(|| {
            backend.reopen()?;
            backend.snapshot()
        }))
        .unwrap_or_else(|_| Err(BackendError::Failed("opening the storage panicked".into())));
        match reopened {
            Ok(state) => {
                tracing::warn!("the storage is open again");
                count(&self.shared.counters.reopens, 1);
                self.broken = None;
                let sequence = self.sequence;
                self.publish(state, sequence);
            }
            Err(error) => {
                tracing::error!(%error, "the storage could not be opened again");
                self.broken = Some((error, Instant::now()));
            }
        }
    }

    fn close(mut self) {
        self.state = Arc::new(ClosedSnapshot);
        self.shared.published.store(Arc::new(Published {
            sequence: self.sequence,
            state: Arc::clone(&self.state),
            points: Arc::clone(&self.points),
            marks: Arc::clone(&self.marks),
            in_service: true,
        }));
        // No snapshot is the latest any more.
        self.points.clear(u64::MAX);
        self.marks.clear(u64::MAX);
        match catch_unwind(AssertUnwindSafe(|| self.backend.close())) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "closing the storage failed"),
            Err(_) => tracing::error!("closing the storage panicked"),
        }
    }
}
