//! A row: a line of a segment.

mod members;
mod text_field;

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::{Collection, Hash};

pub(crate) use members::rewrite;

/// The longest line of a row, in bytes, without its line break.
pub const LINE_LIMIT_BYTES: usize = 1 << 20;
/// The longest identity of a row, in bytes.
pub const IDENTITY_LIMIT_BYTES: usize = 512;
/// How deep the values of a row may be nested.
pub const DEPTH_LIMIT: usize = 64;

/// The first half of the SHA-256 of a row's line. It tells whether a row changed.
pub(crate) type Digest = [u8; 16];

/// Not a digest of a line. The modules may not have what the space has.
pub(crate) const UNKNOWN: Digest = [0; 16];

/// A row that was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub identity: String,
    pub digest: Digest,
    /// The blob that the row names. The `hash` of a text message names none.
    pub blob: Option<Hash>,
    pub fields: Map<String, Value>,
}

pub(crate) fn digest(line: &[u8]) -> Digest {
    let full: [u8; 32] = Sha256::digest(line).into();
    let mut half = [0; 16];
    half.copy_from_slice(&full[..16]);
    half
}

/// Reads a line as a row of a collection. `None` if it is not one.
pub(crate) fn parse(collection: &Collection, line: &[u8]) -> Option<Row> {
    if line.len() > LINE_LIMIT_BYTES || !within_depth(line) {
        return None;
    }
    let fields: Map<String, Value> = serde_json::from_slice(line).ok()?;
    let identity = match fields.get(collection.identity) {
        Some(Value::String(text)) if is_identity(collection, text) => text.clone(),
        _ => return None,
    };
    Some(Row {
        identity,
        digest: digest(line),
        blob: blob(&fields),
        fields,
    })
}

/// The identity of a line that [`parse`] reads as a row. It is much cheaper than `parse`.
pub(crate) fn identify(collection: &Collection, line: &[u8]) -> Option<String> {
    if line.len() > LINE_LIMIT_BYTES || !within_depth(line) {
        return None;
    }
    text_field::read(line, collection.identity).filter(|text| is_identity(collection, text))
}

/// Whether a row of the collection may have this identity.
pub(crate) fn is_identity(collection: &Collection, text: &str) -> bool {
    !text.is_empty()
        && text.len() <= IDENTITY_LIMIT_BYTES
        && !text.contains('\0')
        && (!collection.identity_is_hash || text.parse::<Hash>().is_ok())
}

/// The blob that fields name.
pub(crate) fn blob(fields: &Map<String, Value>) -> Option<Hash> {
    fields.get("hash")?.as_str()?.parse().ok()
}

/// Whether the nesting is within its limit. It is checked before a parser allocates memory for it.
fn within_depth(line: &[u8]) -> bool {
    let mut depth = 0;
    let mut in_string = false;
    let mut escaped = false;
    for &byte in line {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH_LIMIT {
                    return false;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

/// The line of a new row: its identity, then the fields.
pub(crate) fn render(collection: &Collection, identity: &str, fields: &Map<String, Value>) -> Option<Vec<u8>> {
    let mut all = fields.clone();
    all.remove(collection.identity);
    let first = serde_json::to_vec(&BTreeMap::from([(collection.identity, identity)])).ok()?;
    rewrite(&first, &all)
}

/// Whether the line of these fields is surely a row: no value is nested, and the line is short even
/// if every character is escaped. This is true of nearly all rows, and much cheaper than to render
/// the line.
pub(crate) fn surely_fits(collection: &Collection, identity: &str, fields: &Map<String, Value>) -> bool {
    // An escaped byte has at most 6 characters. The 4 are two quotes, colon and comma.
    let text = |text: &str| 6 * text.len() + 4;
    let mut len = 2 + text(collection.identity) + text(identity);
    for (name, value) in fields {
        len += text(name)
            + match value {
                Value::String(value) => text(value),
                // The longest number that serde_json writes is shorter.
                Value::Null | Value::Bool(_) | Value::Number(_) => 32,
                Value::Array(_) | Value::Object(_) => return false,
            };
        if len > LINE_LIMIT_BYTES {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn favorites() -> &'static Collection {
        Collection::named("favorites").expect("format 1 has it")
    }

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn a_row_is_identified_as_it_is_parsed() {
        for line in [
            r#"{"unique":"a"}"#,
            r#" {"x":[1,-2.5,{"y":null}],"unique":"b","unique":"\u0063\"","unique2":"d","z":true} "#,
            r#"{"uni\u0071ue":"图"}"#,
        ] {
            let row = parse(favorites(), line.as_bytes()).expect(line);
            assert_eq!(identify(favorites(), line.as_bytes()), Some(row.identity));
        }
    }

    #[test]
    fn a_line_that_is_not_a_row_is_no_row() {
        let deep = format!(
            r#"{{"unique":"a","x":{}1{}}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        let long = format!(r#"{{"unique":"a","x":"{}"}}"#, "y".repeat(LINE_LIMIT_BYTES));
        let long_identity = format!(r#"{{"unique":"{}"}}"#, "y".repeat(IDENTITY_LIMIT_BYTES + 1));
        for line in [
            "",
            "null",
            "[]",
            "{}",
            "{",
            r#"{"unique":1}"#,
            r#"{"unique":""}"#,
            r#"{"unique":"a\u0000"}"#,
            r#"{"unique":"a","x":1e999}"#,
            r#"{"unique":"a"} trailing"#,
            r#"{"unique":"a","x":"\ud800"}"#,
            r#"{"unique":"a","x":{"y":[1,]}}"#,
            r#"{"unique":"a","unique":null}"#,
            &deep,
            &long,
            &long_identity,
        ] {
            assert!(parse(favorites(), line.as_bytes()).is_none(), "{:.60}", line);
            assert!(identify(favorites(), line.as_bytes()).is_none(), "{:.60}", line);
        }
        assert!(parse(favorites(), b"{\"unique\":\"\xff\"}").is_none());
        let storage = Collection::named("storage-files").expect("format 1 has it");
        assert!(parse(storage, br#"{"hash":"../../etc"}"#).is_none());
    }

    #[test]
    fn brackets_inside_strings_do_not_count_as_depth() {
        let line = format!(r#"{{"unique":"a","x":"{}\"["}}"#, "[".repeat(1000));
        assert!(parse(favorites(), line.as_bytes()).is_some());
    }

    #[test]
    fn only_a_hash_in_base58_names_a_blob() {
        let hash = Hash::of(b"x");
        let row = parse(favorites(), format!(r#"{{"unique":"a","hash":"{hash}"}}"#).as_bytes()).expect("a row");
        assert_eq!(row.blob, Some(hash));
        for other in [json!(hash.to_hex()), json!(7), json!(null), json!("")] {
            assert_eq!(blob(&object(json!({"hash": other}))), None);
        }
    }

    #[test]
    fn a_new_row_begins_with_its_identity() {
        let line = render(favorites(), "a\"b", &object(json!({"unique": "other", "name": "n"}))).expect("a row");
        assert_eq!(
            String::from_utf8(line).expect("text"),
            r#"{"unique":"a\"b","name":"n"}"#
        );
    }
}
