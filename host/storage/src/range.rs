//! Ranges of keys, how to walk them, and what a walk answers.

/// Keys from `start` up to, not including, `end`. A range whose start is not before its end is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key that may be in the range; absent means from the first key of the table.
    pub start: Option<Vec<u8>>,
    /// The first key after the range; absent means to the last key of the table.
    pub end: Option<Vec<u8>>,
}

impl KeyRange {
    /// Every key of a table.
    pub fn all() -> Self {
        Self::default()
    }

    /// The keys that begin with `prefix`.
    pub fn prefix(prefix: impl Into<Vec<u8>>) -> Self {
        let start = prefix.into();
        let mut end = start.clone();
        while end.last() == Some(&0xff) {
            end.pop();
        }
        let end = end.pop().map(|last| {
            end.push(last + 1);
            end
        });
        Self {
            start: (!start.is_empty()).then_some(start),
            end,
        }
    }
}

/// How to walk a range. The default walks forward and returns nothing: set `limit`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScanOptions {
    /// From the last key to the first.
    pub reverse: bool,
    /// Matching entries to pass over before the first that is returned.
    pub skip: u32,
    /// The most entries to return; 0 returns none. Clamped to [`Limits::page_entries`](crate::Limits).
    pub limit: u32,
    /// Only entries whose value contains these bytes; absent or empty means every entry.
    pub contains: Option<Vec<u8>>,
    /// Leave the values out of the answer.
    pub keys_only: bool,
}

/// A part of a range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Entries in the direction of the scan.
    pub entries: Vec<Entry>,
    /// The last key that was passed when the page was cut short by its limit or its size; absent when the
    /// range was walked to its end, and where `limit` was 0. Go on after it: it becomes the new `start` followed by a
    /// zero byte, or with `reverse` the new `end`. There may turn out to be nothing after it.
    pub cursor: Option<Vec<u8>>,
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key, without its table.
    pub key: Vec<u8>,
    /// The value; a counter is its 8 bytes, little-endian. Empty where the scan asked for keys only.
    pub value: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_range_ends_before_the_next_prefix() {
        let range = KeyRange::prefix(*b"ab\xff");
        assert_eq!(range.start.as_deref(), Some(&b"ab\xff"[..]));
        assert_eq!(range.end.as_deref(), Some(&b"ac"[..]));
        assert_eq!(KeyRange::prefix(*b"\xff").end, None);
        assert_eq!(KeyRange::prefix(*b""), KeyRange::all());
    }
}
