//! Which request fetches which bytes.
//!
//! Each byte belongs to at most one request. A byte that was received is never given to another
//! request. So no byte is written twice, and the hash of the prefix stays true.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use tokio::time::Instant;

use super::pace::Usual;
use super::ranges::Ranges;

/// The least and the most bytes of a request, if there is that much to do.
const REQUEST_BYTES: Range<u64> = 4 << 20..32 << 20;
/// At first, the rest is divided by this number. So requests become shorter towards the end.
const SHARES: u64 = 16;
/// A request is not divided into parts below this size.
const LEAST_HALF_BYTES: u64 = 512 << 10;
/// A request that takes less time than this is left alone.
const SHORT: Duration = Duration::from_millis(100);
/// A request without bytes is not called slow before this time.
const JUDGED_AFTER: Duration = Duration::from_millis(500);

/// The bytes that one request fetches.
#[derive(Debug)]
struct Claim {
    start: u64,
    /// The bytes before this position were received.
    received: u64,
    end: u64,
    began: Instant,
    /// Whether its bytes were taken from a slow request. Then nobody takes them all again.
    overtook: bool,
}

impl Claim {
    fn rest(&self) -> u64 {
        self.end - self.received
    }

    /// How long the rest takes at the speed so far, in seconds.
    fn seconds_left(&self, now: Instant, usual: &Usual) -> f64 {
        let elapsed = now.duration_since(self.began);
        let got = self.received - self.start;
        if got == 0 && elapsed < JUDGED_AFTER.max(usual.first_byte * 3) {
            return usual.seconds(self.rest());
        }
        self.rest() as f64 * elapsed.as_secs_f64() / got as f64
    }
}

/// Bytes for a new request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) id: u64,
    pub(super) range: Range<u64>,
    /// A request that has nothing left to do now.
    pub(super) overtaken: Option<u64>,
}

/// Which bytes are written, and which request fetches the others.
#[derive(Debug)]
pub(super) struct Plan {
    size: u64,
    written: Ranges,
    /// The end of each range that no request fetches, by its start.
    todo: BTreeMap<u64, u64>,
    claims: BTreeMap<u64, Claim>,
    last_id: u64,
    received: u64,
    received_at: Instant,
}

