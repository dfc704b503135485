//! Stored values: MessagePack maps with field names.
//!
//! A row is read by field names, so an older value may lack fields and a newer one may have more.
//! When a module rewrites a row, it keeps the fields that it does not know, byte for byte.

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Encodes a row, and adds the fields of `before` that `row` does not know.
#[inline(never)]
pub(crate) fn encode<R: Serialize>(row: &R, before: Option<&[u8]>) -> Vec<u8> {
    let known = rmp_serde::to_vec_named(row).expect("a struct of texts and numbers has a MessagePack form");
    match before.and_then(|before| with_unknown(&known, before)) {
        Some(merged) => merged,
        None => known,
    }
}

/// Decodes a row; none if the value is not a row of this type.
// Not inlined: copies in each caller would be the largest part of a module.
#[inline(never)]
pub(crate) fn decode<R: DeserializeOwned>(value: &[u8]) -> Option<R> {
    rmp_serde::from_slice(value).ok()
}

/// `known` with the fields of `before` that it lacks; none if there are no such fields or `before`
/// is not a map.
fn with_unknown(known: &[u8], before: &[u8]) -> Option<Vec<u8>> {
    let known_fields = fields(known)?;
    let mut names = BTreeSet::new();
    for field in &known_fields {
        names.insert(field.name);
    }
    let mut kept = Vec::new();
    for field in fields(before)? {
        if names.insert(field.name) {
            kept.push(field.bytes);
        }
    }
    if kept.is_empty() {
        return None;
    }
    let count = u32::try_from(known_fields.len() + kept.len()).ok()?;
    let mut merged = Vec::with_capacity(known.len() + before.len() + 5);
    match u16::try_from(count) {
        Ok(count @ ..=15) => merged.push(0x80 | count as u8),
        Ok(count) => {
            merged.push(0xde);
            merged.extend_from_slice(&count.to_be_bytes());
        }
        Err(_) => {
            merged.push(0xdf);
            merged.extend_from_slice(&count.to_be_bytes());
        }
    }
    for field in &known_fields {
        merged.extend_from_slice(field.bytes);
    }
    for bytes in kept {
        merged.extend_from_slice(bytes);
    }
    Some(merged)
}

/// A field of a map: its name as encoded, and name and value together.
struct RawField<'a> {
    name: &'a [u8],
    bytes: &'a [u8],
}

/// The fields of a map; none if the bytes are not a well-formed map.
fn fields(map: &[u8]) -> Option<Vec<RawField<'_>>> {
    let (&marker, rest) = map.split_first()?;
    let (count, mut at) = match marker {
        0x80..=0x8f => (u64::from(marker & 0x0f), 1),
        0xde => (unsigned(rest, 2)?, 3),
        0xdf => (unsigned(rest, 4)?, 5),
        _ => return None,
    };
    let mut fields = Vec::new();
    for _ in 0..count {
        let value = skip(map, at)?;
        let end = skip(map, value)?;
        fields.push(RawField {
            name: map.get(at..value)?,
            bytes: map.get(at..end)?,
        });
        at = end;
    }
    Some(fields)
}

/// The end of the value that begins at `at`. Nested values are counted without recursion, so depth
/// needs no stack.
fn skip(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut left = 1u64;
    while left > 0 {
        left -= 1;
        let marker = *bytes.get(at)?;
        let rest = bytes.get(at + 1..)?;
        // Bytes of the marker with its length field; bytes of the body; number of nested values.
        let (head, body, inside) = match marker {
            0x00..=0x7f | 0xc0..=0xc3 | 0xe0..=0xff => (1, 0, 0),
            0x80..=0x8f => (1, 0, u64::from(marker & 0x0f) * 2),
            0x90..=0x9f => (1, 0, u64::from(marker & 0x0f)),
            0xa0..=0xbf => (1, u64::from(marker & 0x1f), 0),
            0xc4 | 0xd9 => (2, unsigned(rest, 1)?, 0),
            0xc5 | 0xda => (3, unsigned(rest, 2)?, 0),
            0xc6 | 0xdb => (5, unsigned(rest, 4)?, 0),
            0xc7 => (3, unsigned(rest, 1)?, 0),
            0xc8 => (4, unsigned(rest, 2)?, 0),
            0xc9 => (6, unsigned(rest, 4)?, 0),
            0xca | 0xce | 0xd2 => (5, 0, 0),
            0xcb | 0xcf | 0xd3 => (9, 0, 0),
            0xcc | 0xd0 => (2, 0, 0),
            0xcd | 0xd1 => (3, 0, 0),
            0xd4..=0xd8 => (2, 1 << (marker - 0xd4), 0),
            0xdc => (3, 0, unsigned(rest, 2)?),
            0xdd => (5, 0, unsigned(rest, 4)?),
            0xde => (3, 0, unsigned(rest, 2)? * 2),
            0xdf => (5, 0, unsigned(rest, 4)? * 2),
        };
        left += inside;
        at = at.checked_add(head)?.checked_add(usize::try_from(body).ok()?)?;
        if at > bytes.len() {
            return None;
        }
    }
    Some(at)
}

