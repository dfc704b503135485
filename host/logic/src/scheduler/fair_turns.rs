//! Turns of heavy functions: a module version runs them one after another. If others called
//! meanwhile, the module pauses after each run for as long as the run took. So a module whose runs
//! all end just before they count as long slows down only itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::average_run_time::AverageRunTime;
use super::tick::{TICK, shared_processors};

/// The longest pause after one turn. A run that goes on for longer is long and gives its turn back.
const LONGEST_PAUSE: Duration = TICK.saturating_mul(5);

/// Calls that began: all of them, and those that had to wait for a turn.
#[derive(Debug, Default)]
pub(crate) struct CallCounts {
    calls: AtomicU64,
    heavy: AtomicU64,
}

impl CallCounts {
    /// Counts a call and returns its number.
    pub(crate) fn add_call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// Calls that needed no turn.
    fn light(&self) -> u64 {
        let heavy = self.heavy.load(Ordering::Relaxed);
        self.calls.load(Ordering::Relaxed).saturating_sub(heavy)
    }
}

/// The turns of the heavy functions of one module version.
#[derive(Debug)]
pub(crate) struct FairTurns(Arc<Semaphore>);

impl Default for FairTurns {
    fn default() -> FairTurns {
        FairTurns(Arc::new(Semaphore::new(shared_processors())))
    }
}

impl FairTurns {
    /// Waits for a turn if the function is heavy. A light function needs none.
    pub(crate) async fn take(&self, average: &AverageRunTime, counts: &Arc<CallCounts>) -> Option<Turn> {
        if !average.is_heavy() {
            return None;
        }
        counts.heavy.fetch_add(1, Ordering::Relaxed);
        // The semaphore is never closed.
        let permit = Arc::clone(&self.0).acquire_owned().await.ok()?;
        Some(Turn {
            permit: Some(permit),
            since: Instant::now(),
            light_before: counts.light(),
            counts: Arc::clone(counts),
        })
    }
}

/// A turn. The next run gets it when this one is dropped and the pause after it is over.
pub(crate) struct Turn {
    permit: Option<OwnedSemaphorePermit>,
    since: Instant,
    /// Light calls that had begun when the turn began.
    light_before: u64,
    counts: Arc<CallCounts>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let others_called = self.counts.light() > self.light_before;
        if let (true, Ok(runtime)) = (others_called, Handle::try_current()) {
            let permit = self.permit.take();
            let pause = self.since.elapsed().min(LONGEST_PAUSE);
            runtime.spawn(async move {
                tokio::time::sleep(pause).await;
                drop(permit);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_follow_one_another_and_pause_if_others_call() {
        let (turns, counts) = (FairTurns(Arc::new(Semaphore::new(1))), Arc::default());
        let heavy = AverageRunTime::default();
        (0..20).for_each(|_| heavy.add(1));
        let first = turns.take(&heavy, &counts).await.unwrap();
        let waiting = turns.take(&heavy, &counts);
        tokio::pin!(waiting);
        assert!(tokio::time::timeout(TICK, waiting.as_mut()).await.is_err());
        drop(first);
        let second = waiting.await.unwrap();
        assert_eq!(turns.0.available_permits(), 0);
        // Calls of others.
        (0..4).for_each(|_| _ = counts.add_call());
        drop(second);
        assert_eq!(turns.0.available_permits(), 0, "it pauses");
        tokio::time::sleep(LONGEST_PAUSE + TICK).await;
        assert_eq!(turns.0.available_permits(), 1);
        counts.add_call();
        let third = turns.take(&heavy, &counts).await.unwrap();
        counts.add_call();
        let waiting = turns.take(&heavy, &counts);
        tokio::pin!(waiting);
        assert!(tokio::time::timeout(TICK, waiting.as_mut()).await.is_err());
        drop(third);
        assert!(
            tokio::time::timeout(TICK, waiting.as_mut()).await.is_ok(),
            "calls that wait for a turn do not count as others"
        );
        assert!(turns.take(&AverageRunTime::default(), &counts).await.is_none());
    }
}
