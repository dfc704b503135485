//! Whether the store takes commits: it looks at the last ones, or tries one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use stowage_storage::{CommitError, Store};
use tokio::time::timeout;

/// A commit that takes longer is stuck. An answer never takes longer either.
const STUCK_AFTER: Duration = Duration::from_millis(900);
/// What was found counts for so long. Whoever asks more often costs nothing.
const FRESH_FOR: Duration = Duration::from_secs(2);
/// For how long a database that was reopened is told.
const TELL_REOPENED: Duration = Duration::from_secs(300);
/// The probe removes a key that never exists: the log of the database gets a record, and no row
/// changes.
const TABLE: &str = "host.probe";
const KEY: &[u8] = b"probe";

/// Why the store does not take commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Closed,
    Fails,
    Stuck,
}

impl Failure {
    pub(super) fn name(self) -> &'static str {
        match self {
            Failure::Closed => "storage-closed",
            Failure::Fails => "storage-fails",
            Failure::Stuck => "storage-stuck",
        }
    }

    pub(super) fn message(self) -> &'static str {
        match self {
            Failure::Closed => "the database is closed",
            Failure::Fails => "the database cannot write; the log tells why",
            Failure::Stuck => "the database has been writing for a second",
        }
    }
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) failure: Option<Failure>,
    /// Whether the database failed a short while ago and works again.
    pub(super) reopened: bool,
}

pub(super) struct Probe {
    store: Store,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The last commit of the probe, and how it ended.
    last: Option<(Instant, Option<Failure>)>,
    /// When the commit began that has not ended.
    running: Option<Instant>,
    /// The store's counts when its last commit was seen.
    commits: u64,
    failed_batches: u64,
    reopens: u64,
    reopened_at: Option<Instant>,
}

impl Probe {
    pub(super) fn new(store: Store) -> Probe {
        let stats = store.stats();
        Probe {
            store,
            seen: Arc::new(Mutex::new(Seen {
                commits: stats.commits,
                failed_batches: stats.failed_batches,
                reopens: stats.reopens,
                ..Seen::default()
            })),
        }
    }

    /// Finds out whether the store takes commits, within a second.
    pub(super) async fn ask(&self) -> Found {
        let failure = self.failure().await;
        let reopens = self.store.stats().reopens;
        let mut seen = self.seen.lock();
        if reopens > seen.reopens {
            seen.reopens = reopens;
            seen.reopened_at = Some(Instant::now());
        }
        let reopened = seen.reopened_at.is_some_and(|at| at.elapsed() < TELL_REOPENED);
        Found { failure, reopened }
    }

    async fn failure(&self) -> Option<Failure> {
        let state = self.store.service_state();
        if state.closed {
            return Some(Failure::Closed);
        }
        if state.busy.is_some_and(|busy| busy >= STUCK_AFTER) {
            return Some(Failure::Stuck);
        }
        match self.known(state.failed) {
            Known::Yes(failure) => failure,
            Known::No => self.commit().await,
        }
    }

    /// What is known without a commit of the probe.
    fn known(&self, has_failed: bool) -> Known {
        let stats = self.store.stats();
        let mut seen = self.seen.lock();
        if let Some(since) = seen.running {
            // Another request waits for it.
            return match since.elapsed() >= STUCK_AFTER {
                true => Known::Yes(Some(Failure::Stuck)),
                false => Known::Yes(seen.last.and_then(|(_, failure)| failure)),
            };
        }
        if let Some((at, failure)) = seen.last
            && at.elapsed() < FRESH_FOR
        {
            return Known::Yes(failure);
        }
        let works = stats.commits > seen.commits && stats.failed_batches == seen.failed_batches;
        seen.commits = stats.commits;
        seen.failed_batches = stats.failed_batches;
        if works && !has_failed {
            seen.last = Some((Instant::now(), None));
            return Known::Yes(None);
        }
        seen.running = Some(Instant::now());
        Known::No
    }

    /// Makes a commit. One at a time: `running` says that it is being made.
    async fn commit(&self) -> Option<Failure> {
        let (store, seen) = (self.store.clone(), Arc::clone(&self.seen));
        let commit = tokio::spawn(async move {
            let mut transaction = store.begin();
            let result = match transaction.delete(TABLE, KEY) {
                Ok(()) => store.commit(transaction).await.map(drop),
                Err(_) => Err(CommitError::Closed),
            };
            let failure = match result {
                // After a failure the open transactions conflict: the store works again.
                Ok(()) | Err(CommitError::Conflict) => None,
                Err(CommitError::Closed) => Some(Failure::Closed),
                Err(CommitError::Backend(_) | CommitError::NotACounter { .. }) => Some(Failure::Fails),
            };
            let stats = store.stats();
            let mut seen = seen.lock();
            seen.running = None;
            seen.last = Some((Instant::now(), failure));
            seen.commits = stats.commits;
            seen.failed_batches = stats.failed_batches;
            failure
        });
        match timeout(STUCK_AFTER, commit).await {
            Ok(Ok(failure)) => failure,
            Ok(Err(_)) => Some(Failure::Fails),
            Err(_) => Some(Failure::Stuck),
        }
    }
}

/// What is known without a commit.
enum Known {
    Yes(Option<Failure>),
    No,
}

#[cfg(test)]
mod tests {
    use stowage_storage::Config;

    use super::*;

    fn probe() -> Probe {
        Probe::new(Store::in_memory(Config::default()))
    }

    const GOOD: Found = Found {
        failure: None,
        reopened: false,
    };

    #[tokio::test]
    async fn an_idle_store_is_tried_and_the_result_counts_for_a_while() {
        let probe = probe();
        assert_eq!(probe.ask().await, GOOD);
        assert_eq!(probe.store.stats().commits, 1);
        assert_eq!(probe.ask().await, GOOD);
        assert_eq!(probe.store.stats().commits, 1, "what was found is fresh");
        let read = probe.store.begin().get(TABLE, KEY).expect("memory is readable");
        assert_eq!(read, None, "no row is left");
    }

    #[tokio::test]
    async fn a_store_that_others_write_to_is_not_tried() {
        let probe = probe();
        let mut transaction = probe.store.begin();
        transaction.put("t", b"k", b"v".to_vec()).expect("memory is writable");
        probe.store.commit(transaction).await.expect("memory takes commits");
        assert_eq!(probe.ask().await, GOOD);
        assert_eq!(probe.store.stats().commits, 1);
    }

    #[tokio::test]
    async fn a_closed_store_takes_no_commits() {
        let probe = probe();
        probe.store.close().await;
        assert_eq!(probe.ask().await.failure, Some(Failure::Closed));
    }

    #[tokio::test]
    async fn a_commit_that_does_not_end_is_told_without_waiting_for_it() {
        let probe = probe();
        probe.seen.lock().running = Some(Instant::now() - STUCK_AFTER);
        assert_eq!(probe.ask().await.failure, Some(Failure::Stuck));
        probe.seen.lock().running = Some(Instant::now());
        assert_eq!(probe.ask().await, GOOD, "it may still end");
    }
}
