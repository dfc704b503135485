//! JSON decoded to component values.

use serde_json::{Map, Value};
use wasmtime::component::Val;

use super::number;
use super::shape::{Case, Field, Name, Shape};

/// Why JSON is not the value a function expects.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{field}: expected {expected}")]
pub struct DecodeError {
    /// The path of the field: `hashs[2]`.
    pub field: String,
    /// What was expected there.
    pub expected: String,
}

/// Decodes values of one type.
#[derive(Clone, Debug)]
pub struct Decoder {
    shape: Shape,
    /// What a number is, if the module documents it more narrowly than its type.
    expected: Option<String>,
}

impl Decoder {
    /// A decoder for values of this shape.
    pub fn new(shape: Shape) -> Decoder {
        Decoder { shape, expected: None }
    }

    /// A decoder for values of this shape. If it is a whole number, `expected` is what the message
    /// of an error says, in place of the range of the type.
    pub fn documented(shape: Shape, expected: Option<String>) -> Decoder {
        let expected = expected.filter(|_| shape.is_integer());
        Decoder { shape, expected }
    }

    /// Decodes the member `name` of an object; a missing member is null.
    ///
    /// # Errors
    /// When the member is not what the type takes; the error names it.
    pub fn decode_member(&self, object: &Map<String, Value>, name: &str) -> Result<Val, DecodeError> {
        let value = object.get(name).unwrap_or(&Value::Null);
        decode(&self.shape, value).map_err(|mut mismatch| {
            if let Some(expected) = &self.expected {
                mismatch.expected.clone_from(expected);
            }
            if value.is_null() {
                mismatch.expected.push_str("; it is required");
            }
            mismatch.at(name)
        })
    }

    /// A decoder for the items, if this type is a list.
    pub fn item(&self) -> Option<Decoder> {
        match &self.shape {
            Shape::List(item) => Some(Decoder::new((**item).clone())),
            _ => None,
        }
    }

    /// Decodes a whole JSON object as this type. The type must be a record.
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

/// Items of a list. A value takes many times the bytes of its JSON.
const MAX_ITEMS: usize = 25_000;

/// A value that does not match its type. The path is built on the way out, so a value that matches
/// costs nothing.
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
        Shape::Bool => Val::Bool(value.as_bool().ok_or_else(|| Mismatch::new("true or false"))?),
        Shape::S8 => Val::S8(integer(value, i8::MIN, i8::MAX)?),
        Shape::U8 => Val::U8(integer(value, u8::MIN, u8::MAX)?),
        Shape::S16 => Val::S16(integer(value, i16::MIN, i16::MAX)?),
        Shape::U16 => Val::U16(integer(value, u16::MIN, u16::MAX)?),
        Shape::S32 => Val::S32(integer(value, i32::MIN, i32::MAX)?),
        Shape::U32 => Val::U32(integer(value, u32::MIN, u32::MAX)?),
        Shape::S64 => Val::S64(integer(value, i64::MIN, i64::MAX)?),
        Shape::U64 => Val::U64(integer(value, u64::MIN, u64::MAX)?),
        Shape::Float32 => Val::Float32(float32(value)?),
        Shape::Float64 => Val::Float64(float(value)?),
        Shape::Char => Val::Char(character(value)?),
        Shape::String => Val::String(string(value)?),
        Shape::List(item) => list(item, value)?,
        Shape::Record(fields) => match value {
            Value::Object(object) => record(fields, object)?,
            _ => return Err(Mismatch::new("an object")),
        },
        Shape::Tuple(shapes) => tuple(shapes, value)?,
        Shape::Variant(cases) => variant(cases, value)?,
        Shape::Enum(names) => enumeration(names, value)?,
        Shape::Option(_) if value.is_null() => Val::Option(None),
        Shape::Option(inner) => Val::Option(Some(Box::new(decode(inner, value)?))),
        Shape::Result { ok, err } => result(ok, err, value)?,
        Shape::Flags(names) => flags(names, value)?,
    })
}

/// An integer of type `I`, from `min` to `max`.
fn integer<I: Into<i128> + TryFrom<i128>>(value: &Value, min: I, max: I) -> Result<I, Mismatch> {
    let found = number::integer(value, min.into(), max.into()).map_err(Mismatch::new)?;
    I::try_from(found).map_err(|_| Mismatch::new("a whole number"))
}

fn float(value: &Value) -> Result<f64, Mismatch> {
    number::float(value).ok_or_else(|| Mismatch::new("a number"))
}

/// A number that is finite in 32 bits too: 1e300 would become infinite.
fn float32(value: &Value) -> Result<f32, Mismatch> {
    let number = float(value)? as f32;
    Some(number)
        .filter(|number| number.is_finite())
        .ok_or_else(|| Mismatch::new("a number of 32 bits"))
}

fn character(value: &Value) -> Result<char, Mismatch> {
    let text = string(value)?;
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Ok(c),
        _ => Err(Mismatch::new("a string of one character")),
    }
}

fn string(value: &Value) -> Result<String, Mismatch> {
    match value {
        Value::String(s) => Ok(s.clone()),
        Value::Number(n) => Ok(n.to_string()),
        _ => Err(Mismatch::new("a string")),
    }
}

fn list(item: &Shape, value: &Value) -> Result<Val, Mismatch> {
    match value {
        Value::Array(items) if items.len() > MAX_ITEMS => Err(Mismatch::new(format!("at most {MAX_ITEMS} values"))),
        Value::Array(items) => Ok(Val::List(all(items.iter().map(|value| (item, value)))?)),
        _ => Err(Mismatch::new("an array")),
    }
}

