//! The committer: the only thread that writes.
//!
//! It takes the transactions that wait, validates each, makes the valid ones durable as one batch,
//! publishes the new snapshot, and replies. It also owns the time of the backend: it waits for a
//! request only until maintenance is due.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::backend::{ApplyError, Backend, BackendLoad, BackendSnapshot, CheckpointState, ClosedSnapshot};
use crate::batch::Batch;
use crate::commit::Commit;
use crate::config::Config;
use crate::error::{BackendError, CommitError};
use crate::history::History;
use crate::read_set::ReadSet;
use crate::snapshot::Published;
use crate::stats::{Counters, count};
use crate::sync::{self, ArcSwap, Elapsed, oneshot};
use crate::table_versions::VersionRegistry;
use crate::write_set::WriteSet;

/// The least time between two attempts of readers to reopen a failed backend.
const REOPEN_INTERVAL: Duration = Duration::from_millis(100);
/// The longest time that a batch waits for more members.
const MAX_GATHER_TIME: Duration = Duration::from_micros(500);
/// How long the committer sleeps between two looks at the queue while it gathers.
const GATHER_INTERVAL: Duration = Duration::from_micros(50);

/// A message to the committer.
pub(crate) enum Request {
    Commit(Pending),
    /// Somebody reads while the backend is out of service, or could not read.
    Reopen,
    /// Somebody wants a state that stays readable.
    Checkpoint(CheckpointReply),
}

/// Gets the state of a checkpoint.
pub(crate) type CheckpointReply = oneshot::Sender<Result<CheckpointState, BackendError>>;

/// Those who wait for a checkpoint.
#[derive(Default)]
struct Checkpoints {
    /// They get the one in progress.
    current: Vec<CheckpointReply>,
    /// They came later, and get the next one.
    next: Vec<CheckpointReply>,
}

/// A transaction that waits for its commit.
pub(crate) struct Pending {
    /// The number of the snapshot it read. The snapshot itself may be freed meanwhile.
    pub(crate) snapshot: u64,
    pub(crate) reads: ReadSet,
    pub(crate) writes: WriteSet,
    /// Whether all transactions on earlier snapshots conflict after this commit.
    pub(crate) is_fence: bool,
    pub(crate) reply: oneshot::Sender<CommitReply>,
}

/// The verdict on a transaction. The caller allocated the read and write set, so it also frees
/// them.
pub(crate) struct CommitReply {
    pub(crate) verdict: Result<Commit, CommitError>,
    _sets: (ReadSet, WriteSet),
}

