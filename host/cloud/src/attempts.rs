//! Counts the wrong passwords of each blob.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::Hash;

/// Wrong passwords that are taken for a blob within [`WINDOW`].
const WRONG_LIMIT: u32 = 10;
/// How long a wrong password counts, from the first one on.
const WINDOW: Duration = Duration::from_secs(60);
/// Blobs whose wrong passwords are counted.
const BLOBS_LIMIT: usize = 4096;

/// The wrong passwords of each blob in its current window.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    wrong: HashMap<Hash, Wrong>,
}

#[derive(Debug)]
struct Wrong {
    since: Instant,
    count: u32,
}

impl Attempts {
    /// How long no password may be tried for a blob. `None` if one may be tried now.
    pub(crate) fn pause(&self, hash: &Hash, now: Instant) -> Option<Duration> {
        let wrong = self.wrong.get(hash).filter(|wrong| wrong.count >= WRONG_LIMIT)?;
        let left = WINDOW.saturating_sub(now.saturating_duration_since(wrong.since));
        (!left.is_zero()).then_some(left)
    }

    /// Counts a wrong password.
    pub(crate) fn add_wrong(&mut self, hash: &Hash, now: Instant) {
        let is_over = |wrong: &Wrong| now.saturating_duration_since(wrong.since) >= WINDOW;
        if self.wrong.len() >= BLOBS_LIMIT && !self.wrong.contains_key(hash) {
            self.wrong.retain(|_, wrong| !is_over(wrong));
            // If all are still counted, the oldest one makes room.
            if self.wrong.len() >= BLOBS_LIMIT
                && let Some(oldest) = self
                    .wrong
                    .iter()
                    .min_by_key(|(_, wrong)| wrong.since)
                    .map(|(hash, _)| *hash)
            {
                self.wrong.remove(&oldest);
            }
        }
        let wrong = self.wrong.entry(*hash).or_insert(Wrong { since: now, count: 0 });
        if is_over(wrong) {
            *wrong = Wrong { since: now, count: 0 };
        }
        wrong.count = wrong.count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_taken_again_after_the_window_and_the_count_starts_over() {
        let (mut attempts, hash, begun) = (Attempts::default(), Hash::of(b"x"), Instant::now());
        for _ in 0..WRONG_LIMIT {
            assert_eq!(attempts.pause(&hash, begun), None);
            attempts.add_wrong(&hash, begun);
        }
        assert_eq!(attempts.pause(&hash, begun), Some(WINDOW));
        assert_eq!(attempts.pause(&hash, begun + WINDOW / 2), Some(WINDOW / 2));
        assert_eq!(attempts.pause(&hash, begun + WINDOW), None);
        attempts.add_wrong(&hash, begun + WINDOW);
        assert_eq!(attempts.pause(&hash, begun + WINDOW), None);
    }

    #[test]
    fn only_so_many_blobs_are_counted_and_the_newest_are() {
        let (mut attempts, begun) = (Attempts::default(), Instant::now());
        let hash = |number: usize| Hash::of(&number.to_le_bytes());
        for number in 0..BLOBS_LIMIT * 2 {
            let now = begun + Duration::from_millis(number as u64);
            attempts.add_wrong(&hash(number), now);
            assert!(attempts.wrong.len() <= BLOBS_LIMIT);
            assert!(attempts.wrong.contains_key(&hash(number)));
        }
    }
}
