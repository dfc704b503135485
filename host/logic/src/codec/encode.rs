//! Component values to JSON text.

use wasmtime::component::Val;

use super::shape::Shape;

/// Writes values of one shape as JSON.
#[derive(Clone, Debug)]
pub struct Encoder {
    shape: Shape,
}

impl Encoder {
    /// An encoder for values of this shape.
    pub fn new(shape: Shape) -> Encoder {
        Encoder { shape }
    }

    /// Appends the value's JSON text. A value of another shape, which the component model's type check excludes, is written as null.
    pub fn encode(&self, value: &Val, out: &mut Vec<u8>) {
        encode(&self.shape, value, out);
    }
}

fn encode(shape: &Shape, value: &Val, out: &mut Vec<u8>) {
    match (shape, value) {
        (Shape::Bool, Val::Bool(b)) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
        (Shape::S8, Val::S8(n)) => scalar(n, out),
        (Shape::U8, Val::U8(n)) => scalar(n, out),
        (Shape::S16, Val::S16(n)) => scalar(n, out),
        (Shape::U16, Val::U16(n)) => scalar(n, out),
        (Shape::S32, Val::S32(n)) => scalar(n, out),
        (Shape::U32, Val::U32(n)) => scalar(n, out),
        (Shape::S64, Val::S64(n)) => scalar(n, out),
        (Shape::U64, Val::U64(n)) => scalar(n, out),
        // NaN and infinities have no JSON form: serde_json writes null.
        (Shape::Float32, Val::Float32(n)) => scalar(n, out),
        (Shape::Float64, Val::Float64(n)) => scalar(n, out),
        (Shape::Char, Val::Char(c)) => scalar(c, out),
        (Shape::String, Val::String(s)) => scalar(s, out),
        (Shape::List(item), Val::List(items)) => {
            array(items.iter(), out, |v, out| encode(item, v, out));
        }
        (Shape::Record(fields), Val::Record(values)) => {
            out.push(b'{');
            for (i, (field, (_, v))) in fields.iter().zip(values.iter()).enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                key(&field.name.wire, out);
                encode(&field.shape, v, out);
            }
            out.push(b'}');
        }
        (Shape::Tuple(shapes), Val::Tuple(values)) => {
            array(shapes.iter().zip(values.iter()), out, |(s, v), out| encode(s, v, out));
        }
        (Shape::Variant(cases), Val::Variant(tag, payload)) => {
            let Some(case) = cases.iter().find(|c| c.name.wit == *tag) else {
                return null(out);
            };
            match (&case.shape, payload) {
                (Some(s), Some(v)) => {
                    out.push(b'{');
                    key(&case.name.wire, out);
                    encode(s, v, out);
                    out.push(b'}');
                }
                _ => scalar(&case.name.wire, out),
            }
        }
        (Shape::Enum(names), Val::Enum(tag)) => match names.iter().find(|n| n.wit == *tag) {
            Some(name) => scalar(&name.wire, out),
            None => null(out),
        },
        (Shape::Option(inner), Val::Option(Some(v))) => encode(inner, v, out),
        (Shape::Result { ok, err }, Val::Result(v)) => {
            let (tag, shape, payload) = match v {
                Ok(p) => ("ok", ok, p),
                Err(p) => ("err", err, p),
            };
            out.push(b'{');
            key(tag, out);
            match (shape, payload) {
                (Some(s), Some(v)) => encode(s, v, out),
                _ => null(out),
            }
            out.push(b'}');
        }
        (Shape::Flags(names), Val::Flags(set)) => {
            let wire = names.iter().filter(|n| set.contains(&n.wit));
            array(wire, out, |n, out| scalar(&n.wire, out));
        }
        _ => null(out),
    }
}

fn array<T>(items: impl Iterator<Item = T>, out: &mut Vec<u8>, mut each: impl FnMut(T, &mut Vec<u8>)) {
    out.push(b'[');
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        each(item, out);
    }
    out.push(b']');
}

fn key(name: &str, out: &mut Vec<u8>) {
    scalar(name, out);
    out.push(b':');
}

fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

fn scalar<T: serde::Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    // Writing a number or a string to a Vec does not fail.
    let _ = serde_json::to_writer(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::shape::{Field, Name};

    fn text(shape: Shape, value: Val) -> String {
        let mut out = Vec::new();
        Encoder::new(shape).encode(&value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn records_keep_their_order_and_doubles_their_point() {
        let shape = Shape::Record(vec![
            Field {
                name: Name {
                    wit: "storage-scale".into(),
                    wire: "storageScale".into(),
                },
                shape: Shape::Float64,
            },
            Field {
                name: Name {
                    wit: "name".into(),
                    wire: "name".into(),
                },
                shape: Shape::Option(Box::new(Shape::String)),
            },
        ]);
        let value = Val::Record(vec![
            ("storage-scale".to_owned(), Val::Float64(1.0)),
            ("name".to_owned(), Val::Option(None)),
        ]);
        assert_eq!(text(shape, value), r#"{"storageScale":1.0,"name":null}"#);
    }

    #[test]
    fn strings_are_escaped() {
        assert_eq!(
            text(Shape::String, Val::String("a\"\\\n\u{1}我".into())),
            "\"a\\\"\\\\\\n\\u0001我\""
        );
    }

    #[test]
    fn a_number_without_a_json_form_is_null() {
        assert_eq!(text(Shape::Float64, Val::Float64(f64::NAN)), "null");
    }
}
