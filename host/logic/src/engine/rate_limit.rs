//! A rate limit. What modules print and log must not fill the log.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The limit holds for each window of this length.
const WINDOW: Duration = Duration::from_secs(1);

/// Bounds an amount in each second, and counts what was left out.
#[derive(Debug)]
pub(crate) struct RateLimit {
    /// The amount that is granted in one window.
    max: u64,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    /// A window begins with the first request after the window before it.
    began: Option<Instant>,
    used: u64,
    /// Requests that were left out and have not been reported.
    left_out: u64,
    over: bool,
}

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The request is granted. This many before it were left out and have not been reported yet.
    Granted { left_out: u64 },
    /// The request is left out, as the first of its window.
    FirstLeftOut,
    /// The request is left out.
    LeftOut,
}

impl RateLimit {
    /// Grants `max` a second.
    pub(crate) fn new(max: u64) -> RateLimit {
        RateLimit {
            max,
            window: Mutex::default(),
        }
    }

    /// Asks for an amount at this time. After the first request that does not fit, all further ones
    /// of the window are left out.
    pub(crate) fn ask(&self, amount: u64, now: Instant) -> Verdict {
        let mut window = self.window.lock();
        if window
            .began
            .is_none_or(|began| now.saturating_duration_since(began) >= WINDOW)
        {
            *window = Window {
                began: Some(now),
                left_out: window.left_out,
                ..Window::default()
            };
        }
        if !window.over && amount <= self.max - window.used {
            window.used += amount;
            return Verdict::Granted {
                left_out: std::mem::take(&mut window.left_out),
            };
        }
        window.left_out += 1;
        if std::mem::replace(&mut window.over, true) {
            Verdict::LeftOut
        } else {
            Verdict::FirstLeftOut
        }
    }

    /// Requests that were left out and have not been reported.
    pub(crate) fn left_out(&self) -> u64 {
        self.window.lock().left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_over_the_limit_are_left_out_and_reported_with_the_next_granted_one() {
        let limit = RateLimit::new(3);
        let start = Instant::now();
        for n in 0..3 {
            let granted = limit.ask(1, start + WINDOW / 10 * n);
            assert_eq!(granted, Verdict::Granted { left_out: 0 });
        }
        assert_eq!(limit.ask(1, start + WINDOW / 2), Verdict::FirstLeftOut);
        assert_eq!(limit.ask(1, start + WINDOW / 2), Verdict::LeftOut);
        assert_eq!(limit.left_out(), 2);
        assert_eq!(limit.ask(1, start + WINDOW), Verdict::Granted { left_out: 2 });
        assert_eq!(limit.left_out(), 0);
        assert_eq!(limit.ask(1, start + WINDOW), Verdict::Granted { left_out: 0 });
    }

    #[test]
    fn a_flood_over_many_windows_gets_the_limit_in_each() {
        let limit = RateLimit::new(5);
        let start = Instant::now();
        let (mut granted, mut firsts, mut reported) = (0, 0, 0);
        for ms in 0..10_000 {
            match limit.ask(1, start + Duration::from_millis(ms)) {
                Verdict::Granted { left_out } => {
                    granted += 1;
                    reported += left_out;
                }
                Verdict::FirstLeftOut => firsts += 1,
                Verdict::LeftOut => {}
            }
        }
        assert_eq!((granted, firsts), (50, 10));
        assert_eq!(reported + limit.left_out(), 10_000 - granted, "each is reported once");
    }

    #[test]
    fn amounts_add_up_and_one_that_does_not_fit_ends_the_window() {
        let limit = RateLimit::new(10);
        let now = Instant::now();
        assert_eq!(limit.ask(8, now), Verdict::Granted { left_out: 0 });
        assert_eq!(limit.ask(3, now), Verdict::FirstLeftOut);
        assert_eq!(limit.ask(1, now), Verdict::LeftOut, "output after a gap would mislead");
        assert_eq!(limit.ask(11, now + WINDOW), Verdict::FirstLeftOut);
    }
}
