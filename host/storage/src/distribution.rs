//! Counts of values by their size: a histogram with fixed bounds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bounds for times in microseconds: from 50 µs, which is a call without a write, to a minute.
pub const TIME_BOUNDS_US: &[u64] = &[
    50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000, 60_000_000,
];

/// Counts values by their size. To add a value takes two atomic additions, and no lock.
#[derive(Debug)]
pub struct Distribution {
    bounds: &'static [u64],
    /// One more than bounds: the last one counts the values above all bounds.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// What a [`Distribution`] has counted at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DistributionCounts {
    /// The upper bounds, each included, in ascending order.
    pub bounds: &'static [u64],
    /// The values up to each bound and above the one before it. The last count is of the values
    /// above all bounds.
    pub counts: Vec<u64>,
    /// The sum of all values.
    pub sum: u64,
}

impl Distribution {
    /// Counts nothing yet. The bounds ascend.
    pub fn new(bounds: &'static [u64]) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    /// Counts a value.
    pub fn add(&self, value: u64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Counts a time, in microseconds.
    pub fn add_time(&self, time: Duration) {
        self.add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// How many values were counted.
    pub fn len(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was counted so far.
    pub fn read(&self) -> DistributionCounts {
        DistributionCounts {
            bounds: self.bounds,
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_belongs_to_the_first_bound_that_is_not_below_it() {
        let distribution = Distribution::new(&[10, 100]);
        for value in [0, 10, 11, 100, 101, 5000] {
            distribution.add(value);
        }
        let counts = distribution.read();
        assert_eq!((counts.counts, counts.sum), (vec![2, 2, 2], 5222));
        assert_eq!((distribution.len(), distribution.is_empty()), (6, false));
    }

    #[test]
    fn times_are_counted_in_microseconds() {
        let distribution = Distribution::new(TIME_BOUNDS_US);
        distribution.add_time(Duration::from_micros(50));
        distribution.add_time(Duration::from_secs(3600));
        let counts = distribution.read().counts;
        assert_eq!((counts[0], counts[TIME_BOUNDS_US.len()]), (1, 1));
        assert!(TIME_BOUNDS_US.is_sorted());
    }
}
