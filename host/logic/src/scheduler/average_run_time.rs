//! How much processor time the runs of a function usually need.

use std::sync::atomic::{AtomicU32, Ordering};

/// The average is kept in this fraction of a tick.
const PARTS: u32 = 1 << 10;
/// Recent runs that the average covers.
const RECENT: u32 = 16;
/// A function is heavy if its runs take at least this much of a tick on average. A light run sees a
/// tick pass now and then by chance, and the average of such runs stays below this.
const HEAVY: u32 = PARTS / 2;
/// The most ticks that count of one run. So one long run does not make a function heavy.
const MAX_TICKS: u64 = 4;

/// The average number of ticks that the recent runs of a function took.
#[derive(Debug, Default)]
pub(crate) struct AverageRunTime(AtomicU32);

impl AverageRunTime {
    /// Adds a run to the average. Of two runs added at once one may be lost.
    pub(crate) fn add(&self, ticks: u64) {
        let before = self.0.load(Ordering::Relaxed);
        if ticks == 0 && before == 0 {
            // Most runs: the shared memory stays unwritten.
            return;
        }
        let ticks = u32::try_from(ticks.min(MAX_TICKS)).unwrap_or_default();
        let after = before - before.div_ceil(RECENT) + ticks * PARTS / RECENT;
        self.0.store(after, Ordering::Relaxed);
    }

    pub(crate) fn is_heavy(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= HEAVY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn average(runs: impl IntoIterator<Item = u64>) -> AverageRunTime {
        let average = AverageRunTime::default();
        runs.into_iter().for_each(|ticks| average.add(ticks));
        average
    }

    #[test]
    fn a_function_is_heavy_if_its_runs_usually_are() {
        assert!(!average([]).is_heavy());
        assert!(average([1; 20]).is_heavy());
        assert!(!average([1; 5]).is_heavy(), "too few runs");
        // A function of a 20th of a tick sees a tick pass in one run of 20.
        assert!(!average((0..1000).map(|n| u64::from(n % 20 == 0))).is_heavy());
        assert!(!average([2500]).is_heavy(), "one long run");
        let mut runs = vec![2; 100];
        runs.extend([0; 40]);
        assert!(!average(runs).is_heavy(), "the function became light");
        assert_eq!(average([4; 1].into_iter().chain([0; 10_000])).0.into_inner(), 0);
    }
}
