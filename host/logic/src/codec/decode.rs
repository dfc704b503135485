//! JSON to component values.

use std::fmt::Write as _;

use serde_json::{Map, Number, Value};
use wasmtime::component::Val;

use super::shape::{Field, Shape};

/// Why JSON is not the value a function expects.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{field}: expected {expected}")]
pub struct DecodeError {
    /// The path of the field: `hashs[2]`.
    pub field: String,
    /// What would have been right.
    pub expected: String,
}

/// Decodes one value.
#[derive(Clone, Debug)]
pub struct Decoder {
    shape: Shape,
}

impl Decoder {
    /// A decoder for values of this shape.
    pub fn new(shape: Shape) -> Decoder {
        Decoder { shape }
    }

    /// Decodes the member `name` of an object; a missing member is null.
    ///
    /// # Errors
    /// When the member is not what the type takes; the error names it.
    pub fn decode_member(&self, object: &Map<String, Value>, name: &str) -> Result<Val, DecodeError> {
        let value = object.get(name).unwrap_or(&Value::Null);
        decode(&self.shape, value).map_err(|mut mismatch| {
            if value.is_null() {
                mismatch.expected.push_str("; it is required");
            }
            mismatch.at(name)
        })
    }

    /// A decoder for the items of a list type; none for other types.
    pub fn item(&self) -> Option<Decoder> {
        match &self.shape {
            Shape::List(item) => Some(Decoder::new((**item).clone())),
            _ => None,
        }
    }

    /// Decodes a whole JSON object as this type, which must be a record.
    ///
    /// # Errors
    /// When a member is not what the type takes; the error names it.
    pub fn decode_object(&self, object: &Map<String, Value>) -> Result<Val, DecodeError> {
        match &self.shape {
            Shape::Record(fields) => record(fields, object),
            _ => Err(Mismatch::new("a value other than an object")),
        }
        .map_err(|e| e.at(""))
    }
}

/// Values of one list. A value takes many times the bytes of its JSON.
const MOST_ITEMS: usize = 25_000;

/// A mismatch below some field; the path is put together on the way out, so that the usual case builds no path.
struct Mismatch {
    path: String,
    expected: String,
}

impl Mismatch {
    fn new(expected: impl Into<String>) -> Mismatch {
        Mismatch {
            path: String::new(),
            expected: expected.into(),
        }
    }

    fn below(mut self, step: &str) -> Mismatch {
        let dot = if self.path.is_empty() || self.path.starts_with('[') {
            ""
        } else {
            "."
        };
        self.path = format!("{step}{dot}{}", self.path);
        self
    }

    fn at(self, name: &str) -> DecodeError {
        let whole = self.below(name);
        DecodeError {
            field: whole.path.trim_start_matches('.').to_owned(),
            expected: whole.expected,
        }
    }
}