impl Pending {
    fn reply(self, verdict: Result<Commit, CommitError>) {
        // The caller may have gone. Nobody needs the reply then.
        let _ = self.reply.send(CommitReply {
            verdict,
            _sets: (self.reads, self.writes),
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
    versions: Arc<VersionRegistry>,
    shared: Arc<Shared>,
    history: History,
    /// The last committed transaction.
    sequence: u64,
    /// Transactions on snapshots before this one conflict.
    fence: u64,
    /// If the backend is out of service: why, and when it was last reopened in vain.
    broken: Option<(BackendError, Instant)>,
    checkpoints: Checkpoints,
    batch_transactions: usize,
    batch_bytes: usize,
}

/// What the committer waited for.
enum Wakeup {
    Request(Request),
    MaintenanceDue,
    /// All handles are gone and the queue is empty.
    Closed,
}

impl Committer {
    /// # Errors
    /// If the state of the backend cannot be read.
    pub(crate) fn new(backend: Box<dyn Backend>, config: &Config) -> Result<(Self, Arc<Shared>), BackendError> {
        let state = backend.snapshot()?;
        let versions = Arc::new(VersionRegistry::default());
        let shared = Arc::new(Shared {
            published: ArcSwap::from_pointee(Published {
                sequence: 0,
                state: Arc::clone(&state),
                versions: Arc::clone(&versions),
                in_service: true,
            }),
            counters: Counters::default(),
        });
        let committer = Self {
            backend,
            state,
            versions,
            shared: Arc::clone(&shared),
            history: History::new(config.history_keys, config.history_bytes),
            sequence: 0,
            fence: 0,
            broken: None,
            checkpoints: Checkpoints::default(),
            batch_transactions: config.batch_transactions.max(1),
            batch_bytes: config.batch_bytes,
        };
        Ok((committer, shared))
    }

    /// Runs until all handles are gone and the queue is empty, then closes the backend. `clock`
    /// bounds the waits.
    pub(crate) fn run(mut self, mut queue: mpsc::Receiver<Request>, clock: &Runtime) {
        let mut batch = Vec::new();
        // Callers that got the last replies are likely to come back first: their number, and how
        // long their batch took.
        let (mut expected, mut last_duration) = (0, Duration::ZERO);
        loop {
            let request = match self.wait(&mut queue, clock) {
                Wakeup::Request(request) => request,
                Wakeup::MaintenanceDue => {
                    self.shared.counters.begin_work();
                    self.maintain();
                    self.go_on_with_checkpoints();
                    self.note_load();
                    self.shared.counters.end_work();
                    continue;
                }
                Wakeup::Closed => break,
            };
            self.gather(request, &mut queue, &mut batch, expected, last_duration / 4);
            if !batch.is_empty() {
                expected = batch.len();
                let start = sync::now();
                self.shared.counters.begin_work();
                self.commit_or_recover(&mut batch);
                last_duration = sync::now() - start;
                self.shared.counters.add_batch_time(last_duration);
                self.note_load();
            }
            self.go_on_with_checkpoints();
            self.shared.counters.end_work();
        }
        self.close();
    }

    /// Waits for a request, at most until maintenance is due.
    fn wait(&self, queue: &mut mpsc::Receiver<Request>, clock: &Runtime) -> Wakeup {
        let due = match self.broken {
            Some(_) => None,
            None => self.backend.maintenance_due(),
        };
        match sync::receive(queue, due, clock) {
            Ok(received) => received.map_or(Wakeup::Closed, Wakeup::Request),
            Err(Elapsed) => Wakeup::MaintenanceDue,
        }
    }

    /// Moves waiting transactions into the batch. If they are fewer than `expected`, waits up to
    /// `patience` for the callers that are about to come. A durable write costs about the same for
    /// one transaction as for many, so the first caller should not start it alone. A single caller
    /// never waits.
    fn gather(
        &mut self,
        first: Request,
        queue: &mut mpsc::Receiver<Request>,
        batch: &mut Vec<Pending>,
        expected: usize,
        patience: Duration,
    ) {
        let patience = patience.min(MAX_GATHER_TIME);
        let mut bytes = 0;
        let mut next = Some(first);
        let mut since = None;
        loop {
            match next.take() {
                Some(Request::Commit(pending)) => {
                    bytes += pending.writes.bytes();
                    batch.push(pending);
                }
                Some(Request::Checkpoint(reply)) => self.checkpoints.next.push(reply),
                Some(Request::Reopen) => self.heal(),
                None => {
                    let since = *since.get_or_insert_with(sync::now);
                    if batch.len() >= expected || sync::now() - since >= patience {
                        return;
                    }
                    // Sleeps, because the callers need the processor to get here.
                    sync::sleep(GATHER_INTERVAL);
                }
            }
            if batch.len() >= self.batch_transactions || bytes >= self.batch_bytes {
                return;
            }
            next = queue.try_recv().ok();
        }
    }

    /// Commits the batch and replies to each member, whatever happens.
    fn commit_or_recover(&mut self, batch: &mut Vec<Pending>) {
        self.try_reopen(Duration::ZERO);
        let failure = match &self.broken {
            Some((error, _)) => error.clone(),
            None => match catch_unwind(AssertUnwindSafe(|| self.commit(batch))) {
                Ok(Ok(())) => return,
                // Nothing was written, and reads go on.
                Ok(Err(ApplyError::Refused(error))) => error,
                Ok(Err(ApplyError::Failed(error))) => self.fail(error),
                Err(_) => self.fail(BackendError::Failed("the committer panicked".into())),
            },
        };
        for pending in batch.drain(..) {
            pending.reply(Err(CommitError::Backend(failure.clone())));
        }
    }

    /// Commits the valid members of the batch and replies to all. On an error nobody got a reply.
    fn commit(&mut self, batch: &mut Vec<Pending>) -> Result<(), ApplyError> {
        let mut verdicts: Vec<Result<Commit, CommitError>> = Vec::with_capacity(batch.len());
        let mut folded = Batch::default();
        let mut sequence = self.sequence;
        let mut fence = self.fence;
        let number = self.shared.counters.batches.load(Ordering::Relaxed) + 1;
        for pending in batch.iter() {
            let admitted = if pending.snapshot < fence {
                Err(CommitError::Conflict)
            } else {
                self.admit(&mut folded, pending, sequence + 1)
            };
            let verdict = match admitted {
                Ok(()) => {
                    sequence += 1;
                    if pending.is_fence {
                        fence = sequence;
                    }
                    Ok(Commit {
                        sequence,
                        batch: Some(number),
                    })
                }
                // A damaged row concerns only those who need it.
                Err(CommitError::Backend(error)) if !error.is_damage() => return Err(error.into()),
                Err(refusal) => Err(refusal),
            };
            verdicts.push(verdict);
        }
        if sequence > self.sequence {
            let state = self.backend.apply(&mut folded.changes())?;
            self.versions.advance(sequence, folded.changes().map(|(key, _)| key));
            self.publish(state, sequence);
            self.history.record(sequence, folded.keys());
            self.fence = fence;
        }
        drop(folded);
        self.reply(batch, verdicts);
        Ok(())
    }

    /// Validates a transaction against the commits since its snapshot and against the batch so far,
    /// then adds it to the batch as commit `sequence`.
    fn admit<'a>(&mut self, folded: &mut Batch<'a>, pending: &'a Pending, sequence: u64) -> Result<(), CommitError> {
        let reads = &pending.reads;
        if !reads.is_empty() && self.history.has_conflict(pending.snapshot, reads, folded) {
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
            versions: Arc::clone(&self.versions),
            in_service: true,
        }));
    }

