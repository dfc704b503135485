//! The `Range` of a request (RFC 9110, section 14).

use std::ops::Range;

/// What a request wants of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it.
    Whole,
    /// Some of it.
    Part(Range<u64>),
    /// A part that is not there.
    NotThere,
}

/// What a `Range` header wants of a file of `size` bytes. A header that is not valid counts as
/// absent. Several ranges get the whole file: a server may answer so, and no client needs more.
pub(super) fn wanted(header: &str, size: u64) -> Wanted {
    let Some((unit, ranges)) = header.split_once('=') else {
        return Wanted::Whole;
    };
    let Some((first, last)) = ranges.trim().split_once('-') else {
        return Wanted::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Wanted::Whole;
    }
    let range = match (number(first), number(last)) {
        (Some(None), Some(Some(suffix))) => size.saturating_sub(suffix)..size,
        (Some(Some(first)), Some(None)) => first..size,
        (Some(Some(first)), Some(Some(last))) if first <= last => first..last.saturating_add(1).min(size),
        _ => return Wanted::Whole,
    };
    match range.start < range.end {
        true => Wanted::Part(range),
        false => Wanted::NotThere,
    }
}

/// A number of digits only, or nothing. `None` for other texts. A number that is too large is
/// beyond every file.
fn number(text: &str) -> Option<Option<u64>> {
    let text = text.trim();
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((!text.is_empty()).then(|| text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_a_part() {
        for (header, range) in [
            ("bytes=0-0", 0..1),
            ("bytes=0-", 0..10),
            ("bytes=9-", 9..10),
            ("bytes=2-5", 2..6),
            ("bytes=2-99", 2..10),
            ("bytes=-1", 9..10),
            ("bytes=-10", 0..10),
            ("bytes=-99", 0..10),
            ("BYTES = 2-5 ", 2..6),
            ("bytes=0-18446744073709551615", 0..10),
            ("bytes=0-99999999999999999999999", 0..10),
        ] {
            assert_eq!(wanted(header, 10), Wanted::Part(range), "{header}");
        }
    }

    #[test]
    fn a_part_beyond_the_end_is_not_there() {
        for header in ["bytes=10-", "bytes=10-11", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(wanted(header, 10), Wanted::NotThere, "{header}");
        }
        for header in ["bytes=0-", "bytes=0-0", "bytes=-1"] {
            assert_eq!(wanted(header, 0), Wanted::NotThere, "{header}");
        }
    }

    #[test]
    fn other_ranges_get_the_whole() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=1--2",
            "bytes=0-1,3-4",
            "bytes=0x1-2",
            "lines=0-1",
            "bytes=1",
            "0-1",
        ] {
            assert_eq!(wanted(header, 10), Wanted::Whole, "{header}");
        }
    }
}