fn decode(shape: &Shape, value: &Value) -> Result<Val, Mismatch> {
    Ok(match shape {
        Shape::Bool => match value {
            Value::Bool(b) => Val::Bool(*b),
            _ => return Err(Mismatch::new("true or false")),
        },
        Shape::S8 => Val::S8(integer(value, i8::MIN.into(), i8::MAX.into())? as i8),
        Shape::U8 => Val::U8(integer(value, 0, u8::MAX.into())? as u8),
        Shape::S16 => Val::S16(integer(value, i16::MIN.into(), i16::MAX.into())? as i16),
        Shape::U16 => Val::U16(integer(value, 0, u16::MAX.into())? as u16),
        Shape::S32 => Val::S32(integer(value, i32::MIN.into(), i32::MAX.into())? as i32),
        Shape::U32 => Val::U32(integer(value, 0, u32::MAX.into())? as u32),
        Shape::S64 => Val::S64(integer(value, i64::MIN.into(), i64::MAX.into())? as i64),
        Shape::U64 => Val::U64(integer(value, 0, u64::MAX.into())? as u64),
        Shape::Float32 => Val::Float32(float(value)? as f32),
        Shape::Float64 => Val::Float64(float(value)?),
        Shape::Char => {
            let text = string(value)?;
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) => Val::Char(c),
                _ => return Err(Mismatch::new("a string of one character")),
            }
        }
        Shape::String => Val::String(string(value)?),
        Shape::List(item) => match value {
            Value::Array(items) if items.len() > MOST_ITEMS => {
                return Err(Mismatch::new(format!("at most {MOST_ITEMS} values")));
            }
            Value::Array(items) => Val::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(i, v)| decode(item, v).map_err(|e| e.below(&format!("[{i}]"))))
                    .collect::<Result<Vec<_>, _>>()?,
            ),
            _ => return Err(Mismatch::new("an array")),
        },
        Shape::Record(fields) => match value {
            Value::Object(object) => record(fields, object)?,
            _ => return Err(Mismatch::new("an object")),
        },
        Shape::Tuple(shapes) => match value {
            Value::Array(items) if items.len() == shapes.len() => Val::Tuple(
                shapes
                    .iter()
                    .zip(items)
                    .enumerate()
                    .map(|(i, (s, v))| decode(s, v).map_err(|e| e.below(&format!("[{i}]"))))
                    .collect::<Result<Vec<_>, _>>()?,
            ),
            _ => {
                return Err(Mismatch::new(format!("an array of {} values", shapes.len())));
            }
        },
        Shape::Variant(cases) => {
            let (tag, payload) = match value {
                Value::String(tag) => (tag, None),
                Value::Object(object) if object.len() == 1 => {
                    let (tag, payload) = object.iter().next().expect("the object has one member");
                    (tag, Some(payload))
                }
                _ => return Err(one_of(cases.iter().map(|c| c.name.wire.as_str()))),
            };
            let case = cases
                .iter()
                .find(|c| c.name.wire == *tag)
                .ok_or_else(|| one_of(cases.iter().map(|c| c.name.wire.as_str())))?;
            let payload = match (&case.shape, payload) {
                (None, None | Some(Value::Null)) => None,
                (None, Some(_)) => return Err(Mismatch::new("no payload").below(tag)),
                (Some(shape), payload) => Some(Box::new(
                    decode(shape, payload.unwrap_or(&Value::Null)).map_err(|e| e.below(tag))?,
                )),
            };
            Val::Variant(case.name.wit.clone(), payload)
        }
        Shape::Enum(names) => match value {
            Value::String(s) => match names.iter().find(|n| n.wire == *s) {
                Some(name) => Val::Enum(name.wit.clone()),
                None => return Err(one_of(names.iter().map(|n| n.wire.as_str()))),
            },
            _ => return Err(one_of(names.iter().map(|n| n.wire.as_str()))),
        },
        Shape::Option(inner) => match value {
            Value::Null => Val::Option(None),
            other => Val::Option(Some(Box::new(decode(inner, other)?))),
        },
        Shape::Result { ok, err } => {
            let member = match value {
                Value::Object(object) if object.len() == 1 => object.iter().next(),
                _ => None,
            };
            match member {
                Some((tag, v)) if tag == "ok" => Val::Result(Ok(payload(ok, v)?)),
                Some((tag, v)) if tag == "err" => Val::Result(Err(payload(err, v)?)),
                _ => return Err(one_of(["ok", "err"].into_iter())),
            }
        }
        Shape::Flags(names) => match value {
            Value::Array(items) => {
                let mut set = Vec::with_capacity(items.len().min(names.len()));
                for (i, item) in items.iter().enumerate() {
                    let name = item
                        .as_str()
                        .and_then(|s| names.iter().find(|n| n.wire == s))
                        .ok_or_else(|| one_of(names.iter().map(|n| n.wire.as_str())).below(&format!("[{i}]")))?;
                    if !set.contains(&name.wit) {
                        set.push(name.wit.clone());
                    }
                }
                Val::Flags(set)
            }
            _ => return Err(Mismatch::new("an array of strings")),
        },
    })
}

fn record(fields: &[Field], object: &Map<String, Value>) -> Result<Val, Mismatch> {
    Ok(Val::Record(
        fields
            .iter()
            .map(|f| {
                let value = object.get(&f.name.wire).unwrap_or(&Value::Null);
                match decode(&f.shape, value) {
                    Ok(v) => Ok((f.name.wit.clone(), v)),
                    Err(e) => Err(e.below(&f.name.wire)),
                }
            })
            .collect::<Result<Vec<_>, _>>()?,
    ))
}

fn payload(shape: &Option<Box<Shape>>, value: &Value) -> Result<Option<Box<Val>>, Mismatch> {
    match shape {
        None => Ok(None),
        Some(s) => Ok(Some(Box::new(decode(s, value)?))),
    }
}

fn one_of<'a>(names: impl Iterator<Item = &'a str>) -> Mismatch {
    let mut expected = String::from("one of");
    for (i, name) in names.enumerate() {
        let comma = if i == 0 { "" } else { "," };
        // Writing to a String does not fail.
        let _ = write!(expected, "{comma} {name:?}");
    }
    Mismatch::new(expected)
}

/// A whole number from `min` to `max`, also written as `3.0`, `"3"` or `3e0`.
fn integer(value: &Value, min: i128, max: i128) -> Result<i128, Mismatch> {
    let found = match value {
        Value::Number(n) => whole(n),
        Value::String(s) => numeric(s).as_ref().and_then(whole),
        _ => None,
    };
    match found {
        Some(i) if (min..=max).contains(&i) => Ok(i),
        Some(i) if i < min && min == 0 => Err(Mismatch::new("a whole number, not below 0")),
        Some(_) => Err(Mismatch::new(format!("a whole number from {min} to {max}"))),
        None => Err(Mismatch::new("a whole number")),
    }
}