fn tuple(shapes: &[Shape], value: &Value) -> Result<Val, Mismatch> {
    match value {
        Value::Array(items) if items.len() == shapes.len() => Ok(Val::Tuple(all(shapes.iter().zip(items))?)),
        _ => Err(Mismatch::new(format!("an array of {} values", shapes.len()))),
    }
}

/// The items of an array.
fn all<'a>(items: impl Iterator<Item = (&'a Shape, &'a Value)>) -> Result<Vec<Val>, Mismatch> {
    items
        .enumerate()
        .map(|(i, (shape, value))| decode(shape, value).map_err(|e| e.below(&format!("[{i}]"))))
        .collect()
}

fn record(fields: &[Field], object: &Map<String, Value>) -> Result<Val, Mismatch> {
    let field = |field: &Field| {
        let value = object.get(&field.name.wire).unwrap_or(&Value::Null);
        match decode(&field.shape, value) {
            Ok(value) => Ok((field.name.wit.clone(), value)),
            Err(e) => Err(e.below(&field.name.wire)),
        }
    };
    Ok(Val::Record(fields.iter().map(field).collect::<Result<_, _>>()?))
}

fn variant(cases: &[Case], value: &Value) -> Result<Val, Mismatch> {
    let unknown = || one_of(cases.iter().map(|case| &case.name));
    let (tag, payload) = match value {
        Value::String(tag) => (tag, None),
        value => only_member(value).map(|(tag, v)| (tag, Some(v))).ok_or_else(unknown)?,
    };
    let case = cases.iter().find(|case| case.name.wire == *tag).ok_or_else(unknown)?;
    let payload = match (&case.shape, payload) {
        (None, None | Some(Value::Null)) => None,
        (None, Some(_)) => return Err(Mismatch::new("no payload").below(tag)),
        (Some(shape), payload) => {
            let payload = decode(shape, payload.unwrap_or(&Value::Null));
            Some(Box::new(payload.map_err(|e| e.below(tag))?))
        }
    };
    Ok(Val::Variant(case.name.wit.clone(), payload))
}

fn enumeration(names: &[Name], value: &Value) -> Result<Val, Mismatch> {
    Ok(Val::Enum(named(names, value)?.wit.clone()))
}

/// The name that a string is, in its wire form.
fn named<'a>(names: &'a [Name], value: &Value) -> Result<&'a Name, Mismatch> {
    let name = value.as_str().and_then(|s| names.iter().find(|name| name.wire == s));
    name.ok_or_else(|| one_of(names))
}

fn result(ok: &Option<Box<Shape>>, err: &Option<Box<Shape>>, value: &Value) -> Result<Val, Mismatch> {
    let payload = |shape: &Option<Box<Shape>>, value| {
        let decoded = shape.as_ref().map(|shape| decode(shape, value)).transpose()?;
        Ok(decoded.map(Box::new))
    };
    match only_member(value) {
        Some((tag, value)) if tag == "ok" => Ok(Val::Result(Ok(payload(ok, value)?))),
        Some((tag, value)) if tag == "err" => Ok(Val::Result(Err(payload(err, value)?))),
        _ => Err(Mismatch::new(r#"one of "ok", "err""#)),
    }
}

fn flags(names: &[Name], value: &Value) -> Result<Val, Mismatch> {
    let Value::Array(items) = value else {
        return Err(Mismatch::new("an array of strings"));
    };
    let mut set = Vec::with_capacity(items.len().min(names.len()));
    for (i, item) in items.iter().enumerate() {
        let name = named(names, item).map_err(|e| e.below(&format!("[{i}]")))?;
        if !set.contains(&name.wit) {
            set.push(name.wit.clone());
        }
    }
    Ok(Val::Flags(set))
}

/// The member of an object that has one.
fn only_member(value: &Value) -> Option<(&String, &Value)> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    object.iter().next()
}

fn one_of<'a>(names: impl IntoIterator<Item = &'a Name>) -> Mismatch {
    let names: Vec<_> = names.into_iter().map(|name| format!("{:?}", name.wire)).collect();
    Mismatch::new(format!("one of {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
        // A fuzzer found that it became infinite, which has no JSON form.
        assert!(member(Shape::Float32, json!(1e300)).is_err());
        assert_eq!(member(Shape::Float32, json!(3e38)), Ok(Val::Float32(3e38)));
    }

    #[test]
    fn a_number_has_one_message_whatever_is_wrong_with_it() {
        let message = |decoder: &Decoder, value: Value| {
            let object = json!({ "page": value });
            let decoded = decoder.decode_member(object.as_object().unwrap(), "page");
            decoded.unwrap_err().to_string()
        };
        let documented = Some("a whole number from 1 to 9".to_owned());
        for shape in [Shape::U32, Shape::Option(Box::new(Shape::U32))] {
            let plain = Decoder::new(shape.clone());
            let narrow = Decoder::documented(shape, documented.clone());
            for bad in [
                json!(-1),
                json!(1_u64 << 32),
                json!(1.5),
                json!("x"),
                json!([1]),
                json!(1e300),
            ] {
                let message_of_type = message(&plain, bad.clone());
                assert_eq!(message_of_type, "page: expected a whole number from 0 to 4294967295");
                assert_eq!(message(&narrow, bad), "page: expected a whole number from 1 to 9");
            }
            let object = json!({ "page": 77 });
            let taken = narrow.decode_member(object.as_object().unwrap(), "page");
            assert!(taken.is_ok(), "the range is for the message: the module checks it");
        }
        let required = message(&Decoder::documented(Shape::U8, documented.clone()), json!(null));
        assert_eq!(required, "page: expected a whole number from 1 to 9; it is required");
        let text = message(&Decoder::documented(Shape::String, documented), json!([]));
        assert_eq!(text, "page: expected a string");
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
