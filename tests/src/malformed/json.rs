//! Bodies of API requests: documented examples, changed.

use serde_json::{Map, Value, json};

use crate::hostile_names;
use crate::random::Random;

/// Changes of one body.
const MOST_CHANGES: u64 = 3;
/// Begins and ends a text that is written into the body as it is.
const RAW: &str = "@@";

/// A documented request.
#[derive(Clone, Debug)]
pub struct Example {
    /// The path of the method.
    pub path: String,
    /// The parameters.
    pub params: Map<String, Value>,
    /// Whether the method only reads.
    pub reads_only: bool,
}

/// The examples of a description in OpenAPI: at least one for each method.
///
/// # Panics
/// When it is not such a description.
pub fn examples(openapi: &Value) -> Vec<Example> {
    let paths = openapi["paths"].as_object().expect("paths of methods");
    let mut examples = Vec::new();
    for (path, item) in paths {
        let Some(media) = item["post"]["requestBody"]["content"]["application/json"].as_object() else {
            continue;
        };
        let method = path.rsplit('/').next().unwrap_or_default();
        let reads_only = ["get", "list", "search"].iter().any(|verb| method.starts_with(verb));
        let documented = media.get("examples").and_then(Value::as_object);
        let documented: Vec<_> = documented.map_or_else(Vec::new, |all| all.values().cloned().collect());
        assert!(!documented.is_empty(), "{path} has no example");
        for example in documented {
            examples.push(Example {
                path: path.clone(),
                params: example["value"].as_object().cloned().unwrap_or_default(),
                reads_only,
            });
        }
    }
    examples
}

/// The body of an example after some changes. It may be no JSON any more.
pub fn body(example: &Example, random: &mut Random) -> Vec<u8> {
    let mut value = Value::Object(example.params.clone());
    for _ in 0..random.below(MOST_CHANGES + 1) {
        change(&mut value, random);
    }
    let mut text = value.to_string();
    while let Some((start, rest)) = text.split_once(&format!("\"{RAW}")) {
        let Some((raw, rest)) = rest.split_once(&format!("{RAW}\"")) else {
            break;
        };
        text = format!("{start}{}{rest}", raw.replace("\\\\", "\\").replace("\\\"", "\""));
    }
    let mut bytes = text.into_bytes();
    match random.below(12) {
        0 => damage(&mut bytes, random),
        1 => twice(&mut bytes, random),
        2 => drop(bytes.splice(0..0, *b"\xef\xbb\xbf")),
        _ => {}
    }
    bytes
}

/// Changes a member of the value, at any depth.
fn change(value: &mut Value, random: &mut Random) {
    match value {
        Value::Object(object) if !object.is_empty() && random.below(8) > 0 => {
            let index = random.below(object.len() as u64) as usize;
            let name = object.keys().nth(index).cloned().unwrap_or_default();
            match random.below(10) {
                0 => drop(object.remove(&name)),
                1 => drop(object.insert(any_text(random), any_value(random, 2))),
                2 => {
                    let moved = object.remove(&name).unwrap_or_default();
                    object.insert(name.to_uppercase(), moved);
                }
                _ => change(&mut object[&name], random),
            }
        }
        Value::Array(items) if !items.is_empty() && random.below(3) > 0 => {
            let index = random.below(items.len() as u64) as usize;
            match random.below(4) {
                0 => {
                    let item = items[index].clone();
                    let times = [2, 10, 1001, 26_000][random.below(4) as usize];
                    items.extend(std::iter::repeat_n(item, times));
                }
                _ => change(&mut items[index], random),
            }
        }
        other => *other = any_value(random, 3),
    }
}

/// A value of any type.
fn any_value(random: &mut Random, depth: u64) -> Value {
    let raw = |text: &str| json!(format!("{RAW}{text}{RAW}"));
    match random.below(if depth == 0 { 14 } else { 18 }) {
        0 => Value::Null,
        1 => json!(random.below(2) == 0),
        2 => json!(random.below(3)),
        3 => json!(-1 - i64::try_from(random.below(1 << 40)).unwrap_or_default()),
        4 => json!([u64::MAX, 1 << 32, 1 << 53, (1 << 53) + 1][random.below(4) as usize]),
        5 => json!([i64::MIN, i64::from(i32::MIN) - 1, -129][random.below(3) as usize]),
        6 => json!([0.1, 1e308, -1e-320, 1.5, 3.0][random.below(5) as usize]),
        7 => raw([
            "1e999",
            "-1e999",
            "1e-999",
            "123456789012345678901234567890",
            "-0",
            "1E+2",
            "01",
            "+1",
            ".5",
            "0x1",
            "NaN",
        ][random.below(11) as usize]),
        8 => raw([
            "\"\\ud800\"",
            "\"\\udc00\\ud800\"",
            "\"\\u0000\"",
            "\"\u{1}\"",
            "\"\\x\"",
            "'a'",
            "undefined",
            "",
        ][random.below(8) as usize]),
        9 => {
            let depth = [20, 127, 129, 5000][random.below(4) as usize];
            let (open, close) = [("[", "]"), ("{\"a\":", "}")][random.below(2) as usize];
            raw(&format!("{}1{}", open.repeat(depth), close.repeat(depth)))
        }
        10..=13 => json!(any_text(random)),
        14 => json!([]),
        15 => json!({}),
        16 => (0..random.below(4)).map(|_| any_value(random, depth - 1)).collect(),
        _ => (0..random.below(3))
            .map(|_| (any_text(random), any_value(random, depth - 1)))
            .collect(),
    }
}

fn any_text(random: &mut Random) -> String {
    match random.below(8) {
        0 => String::new(),
        1 => "x".repeat([128, 129, 5000, 70_000][random.below(4) as usize]),
        2 => [
            "0",
            "1",
            "-1",
            "1.0",
            " 7 ",
            "1e3",
            "18446744073709551616",
            "true",
            "null",
        ][random.below(9) as usize]
            .into(),
        3 => [
            "__SERVER_ROUTE_METHOD",
            "__SERVER_ROUTE_MODULE",
            "constructor",
            "__proto__",
            "\0",
            "\u{10ffff}",
        ][random.below(6) as usize]
            .into(),
        4 => [
            "FKBgzrvr6wwt853VWW3RgdX4fLoeoDhgyexVbsuPaEhz",
            "1",
            "asc",
            "desc",
            "我的收藏",
            "e\u{301}\u{202e}",
        ][random.below(6) as usize]
            .into(),
        5 => "我".repeat(1 + random.below(200) as usize),
        6 => {
            let names = hostile_names::names();
            names[random.below(names.len() as u64) as usize].clone()
        }
        _ => (0..random.below(12))
            .map(|_| char::from(random.below(128) as u8))
            .collect(),
    }
}

/// Flips, cuts, or repeats bytes.
pub(super) fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() as u64 + 1) as usize;
        match random.below(5) {
            0 => bytes.truncate(at),
            1 => drop(bytes.splice(at..at, [random.below(256) as u8])),
            2 => drop(bytes.drain(at..(at + random.below(8) as usize).min(bytes.len()))),
            3 => {
                let part =
                    bytes[at..(at + random.below(40) as usize).min(bytes.len())].repeat(random.below(50) as usize);
                bytes.splice(at..at, part);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
}

/// Repeats the members of the object.
fn twice(bytes: &mut Vec<u8>, random: &mut Random) {
    if bytes.len() > 2 && random.below(2) == 0 {
        let members = bytes[1..bytes.len() - 1].to_vec();
        bytes.splice(1..1, [&members[..], b","].concat());
    }
}
