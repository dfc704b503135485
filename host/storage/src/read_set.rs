//! The reads of a transaction: keys and ranges of keys, also absent keys and empty ranges.

use std::ops::Range;

use crate::keys::Keys;

/// The first capacity of the arena, in bytes.
const FIRST_BYTES: usize = 512;

/// Stored keys and half-open ranges of them, in one buffer. Recording a read copies bytes and
/// rarely allocates.
#[derive(Debug)]
pub(crate) struct ReadSet {
    arena: Vec<u8>,
    points: Vec<Range<u32>>,
    ranges: Vec<(Range<u32>, Range<u32>)>,
    limit_bytes: usize,
    /// Whether `ranges` is sorted, and no two of them overlap or touch.
    disjoint: bool,
}

impl ReadSet {
    /// A set that records up to about `limit_bytes` of keys exactly. Beyond that it widens its
    /// ranges.
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self {
            arena: Vec::new(),
            points: Vec::new(),
            ranges: Vec::new(),
            // Offsets have 32 bits. A quarter of that leaves space for the read that exceeds the
            // limit.
            limit_bytes: limit_bytes.min(1 << 30),
            disjoint: true,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.points.is_empty() && self.ranges.is_empty()
    }

    /// Records a read of one key.
    pub(crate) fn insert_key(&mut self, key: &[u8]) {
        if let Some(last) = self.points.last()
            && self.bytes(last) == key
        {
            return;
        }
        let span = self.store(key);
        self.points.push(span);
        self.bound();
    }

    /// Records a read of the half-open range `start..end`.
    pub(crate) fn insert_range(&mut self, start: &[u8], end: &[u8]) {
        if start >= end {
            return;
        }
        let span = (self.store(start), self.store(end));
        self.disjoint = self.ranges.is_empty();
        self.ranges.push(span);
        self.bound();
    }

    pub(crate) fn points(&self) -> impl Iterator<Item = &[u8]> {
        self.points.iter().map(|span| self.bytes(span))
    }

    pub(crate) fn ranges(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.ranges
            .iter()
            .map(|(start, end)| (self.bytes(start), self.bytes(end)))
    }

    /// Sorts and joins the ranges, so that [`ReadSet::overlaps`] can search them. The caller of a
    /// commit does this, not the committer, which has less time.
    pub(crate) fn seal(&mut self) {
        if !self.disjoint {
            self.compact();
        }
    }

    /// Whether a range contains one of these keys. The set must be sealed.
    pub(crate) fn overlaps(&self, keys: &Keys) -> bool {
        debug_assert!(self.disjoint, "the set is not sealed");
        if self.ranges.len() <= keys.len() {
            self.ranges()
                .any(|(start, end)| keys.first_from(start).is_some_and(|key| key < end))
        } else {
            keys.iter().any(|key| {
                let at = self.ranges.partition_point(|(_, end)| self.bytes(end) <= key);
                self.ranges.get(at).is_some_and(|(start, _)| self.bytes(start) <= key)
            })
        }
    }

    fn bytes(&self, span: &Range<u32>) -> &[u8] {
        &self.arena[span.start as usize..span.end as usize]
    }

    fn store(&mut self, bytes: &[u8]) -> Range<u32> {
        if self.arena.capacity() == 0 {
            // Most transactions read few keys, which then take one allocation.
            self.arena.reserve(FIRST_BYTES.max(bytes.len()));
        }
        let start = self.arena.len() as u32;
        self.arena.extend_from_slice(bytes);
        start..self.arena.len() as u32
    }

    /// Memory in use. Spans count, because they are larger than short keys.
    fn size_bytes(&self) -> usize {
        self.arena.len() + 8 * self.points.len() + 16 * self.ranges.len()
    }

    fn bound(&mut self) {
        if self.size_bytes() <= self.limit_bytes {
            return;
        }
        self.compact();
        // Half the limit, so that a set near the limit is not compacted at each read.
        if self.size_bytes() > self.limit_bytes / 2 {
            self.widen();
        }
    }

    /// Drops repeated keys and keys inside a range, and joins ranges that touch.
    fn compact(&mut self) {
        let old = std::mem::replace(self, Self::new(self.limit_bytes));
        let mut ranges: Vec<_> = old.ranges().collect();
        ranges.sort_unstable();
        let mut joined: Vec<(&[u8], &[u8])> = Vec::with_capacity(ranges.len());
        for (start, end) in ranges {
            match joined.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => joined.push((start, end)),
            }
        }
        let mut points: Vec<_> = old.points().collect();
        points.sort_unstable();
        points.dedup();
        for point in points {
            let at = joined.partition_point(|(_, end)| *end <= point);
            let inside = joined.get(at).is_some_and(|(start, _)| *start <= point);
            if !inside {
                let span = self.store(point);
                self.points.push(span);
            }
        }
        for (start, end) in joined {
            let span = (self.store(start), self.store(end));
            self.ranges.push(span);
        }
        self.disjoint = true;
    }

    /// Replaces everything by one range that contains it.
    fn widen(&mut self) {
        let old = std::mem::replace(self, Self::new(self.limit_bytes));
        let start = old.points().chain(old.ranges().map(|(start, _)| start)).min();
        let last = old.points().max().map(|key| {
            let mut end = key.to_vec();
            end.push(0);
            end
        });
        let end = last
            .as_deref()
            .into_iter()
            .chain(old.ranges().map(|(_, end)| end))
            .max();
        if let (Some(start), Some(end)) = (start, end) {
            let span = (self.store(start), self.store(end));
            self.ranges.push(span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[&str]) -> Keys {
        Keys::copied(keys.iter().map(|key| key.as_bytes()))
    }

    #[test]
    fn sealing_joins_ranges_that_touch() {
        let mut reads = ReadSet::new(1 << 20);
        reads.insert_range(b"m", b"p");
        reads.insert_range(b"a", b"c");
        reads.insert_range(b"c", b"d");
        reads.insert_range(b"x", b"x");
        reads.insert_key(b"b");
        reads.insert_key(b"q");
        reads.seal();
        assert_eq!(
            reads.ranges().collect::<Vec<_>>(),
            [(&b"a"[..], &b"d"[..]), (b"m", b"p")]
        );
        assert_eq!(reads.points().collect::<Vec<_>>(), [b"q"]);
        assert!(reads.overlaps(&keys(&["c"])));
        assert!(reads.overlaps(&keys(&["0", "1", "2", "o"])));
        assert!(!reads.overlaps(&keys(&["d"])));
        assert!(!reads.overlaps(&keys(&["d", "e", "p", "z"])));
    }

    #[test]
    fn a_set_beyond_its_limit_widens_and_covers_what_it_held() {
        let mut reads = ReadSet::new(256);
        for key in 0..1000u32 {
            reads.insert_key(&key.to_be_bytes());
        }
        reads.seal();
        assert!(reads.size_bytes() <= 256);
        for key in 0..1000u32 {
            let key = key.to_be_bytes();
            assert!(reads.points().any(|point| point == key) || reads.overlaps(&Keys::copied([&key[..]].into_iter())));
        }
    }
}
