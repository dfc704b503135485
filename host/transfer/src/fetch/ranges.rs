//! A set of bytes of a file.

use std::collections::BTreeMap;
use std::ops::Range;

/// A set of bytes of a file. Ranges that touch are one range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges {
    /// The end of each range, by its start.
    ends: BTreeMap<u64, u64>,
}

impl Ranges {
    pub(crate) fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let Range { mut start, mut end } = range;
        if let Some((&before, &its_end)) = self.ends.range(..=start).next_back()
            && its_end >= start
        {
            start = before;
            end = end.max(its_end);
        }
        while let Some((&next, &its_end)) = self.ends.range(start..=end).next() {
            self.ends.remove(&next);
            end = end.max(its_end);
        }
        self.ends.insert(start, end);
    }

    /// How many bytes are in the set.
    pub(crate) fn total(&self) -> u64 {
        self.iter().map(|range| range.end - range.start).sum()
    }

    /// How many bytes are in the set from the beginning of the file on, without a gap.
    pub(crate) fn prefix(&self) -> u64 {
        self.ends.get(&0).copied().unwrap_or(0)
    }

    /// The ranges, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Range<u64>> {
        self.ends.iter().map(|(&start, &end)| start..end)
    }

    /// The ranges before `size` that are not in the set, in order.
    pub(crate) fn gaps(&self, size: u64) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut at = 0;
        for range in self.iter() {
            if range.start.min(size) > at {
                gaps.push(at..range.start.min(size));
            }
            at = range.end;
        }
        if at < size {
            gaps.push(at..size);
        }
        gaps
    }
}

impl FromIterator<Range<u64>> for Ranges {
    fn from_iter<T: IntoIterator<Item = Range<u64>>>(ranges: T) -> Ranges {
        let mut set = Ranges::default();
        for range in ranges {
            set.insert(range);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_of_ranges_is_a_set_of_bytes(inserted in prop::collection::vec((0u64..40, 0u64..12), 0..12)) {
            let mut bytes = [false; 60];
            for (start, len) in &inserted {
                for byte in *start..start + len {
                    bytes[usize::try_from(byte).unwrap()] = true;
                }
            }
            let set: Ranges = inserted.iter().map(|(start, len)| *start..start + len).collect();
            let is_in = |byte: u64| set.iter().any(|range| range.contains(&byte));
            let gaps = set.gaps(50);
            for byte in 0..50 {
                let expected = bytes[usize::try_from(byte).unwrap()];
                prop_assert_eq!(is_in(byte), expected);
                prop_assert_eq!(gaps.iter().any(|gap| gap.contains(&byte)), !expected);
            }
            prop_assert_eq!(set.total(), bytes.iter().filter(|byte| **byte).count() as u64);
            prop_assert_eq!(set.prefix(), bytes.iter().take_while(|byte| **byte).count() as u64);
            let apart = set.iter().zip(set.iter().skip(1)).all(|(one, next)| one.end < next.start);
            prop_assert!(apart, "ranges that touch are one");
        }
    }
}
