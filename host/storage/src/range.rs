//! Ranges of keys, the options of a scan, and its result.

/// The half-open range `start..end`. It is empty if `start` is not before `end`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRange {
    /// The first possible key of the range. `None`: the first key of the table.
    pub start: Option<Vec<u8>>,
    /// The first possible key after the range. `None`: the range reaches to the last key of the
    /// table.
    pub end: Option<Vec<u8>>,
}

impl KeyRange {
    /// All keys of a table.
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

/// The options of a scan. The default scans forward and returns no entries: set `limit`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScanOptions {
    /// Scan from the last key to the first.
    pub reverse: bool,
    /// Matching entries to skip before the first one that is returned.
    pub skip: u32,
    /// The most entries to return; 0 returns none. At most [`Limits::page_entries`](crate::Limits).
    pub limit: u32,
    /// Return only entries whose value contains these bytes. `None` and empty match every entry.
    pub contains: Option<Vec<u8>>,
    /// Return keys without values.
    pub keys_only: bool,
}

/// A page: a part of the entries of a range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The entries, in the direction of the scan.
    pub entries: Vec<Entry>,
    /// Where the next page begins, if this page was cut by its limit or its size. `None` if the
    /// range was scanned to its end, and if `limit` was 0. There may be no entries after it.
    ///
    /// It is the last key that was passed. The next `start` is this key followed by a zero byte.
    /// With `reverse`, the next `end` is this key.
    pub cursor: Option<Vec<u8>>,
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key without its table.
    pub key: Vec<u8>,
    /// The value. A counter has 8 bytes, little-endian. Empty if the scan asked for keys only.
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
