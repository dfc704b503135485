//! The speed of a running transfer.

use std::time::Duration;

use tokio::time::Instant;

/// The time between two measurements.
const STEP: Duration = Duration::from_millis(500);

/// The time after which an older speed counts for about a third.
const SMOOTHING: Duration = Duration::from_secs(3);

/// The speed of a running transfer, smoothed over a few seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Speed {
    /// The bytes transferred at the last measurement, and its time.
    last: Option<(u64, Instant)>,
    /// Bytes a second. `None` before the first measurement.
    rate: Option<f64>,
}

impl Speed {
    /// Tells that `bytes` are transferred now. Fewer than before start the measurement again.
    pub(crate) fn report(&mut self, bytes: u64, now: Instant) {
        let Some((before, at)) = self.last.filter(|(before, _)| *before <= bytes) else {
            *self = Speed {
                last: Some((bytes, now)),
                rate: None,
            };
            return;
        };
        let elapsed = now.saturating_duration_since(at);
        if elapsed < STEP {
            return;
        }
        let current = (bytes - before) as f64 / elapsed.as_secs_f64();
        let weight = 1.0 - (-elapsed.as_secs_f64() / SMOOTHING.as_secs_f64()).exp();
        self.rate = Some(self.rate.map_or(current, |rate| rate + weight * (current - rate)));
        self.last = Some((bytes, now));
    }

    /// Bytes a second. 0 if it is not known.
    pub(crate) fn bytes_per_second(&self) -> u64 {
        // A conversion of a float saturates.
        self.rate.map_or(0, |rate| rate.round() as u64)
    }

    /// Seconds until `left` bytes are transferred, at least 1. 0 if it is not known.
    pub(crate) fn remaining(&self, left: u64) -> u64 {
        match self.bytes_per_second() {
            0 => 0,
            speed => left.div_ceil(speed).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(steps: &[(u64, u64)]) -> Speed {
        let start = Instant::now();
        let mut speed = Speed::default();
        for (ms, bytes) in steps {
            speed.report(*bytes, start + Duration::from_millis(*ms));
        }
        speed
    }

    #[test]
    fn a_steady_transfer_has_its_speed_and_its_time_left() {
        let steps: Vec<_> = (0..100).map(|n| (n * 50, 7000 + n * 5000)).collect();
        let speed = after(&steps);
        assert_eq!(speed.bytes_per_second(), 100_000);
        assert_eq!(speed.remaining(1_000_001), 11);
        assert_eq!(speed.remaining(0), 1);
    }

    #[test]
    fn what_was_there_before_the_first_report_does_not_count() {
        assert_eq!(after(&[(0, 1 << 40)]).bytes_per_second(), 0);
        assert_eq!(after(&[(0, 1 << 40)]).remaining(5), 0);
        assert_eq!(after(&[(0, 1 << 40), (1000, (1 << 40) + 500)]).bytes_per_second(), 500);
    }

    #[test]
    fn a_transfer_that_stands_still_slows_down_to_zero() {
        let mut steps = vec![(0, 0), (1000, 1_000_000)];
        steps.extend((1..200).map(|n| (1000 + n * 500, 1_000_000)));
        assert!(after(&steps[..4]).bytes_per_second() > 500_000, "smoothed");
        assert_eq!(after(&steps).bytes_per_second(), 0);
    }

    #[test]
    fn starting_again_from_the_beginning_is_no_negative_speed() {
        assert_eq!(after(&[(0, 0), (1000, 9000), (2000, 0)]).bytes_per_second(), 0);
        assert_eq!(
            after(&[(0, 0), (1000, 9000), (2000, 0), (3000, 10)]).bytes_per_second(),
            10
        );
    }
}
