//! Turns: runs of functions that usually need much of the processor go one after another, a module, and each is followed by as long a
//! rest where others call meanwhile. A module whose every call ends just before it would be long slows down nobody but itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::engine::limits::TICK;
use crate::scheduler::paced_run::shared_processors;

/// Parts of a tick that the average is kept in.
const PARTS: u32 = 1 << 10;
/// How many of the recent runs the average tells of.
const RECENT: u32 = 16;
/// A run that takes this much of a tick on average is heavy: light ones see a tick go by now and then, in no more of them than they
/// are long.
const HEAVY: u32 = PARTS / 2;
/// One run of many ticks counts as so many: a function is known by what it does often.
const MOST_TICKS: u64 = 4;
/// The longest rest after one turn; a run that goes on is long, and gives its turn back.
const LONGEST_REST: Duration = TICK.saturating_mul(5);

/// How many ticks the recent runs of a function have taken.
#[derive(Debug, Default)]
pub(crate) struct Usual(AtomicU32);

impl Usual {
    /// Takes one more run into the average. Of two at once one may be left out.
    pub(crate) fn note(&self, ticks: u64) {
        let before = self.0.load(Ordering::Relaxed);
        if ticks == 0 && before == 0 {
            // Most runs: what all threads share stays as it is.
            return;
        }
        let ticks = u32::try_from(ticks.min(MOST_TICKS)).unwrap_or_default();
        let after = before - before.div_ceil(RECENT) + ticks * PARTS / RECENT;
        self.0.store(after, Ordering::Relaxed);
    }

    fn is_heavy(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= HEAVY
    }
}

/// Calls that have begun: all, and those that had to wait for their turn.
#[derive(Debug, Default)]
pub(crate) struct Begun {
    pub(crate) calls: AtomicU64,
    heavy: AtomicU64,
}

impl Begun {
    /// Those that need no turn.
    fn light(&self) -> u64 {
        let heavy = self.heavy.load(Ordering::Relaxed);
        self.calls.load(Ordering::Relaxed).saturating_sub(heavy)
    }
}

/// The turns of the heavy functions of one module version.
#[derive(Debug)]
pub(crate) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Turns {
        Turns(Arc::new(Semaphore::new(shared_processors())))
    }
}

impl Turns {
    /// Waits for a turn, if a function that usually does this needs one.
    pub(crate) async fn take(&self, usual: &Usual, begun: &Arc<Begun>) -> Option<Turn> {
        if !usual.is_heavy() {
            return None;
        }
        begun.heavy.fetch_add(1, Ordering::Relaxed);
        // The semaphore is never closed.
        let permit = Arc::clone(&self.0).acquire_owned().await.ok()?;
        Some(Turn {
            permit: Some(permit),
            since: Instant::now(),
            light: begun.light(),
            begun: Arc::clone(begun),
        })
    }
}

/// A turn, which goes to the next one when it has been dropped and the rest after it is over.
pub(crate) struct Turn {
    permit: Option<OwnedSemaphorePermit>,
    since: Instant,
    /// Light calls that had begun by then.
    light: u64,
    begun: Arc<Begun>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let had_company = self.begun.light() > self.light;
        if let (true, Ok(runtime)) = (had_company, Handle::try_current()) {
            let permit = self.permit.take();
            let rest = self.since.elapsed().min(LONGEST_REST);
            runtime.spawn(async move {
                tokio::time::sleep(rest).await;
                drop(permit);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual(runs: impl IntoIterator<Item = u64>) -> Usual {
        let usual = Usual::default();
        runs.into_iter().for_each(|ticks| usual.note(ticks));
        usual
    }

    #[test]
    fn a_function_is_heavy_where_its_runs_usually_are() {
        assert!(!usual([]).is_heavy());
        assert!(usual([1; 20]).is_heavy());
        assert!(!usual([1; 5]).is_heavy(), "too few to know");
        // One of 20 sees a tick go by, as a function of a 20th of a tick does.
        assert!(!usual((0..1000).map(|n| u64::from(n % 20 == 0))).is_heavy());
        assert!(!usual([2500]).is_heavy(), "once, however long");
        let mut runs = vec![2; 100];
        runs.extend([0; 40]);
        assert!(!usual(runs).is_heavy(), "it has changed");
        assert_eq!(usual([4; 1].into_iter().chain([0; 10_000])).0.into_inner(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn turns_come_one_after_another_and_rest_where_others_call() {
        let (turns, usual, begun) = (Turns(Arc::new(Semaphore::new(1))), usual([1; 20]), Arc::default());
        let first = turns.take(&usual, &begun).await.unwrap();
        let waiting = turns.take(&usual, &begun);
        tokio::pin!(waiting);
        assert!(tokio::time::timeout(TICK, waiting.as_mut()).await.is_err());
        drop(first);
        let second = waiting.await.unwrap();
        assert_eq!(turns.0.available_permits(), 0);
        // The call of somebody else.
        begun.calls.fetch_add(4, Ordering::Relaxed);
        drop(second);
        assert_eq!(turns.0.available_permits(), 0, "it rests");
        tokio::time::sleep(LONGEST_REST + TICK).await;
        assert_eq!(turns.0.available_permits(), 1);
        begun.calls.fetch_add(1, Ordering::Relaxed);
        let third = turns.take(&usual, &begun).await.unwrap();
        begun.calls.fetch_add(1, Ordering::Relaxed);
        let waiting = turns.take(&usual, &begun);
        tokio::pin!(waiting);
        assert!(tokio::time::timeout(TICK, waiting.as_mut()).await.is_err());
        drop(third);
        assert!(
            tokio::time::timeout(TICK, waiting.as_mut()).await.is_ok(),
            "those that wait for a turn are no company"
        );
        assert!(turns.take(&Usual::default(), &begun).await.is_none());
    }
}