impl Plan {
    pub(super) fn new(size: u64, written: Ranges, now: Instant) -> Plan {
        let todo = written.gaps(size).into_iter().map(|gap| (gap.start, gap.end)).collect();
        Plan {
            size,
            written,
            todo,
            claims: BTreeMap::new(),
            last_id: 0,
            received: 0,
            received_at: now,
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The bytes that are in the file.
    pub(super) fn written(&self) -> &Ranges {
        &self.written
    }

    /// Bytes received by all requests so far.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// When the last bytes were received.
    pub(super) fn received_at(&self) -> Instant {
        self.received_at
    }

    /// How many running requests have received bytes.
    pub(super) fn flowing(&self) -> usize {
        self.claims
            .values()
            .filter(|claim| claim.received > claim.start)
            .count()
    }

    /// Whether all bytes were received.
    pub(super) fn is_received(&self) -> bool {
        self.todo.is_empty() && self.claims.values().all(|claim| claim.rest() == 0)
    }

    /// Whether all bytes are in the file.
    pub(super) fn is_written(&self) -> bool {
        self.written.prefix() >= self.size
    }

    /// The first bytes that no request fetches. Their number depends on how much is left.
    pub(super) fn take(&mut self, now: Instant) -> Option<Share> {
        let left: u64 = self.todo.iter().map(|(start, end)| end - start).sum();
        let most = (left / SHARES).clamp(REQUEST_BYTES.start, REQUEST_BYTES.end);
        let (start, end) = self.todo.pop_first()?;
        let mut cut = end.min(start + most);
        if end - cut < LEAST_HALF_BYTES {
            cut = end;
        } else {
            self.todo.insert(cut, end);
        }
        Some(self.claim(start..cut, None, now))
    }

    /// All bytes of the first range that no request fetches.
    pub(super) fn take_all(&mut self, now: Instant) -> Option<Share> {
        let (start, end) = self.todo.pop_first()?;
        Some(self.claim(start..end, None, now))
    }

    /// Bytes of the running request that would end last. A new request gets half of its rest. If
    /// that request is very slow, a new one gets all of it. `None` if a new request would not help.
    pub(super) fn overtake(&mut self, now: Instant, usual: &Usual) -> Option<Share> {
        let (seconds, id) = self
            .claims
            .iter()
            .filter(|(_, claim)| claim.rest() > 0)
            .map(|(id, claim)| (claim.seconds_left(now, usual), *id))
            .max_by(|(one, _), (other, _)| one.total_cmp(other))?;
        let claim = self.claims.get_mut(&id)?;
        let rest = claim.rest();
        if seconds < SHORT.as_secs_f64() {
            return None;
        }
        let range = if seconds > 3.0 * usual.seconds(rest) && !claim.overtook {
            claim.received..claim.end
        } else if rest >= 2 * LEAST_HALF_BYTES && usual.seconds(rest / 2) < 0.75 * seconds {
            claim.end - rest / 2..claim.end
        } else {
            return None;
        };
        claim.end = range.start;
        let overtaken = (claim.rest() == 0).then_some(id);
        Some(self.claim(range, overtaken, now))
    }

    fn claim(&mut self, range: Range<u64>, overtaken: Option<u64>, now: Instant) -> Share {
        self.last_id += 1;
        let claim = Claim {
            start: range.start,
            received: range.start,
            end: range.end,
            began: now,
            overtook: overtaken.is_some(),
        };
        self.claims.insert(self.last_id, claim);
        Share {
            id: self.last_id,
            range,
            overtaken,
        }
    }

    /// Notes that a request received the next `len` bytes. Returns how many of them belong to it.
    /// The others belong to a request that overtook it.
    pub(super) fn receive(&mut self, id: u64, len: usize, now: Instant) -> usize {
        let Some(claim) = self.claims.get_mut(&id) else {
            return 0;
        };
        let own = usize::try_from(claim.rest()).map_or(len, |rest| rest.min(len));
        claim.received += own as u64;
        self.received += own as u64;
        self.received_at = now;
        own
    }

    /// Whether a request has received all its bytes.
    pub(super) fn has_all(&self, id: u64) -> bool {
        self.claims.get(&id).is_none_or(|claim| claim.rest() == 0)
    }

    /// Ends a request. Others will fetch its rest.
    pub(super) fn end(&mut self, id: u64) {
        if let Some(claim) = self.claims.remove(&id)
            && claim.rest() > 0
        {
            self.todo.insert(claim.received, claim.end);
        }
    }

    /// Notes that bytes are in the file.
    pub(super) fn wrote(&mut self, range: Range<u64>) {
        self.written.insert(range);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn usual() -> Usual {
        Usual {
            first_byte: Duration::from_millis(50),
            bytes_per_second: 20e6,
        }
    }

    fn plan(size: u64) -> (Plan, Instant) {
        let now = Instant::now();
        (Plan::new(size, Ranges::default(), now), now)
    }

    #[test]
    fn requests_become_shorter_towards_the_end() {
        let (mut plan, now) = plan(512 * MIB);
        let lengths: Vec<u64> = std::iter::from_fn(|| plan.take(now))
            .map(|share| share.range.end - share.range.start)
            .collect();
        assert_eq!(lengths.iter().sum::<u64>(), 512 * MIB);
        assert_eq!((lengths[0], lengths[lengths.len() - 2]), (32 * MIB, 4 * MIB));
        assert!(lengths.windows(2).all(|pair| pair[0] >= pair[1]), "{lengths:?}");
    }

    #[test]
    fn an_idle_connection_takes_half_of_what_would_end_last() {
        let (mut plan, now) = plan(8 * MIB);
        let slow = plan.take(now).unwrap();
        let fast = plan.take(now).unwrap();
        let later = now + Duration::from_millis(100);
        plan.receive(slow.id, 1 << 20, later);
        plan.receive(fast.id, 4 << 20, later);
        plan.end(fast.id);
        let share = plan.overtake(later, &usual()).unwrap();
        assert_eq!((share.range, share.overtaken), (MIB * 5 / 2..4 * MIB, None));
        assert_eq!(
            plan.receive(slow.id, 4 << 20, later),
            3 << 19,
            "the rest is not its own"
        );
        assert!(plan.has_all(slow.id));
    }

    #[test]
    fn a_request_that_gets_nothing_is_overtaken_whole_and_only_once() {
        let (mut plan, now) = plan(4 * MIB);
        let dead = plan.take(now).unwrap();
        let half = plan.overtake(now, &usual()).unwrap();
        assert_eq!(half.range, 2 * MIB..4 * MIB);
        plan.receive(half.id, 2 << 20, now);
        plan.end(half.id);
        let later = now + Duration::from_secs(1);
        let share = plan.overtake(later, &usual()).unwrap();
        assert_eq!((share.range.clone(), share.overtaken), (0..2 * MIB, Some(dead.id)));
        assert_eq!(plan.receive(dead.id, 1000, later), 0);
        plan.end(dead.id);
        for _ in 0..8 {
            if let Some(share) = plan.overtake(later + Duration::from_secs(1), &usual()) {
                assert_ne!(share.overtaken, Some(share.id));
                assert_ne!(share.range, 0..2 * MIB);
            }
        }
    }

    #[test]
    fn what_ends_soon_is_left_alone() {
        let (mut plan, now) = plan(4 * MIB);
        let share = plan.take(now).unwrap();
        let later = now + Duration::from_millis(100);
        plan.receive(share.id, 3 << 20, later);
        assert_eq!(plan.overtake(later, &usual()), None);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Take,
        TakeAll,
        Overtake,
        Receive(usize, usize),
        End(usize),
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Take),
            Just(Step::TakeAll),
            Just(Step::Overtake),
            (0usize..8, 1usize..6_000_000).prop_map(|(which, len)| Step::Receive(which, len)),
            (0usize..8).prop_map(Step::End),
            (0u64..2000).prop_map(Step::Wait),
        ]
    }

    proptest! {
        #[test]
        fn every_byte_is_received_once(
            size in 0..40 * MIB,
            done in prop::collection::vec((0..40 * MIB, 0..8 * MIB), 0..4),
            steps in prop::collection::vec(step(), 0..80),
        ) {
            let mut now = Instant::now();
            let clip = |(start, len): &(u64, u64)| (*start).min(size)..(start + len).min(size);
            let mut got: Ranges = done.iter().map(clip).collect();
            let mut total = got.total();
            let mut plan = Plan::new(size, got.clone(), now);
            // The running requests: number and position.
            let mut running: Vec<(u64, u64)> = Vec::new();
            let rest = [Step::TakeAll, Step::Receive(0, usize::MAX), Step::End(0)];
            let steps = steps.into_iter().chain(rest.into_iter().cycle().take(3 * 120));
            for step in steps {
                let share = match step {
                    Step::Take => plan.take(now),
                    Step::TakeAll => plan.take_all(now),
                    Step::Overtake => plan.overtake(now, &usual()),
                    Step::Receive(which, len) => {
                        if let Some((id, at)) = running.get_mut(which) {
                            let own = plan.receive(*id, len, now) as u64;
                            got.insert(*at..*at + own);
                            total += own;
                            plan.wrote(*at..*at + own);
                            *at += own;
                        }
                        None
                    }
                    Step::End(which) => {
                        if which < running.len() {
                            plan.end(running.remove(which).0);
                        }
                        None
                    }
                    Step::Wait(ms) => {
                        now += Duration::from_millis(ms);
                        None
                    }
                };
                running.extend(share.map(|share| (share.id, share.range.start)));
                prop_assert_eq!(got.total(), total, "no byte twice");
            }
            prop_assert!(plan.is_received() && plan.is_written());
            prop_assert_eq!(total, size);
        }
    }
}