    /// Counts what the backend does beside the batches.
    fn note_load(&self) {
        let BackendLoad { flushes, log_bytes } = self.backend.load();
        self.shared.counters.flushes.store(flushes, Ordering::Relaxed);
        self.shared.counters.log_bytes.store(log_bytes, Ordering::Relaxed);
    }

    fn reply(&mut self, batch: &mut Vec<Pending>, verdicts: Vec<Result<Commit, CommitError>>) {
        // Counted before the replies, so that a caller finds its own commit in the counts.
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
            counters.add_batch_size(commits);
            counters.largest_batch.fetch_max(commits, Ordering::Relaxed);
        }
        for (pending, verdict) in batch.drain(..).zip(verdicts) {
            pending.reply(verdict);
        }
        let len = self.history.len() as u64;
        counters.history_keys.store(len, Ordering::Relaxed);
    }

    /// Does the maintenance of the backend that is due.
    fn maintain(&mut self) {
        match catch_unwind(AssertUnwindSafe(|| self.backend.maintain())) {
            Ok(Ok(Some(state))) => self.publish(state, self.sequence),
            Ok(Ok(None)) => {}
            Ok(Err(error)) => drop(self.fail(error)),
            Err(_) => drop(self.fail(BackendError::Failed("the maintenance of the storage panicked".into()))),
        }
    }

    /// Begins or continues a checkpoint, if somebody waits for one. Those who asked while it was
    /// made get the next one: nothing else may come that would begin it.
    fn go_on_with_checkpoints(&mut self) {
        loop {
            if self.checkpoints.current.is_empty() {
                self.checkpoints.current = std::mem::take(&mut self.checkpoints.next);
            }
            if self.checkpoints.current.is_empty() {
                return;
            }
            if let Some((error, _)) = &self.broken {
                self.end_checkpoints(error.clone());
                continue;
            }
            let backend = &mut self.backend;
            match catch_unwind(AssertUnwindSafe(|| backend.checkpoint())) {
                // It waits for a flush, after which maintenance is due.
                Ok(Ok(None)) => return,
                Ok(Ok(Some(CheckpointState { state, batch }))) => {
                    for reply in self.checkpoints.current.drain(..) {
                        // Who asked may have gone.
                        let state = Arc::clone(&state);
                        let _ = reply.send(Ok(CheckpointState { state, batch }));
                    }
                }
                Ok(Err(ApplyError::Refused(error))) => self.end_checkpoints(error),
                Ok(Err(ApplyError::Failed(error))) => drop(self.fail(error)),
                Err(_) => drop(self.fail(BackendError::Failed("a checkpoint panicked".into()))),
            }
        }
    }

    /// Tells those who wait that the checkpoint failed.
    fn end_checkpoints(&mut self, error: BackendError) {
        for reply in self.checkpoints.current.drain(..) {
            let _ = reply.send(Err(error.clone()));
        }
    }

    /// Somebody could not read: opens the backend again, if that may help.
    fn heal(&mut self) {
        if self.broken.is_some() {
            self.try_reopen(REOPEN_INTERVAL);
        } else if self.backend.should_reopen() {
            drop(self.fail(BackendError::Failed("the disk could not read a page".into())));
        }
    }

    /// Takes the backend out of service, and tries to reopen it at once.
    fn fail(&mut self, error: BackendError) -> BackendError {
        tracing::error!(%error, "the storage failed; reopening it");
        count(&self.shared.counters.failed_batches, 1);
        self.retire(error.clone());
        self.try_reopen(Duration::ZERO);
        error
    }

    /// Makes all reads fail, and all open transactions conflict: it is unknown whether the disk
    /// holds the failed batch.
    fn retire(&mut self, error: BackendError) {
        self.end_checkpoints(error.clone());
        self.sequence += 1;
        self.history.reset(self.sequence);
        self.versions.clear(self.sequence);
        self.state = Arc::new(ClosedSnapshot);
        self.shared.published.store(Arc::new(Published {
            sequence: self.sequence,
            state: Arc::clone(&self.state),
            versions: Arc::clone(&self.versions),
            in_service: false,
        }));
        self.broken = Some((error, sync::now()));
    }

    /// Reopens a backend that is out of service, unless that was tried less than `interval` ago.
    fn try_reopen(&mut self, interval: Duration) {
        let Some((_, tried)) = &self.broken else {
            return;
        };
        if sync::now() - *tried < interval {
            return;
        }
        let backend = &mut self.backend;
        let reopened = catch_unwind(AssertUnwindSafe(|| {
            backend.reopen()?;
            backend.snapshot()
        }))
        .unwrap_or_else(|_| Err(BackendError::Failed("reopening the storage panicked".into())));
        match reopened {
            Ok(state) => {
                tracing::warn!("the storage is in service again");
                count(&self.shared.counters.reopens, 1);
                self.broken = None;
                let sequence = self.sequence;
                self.publish(state, sequence);
            }
            Err(error) => {
                tracing::error!(%error, "the storage could not be reopened");
                self.broken = Some((error, sync::now()));
            }
        }
    }

    fn close(mut self) {
        self.state = Arc::new(ClosedSnapshot);
        self.shared.published.store(Arc::new(Published {
            sequence: self.sequence,
            state: Arc::clone(&self.state),
            versions: Arc::clone(&self.versions),
            in_service: true,
        }));
        // No snapshot is current from now on.
        self.versions.clear(u64::MAX);
        match catch_unwind(AssertUnwindSafe(|| self.backend.close())) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "closing the storage failed"),
            Err(_) => tracing::error!("closing the storage panicked"),
        }
    }
}