fn whole(n: &Number) -> Option<i128> {
    if let Some(i) = n.as_i64() {
        return Some(i.into());
    }
    if let Some(u) = n.as_u64() {
        return Some(u.into());
    }
    // Beyond 2^53 a float no longer tells neighbouring integers apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    n.as_f64()
        .filter(|f| f.fract() == 0.0 && f.abs() <= EXACT)
        .map(|f| f as i128)
}

fn numeric(s: &str) -> Option<Number> {
    // JSON's own grammar of numbers, nothing more; a long text is no number.
    if s.len() > 64 {
        return None;
    }
    serde_json::from_str::<Number>(s.trim()).ok()
}

fn float(value: &Value) -> Result<f64, Mismatch> {
    match value {
        Value::Number(n) => n.as_f64(),
        Value::String(s) => numeric(s).and_then(|n| n.as_f64()),
        _ => None,
    }
    .filter(|f| f.is_finite())
    .ok_or_else(|| Mismatch::new("a number"))
}

fn string(value: &Value) -> Result<String, Mismatch> {
    match value {
        Value::String(s) => Ok(s.clone()),
        Value::Number(n) => Ok(n.to_string()),
        _ => Err(Mismatch::new("a string")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::codec::shape::{Case, Name};

    fn name(wit: &str) -> Name {
        Name {
            wit: wit.into(),
            wire: crate::codec::camel_case(wit),
        }
    }

    fn member(shape: Shape, value: Value) -> Result<Val, DecodeError> {
        let object = json!({ "x": value });
        Decoder::new(shape).decode_member(object.as_object().unwrap(), "x")
    }

    #[test]
    fn numbers_and_numeric_strings_are_interchangeable_where_lossless() {
        for good in [json!(3), json!("3"), json!(3.0), json!(" 3 "), json!("3.0"), json!(3e0)] {
            assert_eq!(member(Shape::U32, good), Ok(Val::U32(3)));
        }
        for bad in [
            json!(3.5),
            json!("3.5"),
            json!("x"),
            json!(-1),
            json!(true),
            json!(null),
            json!([3]),
            json!(""),
        ] {
            assert!(member(Shape::U32, bad).is_err());
        }
        assert_eq!(member(Shape::String, json!(1)), Ok(Val::String("1".into())));
        assert_eq!(
            member(Shape::U64, json!("18446744073709551615")),
            Ok(Val::U64(u64::MAX))
        );
        assert!(member(Shape::S64, json!(1e300)).is_err());
    }

    #[test]
    fn null_and_absent_mean_the_same() {
        let optional = Decoder::new(Shape::Option(Box::new(Shape::String)));
        let object = json!({"a": null});
        let object = object.as_object().unwrap();
        assert_eq!(optional.decode_member(object, "a"), Ok(Val::Option(None)));
        assert_eq!(optional.decode_member(object, "b"), Ok(Val::Option(None)));
    }

    #[test]
    fn a_mismatch_names_the_innermost_field() {
        let shape = Shape::List(Box::new(Shape::Record(vec![Field {
            name: name("fav-id"),
            shape: Shape::String,
        }])));
        let error = member(shape, json!([{"favId": "1"}, {"favId": []}])).unwrap_err();
        assert_eq!(error.field, "x[1].favId");
        assert_eq!(error.expected, "a string");
    }

    #[test]
    fn enums_variants_and_flags_take_their_wire_names() {
        let order = Shape::Enum(vec![name("asc"), name("desc")]);
        assert_eq!(member(order.clone(), json!("desc")), Ok(Val::Enum("desc".into())));
        assert_eq!(
            member(order, json!("up")).unwrap_err().expected,
            r#"one of "asc", "desc""#
        );
        let variant = Shape::Variant(vec![
            Case {
                name: name("none-at-all"),
                shape: None,
            },
            Case {
                name: name("some"),
                shape: Some(Shape::U8),
            },
        ]);
        assert_eq!(
            member(variant.clone(), json!("noneAtAll")),
            Ok(Val::Variant("none-at-all".into(), None))
        );
        assert_eq!(
            member(variant, json!({"some": 4})),
            Ok(Val::Variant("some".into(), Some(Box::new(Val::U8(4)))))
        );
        let flags = Shape::Flags(vec![name("a"), name("b")]);
        assert_eq!(member(flags, json!(["b", "b"])), Ok(Val::Flags(vec!["b".into()])));
    }
}
