//! Component values as JSON values, for recordings and comparisons. `json_text.rs` writes
//! responses.

use serde_json::Value;
use wasmtime::component::Val;

use super::names::camel_case;

/// The JSON form of a value, by the table of the parent module. Numbers without a JSON form are
/// null, and so are values of other types (resources, streams).
pub fn json(value: &Val) -> Value {
    match value {
        Val::Bool(b) => Value::Bool(*b),
        Val::S8(n) => Value::from(*n),
        Val::U8(n) => Value::from(*n),
        Val::S16(n) => Value::from(*n),
        Val::U16(n) => Value::from(*n),
        Val::S32(n) => Value::from(*n),
        Val::U32(n) => Value::from(*n),
        Val::S64(n) => Value::from(*n),
        Val::U64(n) => Value::from(*n),
        // By its shortest text, as in a response.
        Val::Float32(n) => Value::from(shortest(*n)),
        Val::Float64(n) => Value::from(*n),
        Val::Char(c) => Value::String(c.to_string()),
        Val::String(s) => Value::String(s.clone()),
        Val::List(items) | Val::Tuple(items) => Value::Array(items.iter().map(json).collect()),
        Val::Record(fields) => fields.iter().map(|(name, v)| (camel_case(name), json(v))).collect(),
        Val::Variant(tag, None) => Value::String(camel_case(tag)),
        Val::Variant(tag, Some(payload)) => member(camel_case(tag), json(payload)),
        Val::Enum(tag) => Value::String(camel_case(tag)),
        Val::Option(inner) => inner.as_deref().map_or(Value::Null, json),
        Val::Result(Ok(payload)) => member("ok".to_owned(), payload.as_deref().map_or(Value::Null, json)),
        Val::Result(Err(payload)) => member("err".to_owned(), payload.as_deref().map_or(Value::Null, json)),
        Val::Flags(set) => set.iter().map(|flag| Value::String(camel_case(flag))).collect(),
        _ => Value::Null,
    }
}

fn member(name: String, value: Value) -> Value {
    Value::from_iter([(name, value)])
}

/// The shortest number that is this one as a 32-bit float. Two may be equally short; it is the one
/// that the text of results has too.
fn shortest(number: f32) -> f64 {
    let text = serde_json::to_string(&number).unwrap_or_default();
    text.parse().unwrap_or(f64::from(number))
}

#[cfg(test)]
mod tests {
    use serde_json::json as literal;

    use super::*;

    #[test]
    fn every_kind_of_value_has_its_form() {
        let text = |s: &str| Val::String(s.to_owned());
        let value = Val::Record(vec![
            (
                "some-numbers".into(),
                Val::List(vec![Val::S64(i64::MIN), Val::U64(u64::MAX)]),
            ),
            ("none".into(), Val::Option(None)),
            ("some".into(), Val::Option(Some(Box::new(Val::Float32(0.1))))),
            ("not-a-number".into(), Val::Float64(f64::NAN)),
            ("plain".into(), Val::Variant("case-one".into(), None)),
            (
                "laden".into(),
                Val::Variant("case-two".into(), Some(Box::new(text("x")))),
            ),
            ("flags".into(), Val::Flags(vec!["a-b".into()])),
            ("failed".into(), Val::Result(Err(None))),
        ]);
        assert_eq!(
            json(&value),
            literal!({
                "someNumbers": [i64::MIN, u64::MAX], "none": null, "some": 0.1, "notANumber": null,
                "plain": "caseOne", "laden": {"caseTwo": "x"}, "flags": ["aB"], "failed": {"err": null},
            })
        );
    }

    #[test]
    fn of_two_shortest_numbers_it_is_the_one_of_results() {
        let number = 2_628_349.0_f32 + 0.25;
        let text = serde_json::to_string(&number).unwrap();
        assert_eq!(json(&Val::Float32(number)).to_string(), text);
        assert_eq!(json(&Val::Float32(f32::NAN)), Value::Null);
    }
}
