//! So much of something a second, and no more: what modules bring about must not fill the log.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long what is allowed lasts.
const WINDOW: Duration = Duration::from_secs(1);

/// Bounds what is done in a second, and counts what is left out.
#[derive(Debug)]
pub(crate) struct Allowance {
    /// What is allowed in one window.
    most: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The window began with the first who asked after the one before it.
    began: Option<Instant>,
    used: u64,
    /// How many were left out and have not been told of.
    left_out: u64,
    over: bool,
}

/// What becomes of one who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is allowed; so many before it were left out and had not been told of.
    Granted { left_out: u64 },
    /// It is left out, the first of its window.
    FirstLeftOut,
    /// It is left out.
    LeftOut,
}

impl Allowance {
    /// `most` in a second.
    pub(crate) fn new(most: u64) -> Allowance {
        Allowance {
            most,
            state: Mutex::default(),
        }
    }

    /// Asks for a part of what is allowed at this time. From the first who is left out to the end of the window all are.
    pub(crate) fn ask(&self, part: u64, now: Instant) -> Verdict {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state
            .began
            .is_none_or(|began| now.saturating_duration_since(began) >= WINDOW)
        {
            *state = State {
                began: Some(now),
                left_out: state.left_out,
                ..State::default()
            };
        }
        if !state.over && part <= self.most - state.used {
            state.used += part;
            return Verdict::Granted {
                left_out: std::mem::take(&mut state.left_out),
            };
        }
        state.left_out += 1;
        if std::mem::replace(&mut state.over, true) {
            Verdict::LeftOut
        } else {
            Verdict::FirstLeftOut
        }
    }

    /// How many were left out and have not been told of.
    pub(crate) fn left_out(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_allowance_is_left_out_and_told_with_the_next_that_is_granted() {
        let allowance = Allowance::new(3);
        let start = Instant::now();
        for n in 0..3 {
            let granted = allowance.ask(1, start + WINDOW / 10 * n);
            assert_eq!(granted, Verdict::Granted { left_out: 0 });
        }
        assert_eq!(allowance.ask(1, start + WINDOW / 2), Verdict::FirstLeftOut);
        assert_eq!(allowance.ask(1, start + WINDOW / 2), Verdict::LeftOut);
        assert_eq!(allowance.left_out(), 2);
        assert_eq!(allowance.ask(1, start + WINDOW), Verdict::Granted { left_out: 2 });
        assert_eq!(allowance.left_out(), 0);
        assert_eq!(allowance.ask(1, start + WINDOW), Verdict::Granted { left_out: 0 });
    }

    #[test]
    fn a_flood_of_many_windows_gets_its_allowance_in_each() {
        let allowance = Allowance::new(5);
        let start = Instant::now();
        let (mut granted, mut firsts, mut told) = (0, 0, 0);
        for ms in 0..10_000 {
            match allowance.ask(1, start + Duration::from_millis(ms)) {
                Verdict::Granted { left_out } => {
                    granted += 1;
                    told += left_out;
                }
                Verdict::FirstLeftOut => firsts += 1,
                Verdict::LeftOut => {}
            }
        }
        assert_eq!((granted, firsts), (50, 10));
        assert_eq!(
            told + allowance.left_out(),
            10_000 - granted,
            "every one is told of once"
        );
    }

    #[test]
    fn parts_add_up_and_one_that_is_too_large_ends_the_window() {
        let allowance = Allowance::new(10);
        let now = Instant::now();
        assert_eq!(allowance.ask(8, now), Verdict::Granted { left_out: 0 });
        assert_eq!(allowance.ask(3, now), Verdict::FirstLeftOut);
        assert_eq!(
            allowance.ask(1, now),
            Verdict::LeftOut,
            "what follows a gap would mislead"
        );
        assert_eq!(allowance.ask(11, now + WINDOW), Verdict::FirstLeftOut);
    }
}
