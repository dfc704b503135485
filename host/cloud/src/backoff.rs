//! Pauses between attempts.

use std::time::Duration;

/// A pause that doubles with each attempt, up to a cap. Its length is random: at least half and at
/// most all of that. So hosts that failed together do not retry together.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    cap: Duration,
    attempts: u32,
}

impl Backoff {
    pub(crate) fn new(first: Duration, cap: Duration) -> Self {
        Self {
            first,
            cap,
            attempts: 0,
        }
    }

    /// The pause before the next attempt.
    pub(crate) fn next(&mut self) -> Duration {
        let span = self.first.saturating_mul(1 << self.attempts.min(20)).min(self.cap);
        self.attempts = self.attempts.saturating_add(1);
        let (random, _) = uuid::Uuid::new_v4().as_u64_pair();
        span.mul_f64(0.5 + (random >> 11) as f64 / (1u64 << 54) as f64)
    }

    /// Starts over after a success.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// Attempts since the last success.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_cap_and_never_reach_zero() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        for attempt in 0..40 {
            let pause = backoff.next();
            assert!(
                pause >= Duration::from_millis(50) && pause <= Duration::from_secs(1),
                "{attempt}: {pause:?}"
            );
        }
        assert!(backoff.next() >= Duration::from_millis(500));
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(100));
    }
}
