//! The members of a JSON object, as text.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Sets fields in the line of a row. All other fields keep their text and their order. `None` if
/// the line is not an object.
pub(crate) fn rewrite(line: &[u8], fields: &Map<String, Value>) -> Option<Vec<u8>> {
    let old: Members<'_> = serde_json::from_slice(line).ok()?;
    let mut out = Vec::with_capacity(line.len() + 64);
    let mut written = HashSet::new();
    out.push(b'{');
    for (name, value) in &old.0 {
        let new = fields.get(name.as_str());
        // A name that occurs twice is written once, where it occurs first.
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

/// The members in their order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor(PhantomData))
    }
}

struct MembersVisitor<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for MembersVisitor<'a> {
    type Value = Members<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'a>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
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
}
