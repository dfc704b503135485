//! The permits of runs. Each run holds one. Each kind of run has its own number of permits.

use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::average_run_time::AverageRunTime;
use super::fair_turns::{CallCounts, FairTurns, Turn};
use super::tick::shared_processors;

/// Long runs that are let in at once. Further ones fail.
pub(crate) const MAX_LONG_RUNS: usize = 32;
/// Dry runs that go on at once, and comparisons that go on at once. Further ones wait.
pub(crate) const MAX_DRY_RUNS: usize = 4;

/// As many long runs as may run at once are running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crowded;

/// The permits of all runs of an engine.
#[derive(Debug)]
pub(crate) struct Scheduler {
    /// One permit for each short run.
    short_runs: Semaphore,
    max_short_runs: usize,
    /// One permit for each long run.
    long_runs: Semaphore,
    /// The processors that long runs use. A long run holds one for a tick, and for the pause after
    /// it.
    slices: Semaphore,
    /// One permit for each dry run.
    pub(crate) dry_runs: Semaphore,
    /// One permit for each dry run that a call waits for. Shadows must not delay calls.
    pub(crate) comparisons: Semaphore,
    pub(crate) counts: Arc<CallCounts>,
}

impl Scheduler {
    /// A scheduler that lets this many short runs go on at once.
    pub(crate) fn new(max_short_runs: usize) -> Scheduler {
        Scheduler {
            short_runs: Semaphore::new(max_short_runs),
            max_short_runs,
            long_runs: Semaphore::new(MAX_LONG_RUNS),
            slices: Semaphore::new(shared_processors()),
            dry_runs: Semaphore::new(MAX_DRY_RUNS),
            comparisons: Semaphore::new(MAX_DRY_RUNS),
            counts: Arc::default(),
        }
    }

    /// Waits for the function's turn, if it needs one, and for a short permit.
    pub(crate) async fn admit(&self, turns: &FairTurns, average: &AverageRunTime) -> RunPermits<'_> {
        let turn = turns.take(average, &self.counts).await;
        let short = match self.short_runs.try_acquire() {
            Ok(permit) => Some(permit),
            // The semaphore is never closed.
            Err(_) => self.short_runs.acquire().await.ok(),
        };
        RunPermits {
            turn,
            short,
            long: None,
        }
    }

    /// Waits for a slice of the processors that long runs share.
    pub(crate) async fn slice(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.slices.acquire().await.ok()
    }

    /// The permits of short runs that are held, and all of them.
    pub(crate) fn short_permits(&self) -> (usize, usize) {
        let free = self.short_runs.available_permits();
        (self.max_short_runs.saturating_sub(free), self.max_short_runs)
    }

    /// Whether short runs go on now.
    pub(crate) fn has_short_runs(&self) -> bool {
        self.short_runs.available_permits() < self.max_short_runs
    }
}

/// The permits that one run holds. The default is none: a dry run has a permit elsewhere.
#[derive(Default)]
pub(crate) struct RunPermits<'a> {
    turn: Option<Turn>,
    short: Option<SemaphorePermit<'a>>,
    long: Option<SemaphorePermit<'a>>,
}

impl<'a> RunPermits<'a> {
    /// Whether the run took a turn.
    pub(crate) fn has_turn(&self) -> bool {
        self.turn.is_some()
    }

    /// Takes a long-run permit, and gives the permits of a short run back.
    ///
    /// # Errors
    /// [`Crowded`] when there is no long-run permit.
    pub(crate) fn grow_long(&mut self, scheduler: &'a Scheduler) -> Result<(), Crowded> {
        if self.long.is_none() {
            self.long = Some(scheduler.long_runs.try_acquire().map_err(|_| Crowded)?);
            self.short = None;
            self.turn = None;
        }
        Ok(())
    }
}