/// The big-endian number of `len` bytes, at most 4, at the start of `bytes`.
fn unsigned(bytes: &[u8], len: usize) -> Option<u64> {
    Some(
        bytes
            .get(..len)?
            .iter()
            .fold(0, |number, &byte| number << 8 | u64::from(byte)),
    )
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Serialize, Deserialize, Debug, PartialEq, Default)]
    #[serde(default)]
    struct Old {
        name: String,
        size: u64,
    }

    #[derive(Serialize, Deserialize, Debug, PartialEq, Default)]
    #[serde(default)]
    struct New {
        colour: Option<Vec<String>>,
        name: String,
        nested: std::collections::BTreeMap<String, i64>,
        score: f64,
        size: u64,
    }

    fn new() -> New {
        New {
            colour: Some(vec!["红".to_owned(), "x".repeat(300), "y".repeat(70_000)]),
            name: "a".to_owned(),
            nested: [("k".to_owned(), -5), ("l".to_owned(), i64::MIN)].into(),
            score: 0.5,
            size: 7,
        }
    }

    #[test]
    fn unknown_fields_survive_a_change() {
        let before = encode(&new(), None);
        let mut old: Old = decode(&before).expect("a row");
        assert_eq!(
            old,
            Old {
                name: "a".to_owned(),
                size: 7
            }
        );
        old.name = "b".to_owned();
        let after = encode(&old, Some(&before));
        assert_eq!(
            decode::<New>(&after),
            Some(New {
                name: "b".to_owned(),
                ..new()
            })
        );
        assert_eq!(encode(&old, Some(&after)), after, "a second time changes nothing more");
    }

    #[test]
    fn missing_fields_read_as_nothing() {
        let value = encode(
            &Old {
                name: "a".to_owned(),
                size: 1,
            },
            None,
        );
        assert_eq!(
            decode::<New>(&value),
            Some(New {
                name: "a".to_owned(),
                size: 1,
                ..New::default()
            })
        );
    }

    #[test]
    fn a_map_of_more_than_fifteen_fields_is_merged() {
        let many: std::collections::BTreeMap<String, u32> = (0..40).map(|n| (format!("field-{n}"), n)).collect();
        let before = encode(&many, None);
        let after = encode(
            &Old {
                name: "n".to_owned(),
                size: 9,
            },
            Some(&before),
        );
        assert_eq!(fields(&after).map(|fields| fields.len()), Some(42));
        assert_eq!(
            decode::<Old>(&after),
            Some(Old {
                name: "n".to_owned(),
                size: 9
            })
        );
    }

    #[test]
    fn broken_values_are_not_rows_and_their_fields_are_not_kept() {
        let good = encode(&new(), None);
        for cut in 0..good.len().min(400) {
            assert_eq!(fields(&good[..cut]).map(|fields| fields.len()), None, "cut at {cut}");
            assert_eq!(decode::<New>(&good[..cut]), None);
        }
        let row = Old::default();
        for hostile in [
            &[0xdf, 0xff, 0xff, 0xff, 0xff][..],
            &[0x81, 0xa1, b'a', 0xdd, 0xff, 0xff, 0xff, 0xff],
            &[0xc1],
            b"",
        ] {
            assert_eq!(encode(&row, Some(hostile)), encode(&row, None));
        }
        let deep = [&[0x81, 0xa1, b'd'][..], &[0x91; 100_000], &[0xc0]].concat();
        assert_eq!(fields(&encode(&row, Some(&deep))).map(|fields| fields.len()), Some(3));
    }
}
