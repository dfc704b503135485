//! Times of lists, in seconds or milliseconds.

/// A time from this value on is in milliseconds.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// The unit of a collection's times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds since the epoch.
    Seconds,
    /// Milliseconds since the epoch.
    Milliseconds,
}

/// Times from `first` to `last`, both inclusive; empty if `first` is after `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// The first time.
    pub first: i64,
    /// The last time.
    pub last: i64,
}

impl TimeRange {
    /// Every time.
    pub const ALL: Self = Self {
        first: i64::MIN,
        last: i64::MAX,
    };

    /// The range from `start` to `end` in the unit of the rows. Each end is absent, or in seconds
    /// or milliseconds.
    pub fn new(start: Option<i64>, end: Option<i64>, unit: Unit) -> Self {
        Self {
            first: start.map_or(i64::MIN, |start| Bound::First.convert(start, unit)),
            last: end.map_or(i64::MAX, |end| Bound::Last.convert(end, unit)),
        }
    }
}

#[derive(Clone, Copy)]
enum Bound {
    First,
    Last,
}

impl Bound {
    fn convert(self, time: i64, unit: Unit) -> i64 {
        match (unit, time >= MILLISECONDS_FROM) {
            (Unit::Seconds, true) => match self {
                Self::First => time / 1000 + i64::from(time % 1000 > 0),
                Self::Last => time / 1000,
            },
            (Unit::Milliseconds, false) => match self {
                Self::First => time.saturating_mul(1000),
                // The whole last second is included.
                Self::Last => time.saturating_mul(1000).saturating_add(999),
            },
            (Unit::Seconds, false) | (Unit::Milliseconds, true) => time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(start: i64, end: i64) -> (i64, i64) {
        let range = TimeRange::new(Some(start), Some(end), Unit::Seconds);
        (range.first, range.last)
    }

    #[test]
    fn both_units_are_understood() {
        assert_eq!(seconds(1_744_106_171, 1_744_161_323), (1_744_106_171, 1_744_161_323));
        assert_eq!(
            seconds(1_744_106_171_000, 1_744_161_323_000),
            (1_744_106_171, 1_744_161_323)
        );
        assert_eq!(
            seconds(1_744_106_171_001, 1_744_161_323_999),
            (1_744_106_172, 1_744_161_323)
        );
        assert_eq!(seconds(99_999_999_999, 100_000_000_000), (99_999_999_999, 100_000_000));
        let range = TimeRange::new(Some(5), Some(6), Unit::Milliseconds);
        assert_eq!((range.first, range.last), (5000, 6999));
    }

    #[test]
    fn absent_ends_are_open_and_extremes_do_not_overflow() {
        assert_eq!(TimeRange::new(None, None, Unit::Seconds), TimeRange::ALL);
        let range = TimeRange::new(Some(i64::MIN), Some(i64::MIN), Unit::Milliseconds);
        assert!(range.first <= range.last);
        assert_eq!(seconds(-1, i64::MAX), (-1, i64::MAX / 1000));
    }
}
