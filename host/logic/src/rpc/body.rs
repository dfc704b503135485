//! The body of a request: JSON without duplicate names.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// What some clients write before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Parses a body. It may begin with a byte order mark. A body of white space, or without any bytes,
/// is an empty object. A name that comes twice in one object is an error, because nobody can know
/// which value is meant. Nesting beyond serde_json's 128 levels is an error too.
///
/// # Errors
/// When the bytes are not such JSON. The error says where and why. It quotes only names.
pub(super) fn parse(body: &[u8]) -> serde_json::Result<Value> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    if body.trim_ascii().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = NoDuplicates.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

struct NoDuplicates;

impl<'de> DeserializeSeed<'de> for NoDuplicates {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NoDuplicates {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(NoDuplicates)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(NoDuplicates)?;
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!("the name {name:?} comes twice")));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_duplicate_name_is_refused_however_it_is_written() {
        for body in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"[{"b":{"a":1,"a":2}}]"#] {
            assert!(parse(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_passed_over_and_nothing_is_an_empty_object() {
        assert_eq!(parse("\u{feff} {\"a\":1}".as_bytes()).unwrap(), json!({"a": 1}));
        for empty in ["", " ", "\r\n\t", "\u{feff}", "\u{feff}\n"] {
            assert_eq!(parse(empty.as_bytes()).unwrap(), json!({}), "{empty:?}");
        }
    }

    #[test]
    fn everything_else_parses_as_with_serde_json() {
        let body = r#" {"a":[null,true,-1,18446744073709551615,1.5,"我\n"],"b":{"a":{}}} "#;
        assert_eq!(
            parse(body.as_bytes()).unwrap(),
            serde_json::from_str::<Value>(body).unwrap()
        );
        assert_eq!(parse(b"[]").unwrap(), json!([]));
        for bad in [
            "{",
            "{}x",
            "\u{a0}",
            "{}\u{feff}",
            "\u{feff}\u{feff}{}",
            "nul",
            "1e999",
            "\"\\ud800\"",
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
    }
}
