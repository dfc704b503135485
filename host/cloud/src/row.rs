//! One row: a line of a segment.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::{Collection, Hash};

/// The longest line that is a row, in bytes, without its line break.
pub const LINE_LIMIT_BYTES: usize = 1 << 20;
/// The longest identity of a row, in bytes.
pub const IDENTITY_LIMIT_BYTES: usize = 512;
/// How deep the values of a row may nest.
pub const DEPTH_LIMIT: usize = 64;

/// The first half of the SHA-256 of a row's line: tells whether a row changed.
pub(crate) type Digest = [u8; 16];

/// The digest of no line: a row whose content here is not known to be that of the space.
pub(crate) const UNKNOWN: Digest = [0; 16];

/// What is kept of a line that is a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub identity: String,
    pub digest: Digest,
    /// The blob that the row names, if it names one. A text message's `hash` is none.
    pub blob: Option<Hash>,
    pub fields: Map<String, Value>,
}

pub(crate) fn digest(line: &[u8]) -> Digest {
    let full: [u8; 32] = Sha256::digest(line).into();
    let mut half = [0; 16];
    half.copy_from_slice(&full[..16]);
    half
}

/// Reads a line as a row of a collection. `None` when it is none.
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

/// The identity of a line that [`parse`] takes for a row. It keeps nothing else, and costs a
/// fraction.
pub(crate) fn identify(collection: &Collection, line: &[u8]) -> Option<String> {
    if line.len() > LINE_LIMIT_BYTES || !within_depth(line) {
        return None;
    }
    let mut deserializer = serde_json::Deserializer::from_slice(line);
    let identity = deserializer.deserialize_map(Identity(collection.identity)).ok()?;
    deserializer.end().ok()?;
    identity.filter(|text| is_identity(collection, text))
}

/// Finds a text in an object: the last of the name, as an object that is read as a whole keeps it.
struct Identity(&'static str);

impl<'de> Visitor<'de> for Identity {
    type Value = Option<String>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(is_it) = map.next_key_seed(IsName(self.0))? {
            if is_it {
                found = match map.next_value()? {
                    Value::String(text) => Some(text),
                    _ => None,
                };
            } else {
                map.next_value::<WellFormed>()?;
            }
        }
        Ok(found)
    }
}

/// Whether a name is this one.
struct IsName(&'static str);

impl<'de> DeserializeSeed<'de> for IsName {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for IsName {
    type Value = bool;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

/// Anything that reads as a JSON value; it is not kept. `IgnoredAny` would also pass numbers and
/// escapes that do not.
struct WellFormed;

impl<'de> Deserialize<'de> for WellFormed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WellFormed)
    }
}

impl<'de> Visitor<'de> for WellFormed {
    type Value = Self;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<WellFormed>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<WellFormed, WellFormed>()?.is_some() {}
        Ok(self)
    }
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

/// Checks the nesting before a parser allocates for it.
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

/// Sets fields in a row's line and leaves the text of every other field, and their order, as it is.
/// `None` when the line is not an object.
pub(crate) fn rewrite(line: &[u8], fields: &Map<String, Value>) -> Option<Vec<u8>> {
    let old: Members<'_> = serde_json::from_slice(line).ok()?;
    let mut out = Vec::with_capacity(line.len() + 64);
    let mut written = std::collections::HashSet::new();
    out.push(b'{');
    for (name, value) in &old.0 {
        let new = fields.get(name.as_str());
        // A name that occurs twice keeps its place but is written once.
        if new.is_some() && !written.insert(name.as_str()) {
            continue;
        }
        write_name(&mut out, name)?;
        match new {
            Some(value) => serde_json::to_writer(&mut out, value).ok()?,
            None => out.extend_from_slice(value.get().as_bytes()),
        }
    }
    for (name, value) in fields {
        if !written.contains(name.as_str()) {
            write_name(&mut out, name)?;
            serde_json::to_writer(&mut out, value).ok()?;
        }
    }
    out.push(b'}');
    Some(out)
}

fn write_name(out: &mut Vec<u8>, name: &str) -> Option<()> {
    if out.len() > 1 {
        out.push(b',');
    }
    serde_json::to_writer(&mut *out, name).ok()?;
    out.push(b':');
    Some(())
}

/// A new row's line: its identity first, then the fields.
pub(crate) fn render(collection: &Collection, identity: &str, fields: &Map<String, Value>) -> Option<Vec<u8>> {
    let mut all = fields.clone();
    all.remove(collection.identity);
    let mut first = Vec::with_capacity(64);
    first.push(b'{');
    write_name(&mut first, collection.identity)?;
    serde_json::to_writer(&mut first, identity).ok()?;
    first.push(b'}');
    rewrite(&first, &all)
}

/// Whether the line of these fields is a row whatever they hold: it is flat, and short even if
/// every character is escaped. Rows nearly always are, and rendering one to know costs more than
/// all else about a change.
pub(crate) fn surely_fits(collection: &Collection, identity: &str, fields: &Map<String, Value>) -> bool {
    // The longest escape of a byte has 6 characters; quotes, colon and comma.
    let text = |text: &str| 6 * text.len() + 4;
    let mut len = 2 + text(collection.identity) + text(identity);
    for (name, value) in fields {
        len += text(name)
            + match value {
                Value::String(value) => text(value),
                // The longest number serde_json writes is shorter.
                Value::Null | Value::Bool(_) | Value::Number(_) => 32,
                Value::Array(_) | Value::Object(_) => return false,
            };
        if len > LINE_LIMIT_BYTES {
            return false;
        }
    }
    true
}

/// The members of an object in their order, values as text.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> serde::de::Visitor<'de> for Visitor<'a> {
            type Value = Members<'a>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members<'a>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor(std::marker::PhantomData))
    }
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
    fn rewriting_keeps_unknown_fields_their_order_and_their_text() {
        let line =
            br#"{"z":1.10,"unique":"a","big":123456789012345678901234567890,"name":"old","n":{"b":1,"a":[2 ,3]}}"#;
        let new = rewrite(line, &object(json!({"name": "new", "time": 5}))).expect("an object");
        assert_eq!(
            String::from_utf8(new).expect("text"),
            r#"{"z":1.10,"unique":"a","big":123456789012345678901234567890,"name":"new","n":{"b":1,"a":[2 ,3]},"time":5}"#
        );
    }

    #[test]
    fn a_repeated_field_is_written_once() {
        let new = rewrite(
            br#"{"unique":"a","name":"x","name":"y"}"#,
            &object(json!({"name": "z"})),
        )
        .expect("an object");
        assert_eq!(String::from_utf8(new).expect("text"), r#"{"unique":"a","name":"z"}"#);
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
