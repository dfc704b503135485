//! How many connections a download uses.
//!
//! It begins with few. Their number doubles while this makes the download faster.

use std::time::Duration;

use tokio::time::Instant;

/// Connections at the beginning.
const FIRST: usize = 2;
/// The most connections of a download.
const MOST: usize = 8;
/// The time over which the speed is measured.
const WINDOW: Duration = Duration::from_millis(200);
/// How long new connections may take to receive bytes before the speed is measured anyway.
const SETTLE: Duration = Duration::from_secs(2);
/// The time after which more connections are tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// How much faster a download must be with more connections.
const GAIN: f64 = 1.15;

/// What one connection usually does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usual {
    /// The time from a request to its first byte.
    pub(super) first_byte: Duration,
    /// Bytes a second from then on.
    pub(super) bytes_per_second: f64,
}

impl Usual {
    /// How long a new request for so many bytes takes, in seconds.
    pub(super) fn seconds(&self, bytes: u64) -> f64 {
        self.first_byte.as_secs_f64() + bytes as f64 / self.bytes_per_second
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The speed is measured.
    Measure,
    /// More connections were added. They are kept if the speed is higher than `before`.
    Try { before: f64, fewer: usize, since: Instant },
    /// The number is kept until this time.
    Keep(Instant),
}

/// How many connections a download uses.
#[derive(Debug)]
pub(super) struct Pace {
    connections: usize,
    most: usize,
    step: Step,
    /// The beginning of the measurement, and the bytes received until then.
    window: Option<(Instant, u64)>,
    usual: Option<Usual>,
}

impl Pace {
    /// With `one`, there is always one connection.
    pub(super) fn new(one: bool) -> Pace {
        let most = if one { 1 } else { MOST };
        Pace {
            connections: FIRST.min(most),
            most,
            step: Step::Measure,
            window: None,
            usual: None,
        }
    }

    /// How many connections there should be.
    pub(super) fn connections(&self) -> usize {
        self.connections
    }

    /// What a connection usually does, once a request has ended.
    pub(super) fn usual(&self) -> Option<&Usual> {
        self.usual.as_ref()
    }

    /// Looks at the speed. `received` is the number of all bytes so far. `flowing` is the number of
    /// requests that have received bytes.
    pub(super) fn look(&mut self, now: Instant, received: u64, flowing: usize) {
        if let Step::Keep(until) = self.step {
            if now < until || self.connections >= self.most {
                return;
            }
            self.step = Step::Measure;
            self.window = None;
        }
        let Some((since, before_window)) = self.window else {
            let ready = match self.step {
                Step::Try { since, .. } => flowing >= self.connections || now.duration_since(since) >= SETTLE,
                _ => received > 0,
            };
            self.window = ready.then_some((now, received));
            return;
        };
        let elapsed = now.duration_since(since);
        if elapsed < WINDOW {
            return;
        }
        let speed = (received - before_window) as f64 / elapsed.as_secs_f64();
        self.window = None;
        match self.step {
            Step::Try { before, fewer, .. } if speed < before * GAIN => {
                self.connections = fewer;
                self.step = Step::Keep(now + AGAIN);
            }
            _ if self.connections >= self.most => self.step = Step::Keep(now + AGAIN),
            _ => {
                self.step = Step::Try {
                    before: speed,
                    fewer: self.connections,
                    since: now,
                };
                self.connections = (self.connections * 2).min(self.most);
            }
        }
    }

    /// Notes how a request went.
    pub(super) fn note(&mut self, first_byte: Duration, bytes: u64, rest: Duration) {
        // A very short time says nothing about the speed.
        let bytes_per_second = bytes as f64 / rest.as_secs_f64().max(0.001);
        self.usual = Some(match self.usual {
            None => Usual {
                first_byte,
                bytes_per_second,
            },
            Some(usual) => Usual {
                first_byte: (usual.first_byte * 3 + first_byte) / 4,
                bytes_per_second: (usual.bytes_per_second * 3.0 + bytes_per_second) / 4.0,
            },
        });
    }

    /// The store refused a connection: there will be fewer for some time.
    pub(super) fn refused(&mut self, now: Instant) {
        self.connections = (self.connections - 1).max(1);
        self.step = Step::Keep(now + AGAIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs for some seconds. `speed` tells the bytes a second for a number of connections.
    fn run(pace: &mut Pace, seconds: u32, speed: impl Fn(usize) -> u64) -> Vec<usize> {
        let mut now = Instant::now();
        let mut received = 0;
        let mut seen = Vec::new();
        for _ in 0..seconds * 20 {
            received += speed(pace.connections()) / 20;
            now += Duration::from_millis(50);
            pace.look(now, received, pace.connections());
            seen.push(pace.connections());
        }
        seen
    }

    #[test]
    fn connections_are_added_while_each_brings_its_share() {
        let mut pace = Pace::new(false);
        let seen = run(&mut pace, 2, |connections| 20_000_000 * connections as u64);
        assert_eq!(seen.first(), Some(&FIRST));
        assert_eq!(seen.last(), Some(&MOST));
        assert!(seen.windows(2).all(|pair| pair[0] <= pair[1]), "{seen:?}");
    }

    #[test]
    fn connections_that_bring_nothing_are_given_up_and_tried_again_later() {
        let mut pace = Pace::new(false);
        let seen = run(&mut pace, 3, |_| 1_000_000_000);
        assert_eq!(seen.iter().max(), Some(&(2 * FIRST)));
        assert_eq!(seen.last(), Some(&FIRST));
        let seen = run(&mut pace, 8, |connections| 20_000_000 * connections as u64);
        assert_eq!(seen.last(), Some(&MOST));
    }

    #[test]
    fn a_store_that_refuses_connections_gets_fewer_but_always_one() {
        let mut pace = Pace::new(false);
        for _ in 0..5 {
            pace.refused(Instant::now());
        }
        assert_eq!(pace.connections(), 1);
        let mut one = Pace::new(true);
        let seen = run(&mut one, 3, |connections| 20_000_000 * connections as u64);
        assert!(seen.iter().all(|connections| *connections == 1));
    }
}
