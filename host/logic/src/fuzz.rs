//! What fuzzers call in this crate: requests of clients, and the bytes of modules.
//!
//! Each target takes any bytes. It panics if a property of the code is violated. docs/fuzzing.md
//! lists all targets of the project.

use serde_json::{Map, Value};
use stowage_storage::fuzz::Choices;

use crate::codec::{Decoder, Shape, json};
use crate::engine::documentation::{Documentation, DocumentedType};
use crate::engine::documented_numbers::DocumentedNumber;
use crate::engine::export::InterfaceName;
use crate::engine::module::wit_text;
use crate::rpc;

/// Types of one input. More would make one input slow.
const MOST_TYPES: usize = 32;
/// How deep types are here.
const MOST_DEPTH: usize = 5;
/// How deep the parts of a documented type are followed.
const DOCUMENTED_DEPTH: usize = 8;
/// Parts of documented types that are looked at.
const MOST_PARTS: usize = 2000;

/// The bridge from JSON to values and back: the first half of the bytes chooses a type, the other
/// half is any JSON. A value that is accepted has a JSON form, which is accepted as the same value.
pub fn json_bridge(data: &[u8]) {
    let (types, text) = data.split_at(data.len() / 2);
    let mut choices = Choices::new(types);
    let mut left = MOST_TYPES;
    let shape = shape(&mut choices, MOST_DEPTH, &mut left);
    let decoder = Decoder::new(shape.clone());
    // What fits the type, and what anybody sends.
    let fitting = fitting(&shape, &mut Choices::new(text), &mut 200);
    let sent = serde_json::from_slice::<Value>(text).unwrap_or(Value::Null);
    for value in [fitting, sent] {
        let object = Map::from_iter([("x".to_owned(), value)]);
        match decoder.decode_member(&object, "x") {
            Ok(decoded) => {
                let written = Map::from_iter([("x".to_owned(), json(&decoded))]);
                let again = decoder.decode_member(&written, "x");
                assert_eq!(again.as_ref(), Ok(&decoded), "{shape:?}: {object:?} became {written:?}");
            }
            Err(error) => {
                assert!(error.field.starts_with('x'), "{error}");
                assert!(!error.expected.is_empty(), "{shape:?}: {object:?}");
            }
        }
        // Both may refuse it, but neither may panic.
        let _ = decoder.decode_object(&object);
    }
}

/// A type that the choices make. `left` bounds the number of its parts.
fn shape(choices: &mut Choices<'_>, depth: usize, left: &mut usize) -> Shape {
    *left = left.saturating_sub(1);
    let kinds = if depth == 0 || *left == 0 { 15 } else { 21 };
    let mut inner = |choices: &mut Choices<'_>| shape(choices, depth - 1, left);
    match choices.byte() % kinds {
        0 => Shape::Bool,
        1 => Shape::S8,
        2 => Shape::U8,
        3 => Shape::S16,
        4 => Shape::U16,
        5 => Shape::S32,
        6 => Shape::U32,
        7 => Shape::S64,
        8 => Shape::U64,
        9 => Shape::Float32,
        10 => Shape::Float64,
        11 => Shape::Char,
        12 => Shape::String,
        13 => Shape::enumeration(&names(choices)),
        14 => Shape::flags(&names(choices)),
        15 => Shape::List(Box::new(inner(choices))),
        16 => Shape::Option(Box::new(inner(choices))),
        17 => Shape::Tuple((0..=choices.below(4)).map(|_| inner(choices)).collect()),
        18 => {
            let fields = names(choices).into_iter().map(|name| (name, inner(choices)));
            Shape::record(fields.collect())
        }
        19 => {
            let cases = names(choices).into_iter();
            let mut payload = |choices: &mut Choices<'_>| choices.byte().is_multiple_of(2).then(|| inner(choices));
            Shape::variant(cases.map(|name| (name, payload(choices))).collect())
        }
        _ => {
            let mut payload = || choices.byte().is_multiple_of(2).then(|| Box::new(inner(choices)));
            let (ok, err) = (payload(), payload());
            Shape::Result { ok, err }
        }
    }
}

/// Names that differ also in their wire form.
fn names(choices: &mut Choices<'_>) -> Vec<String> {
    let count = 1 + choices.below(4);
    (0..count)
        .map(|i| format!("n-{}", char::from(b'a' + i as u8)))
        .collect()
}

/// JSON that mostly fits a type.
fn fitting(shape: &Shape, choices: &mut Choices<'_>, left: &mut usize) -> Value {
    if *left == 0 {
        return Value::Null;
    }
    *left -= 1;
    let number = |choices: &mut Choices<'_>| match choices.byte() % 6 {
        0 => Value::from(choices.number()),
        1 => Value::from(choices.number().cast_signed()),
        2 => Value::from(f64::from_bits(choices.number())),
        3 => Value::from(choices.number().to_string()),
        4 => Value::from(f64::from(choices.byte())),
        _ => Value::from(choices.byte()),
    };
    match shape {
        Shape::Bool => Value::from(choices.byte().is_multiple_of(2)),
        Shape::Char | Shape::String => match choices.byte() % 8 {
            0 => number(choices),
            _ => {
                let len = choices.below(8);
                Value::from(String::from_utf8_lossy(choices.bytes(len)).into_owned())
            }
        },
        Shape::List(item) => {
            let len = choices.below(5);
            (0..len).map(|_| fitting(item, choices, left)).collect()
        }
        Shape::Tuple(items) => items.iter().map(|item| fitting(item, choices, left)).collect(),
        Shape::Record(fields) => fields
            .iter()
            .map(|field| (field.name.wire.clone(), fitting(&field.shape, choices, left)))
            .collect(),
        Shape::Variant(cases) => {
            let case = &cases[choices.below(cases.len())];
            match &case.shape {
                None => Value::from(case.name.wire.clone()),
                Some(shape) => Value::from_iter([(case.name.wire.clone(), fitting(shape, choices, left))]),
            }
        }
        Shape::Enum(names) => Value::from(names[choices.below(names.len())].wire.clone()),
        Shape::Flags(names) => {
            let len = choices.below(names.len() + 1);
            let flag = |choices: &mut Choices<'_>| Value::from(names[choices.below(names.len())].wire.clone());
            (0..len).map(|_| flag(choices)).collect()
        }
        Shape::Option(inner) => match choices.byte() % 3 {
            0 => Value::Null,
            _ => fitting(inner, choices, left),
        },
        Shape::Result { ok, err } => {
            let (tag, payload) = match choices.byte() % 2 {
                0 => ("ok", ok),
                _ => ("err", err),
            };
            let payload = payload
                .as_ref()
                .map_or(Value::Null, |shape| fitting(shape, choices, left));
            Value::from_iter([(tag.to_owned(), payload)])
        }
        _ => number(choices),
    }
}

/// A request to the API: a line with the path, then the body. The body is read as serde_json reads
/// it, but for duplicate names. The path and the body name a method, or the message tells why not.
pub fn api_request(data: &[u8]) {
    let (path, body) = match data.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[][..]),
    };
    rpc::check_request(&String::from_utf8_lossy(path), body);
}

/// The bytes of a module and the WIT text in it, without compiling. The text is found or not, read
/// or not, and everything that it says can be asked for.
pub fn module_bytes(data: &[u8]) {
    let found = wit_text(data);
    assert!(found.len() <= data.len() * 3, "a text is a part of the module");
    // Most inputs are no module: they are taken as the text too.
    for text in [found, String::from_utf8_lossy(data).into_owned()] {
        let documentation = Documentation::read(&text);
        let mut left = MOST_PARTS;
        for name in documentation.names().cloned().collect::<Vec<_>>() {
            check_interface(&documentation, &name, &mut left);
        }
        if let Some(number) = DocumentedNumber::find(&text, "page") {
            assert!(number.meaning.len() <= text.len());
        }
    }
    let name = String::from_utf8_lossy(data);
    if let Some(interface) = InterfaceName::parse(&name) {
        assert!(!interface.wire_module().contains('/'));
        assert!(name.starts_with(&interface.package));
    }
}

/// Asks for everything that a text says of an interface.
fn check_interface(documentation: &Documentation, name: &InterfaceName, left: &mut usize) {
    let _ = (documentation.interface(name), documentation.package(&name.package));
    let (functions, types) = documentation.declared(name);
    for function in functions {
        let function = documentation.function(name, &function).expect("it is declared");
        let _ = function.comment();
        for part in function.result().into_iter().chain(function.parameter("page")) {
            check_type(part, DOCUMENTED_DEPTH, left);
        }
    }
    for ty in types {
        let ty = documentation.named_type(name, &ty).expect("it is declared");
        check_type(ty, DOCUMENTED_DEPTH, left);
    }
}

fn check_type(ty: DocumentedType<'_>, depth: usize, left: &mut usize) {
    let _ = ty.declaration();
    if depth == 0 {
        return;
    }
    for part in ty.parts() {
        if *left == 0 {
            return;
        }
        *left -= 1;
        if let Some(ty) = part.ty {
            check_type(ty, depth - 1, left);
        }
    }
}
