//! The differences between two behaviours in a few lines: paths in the answer, written keys,
//! effects.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;
use stowage_storage::KeyWrite;

use super::behaviour::{Behaviour, Ending, Written};

/// Lines about one call. Further differences are counted.
const MAX_LINES: usize = 20;
/// Characters of one value in a line.
const MAX_CHARS: usize = 160;

/// The differences of `found` from `expected`: one line for each, at most about 20. A line names
/// the place and both sides: `answer[0].size: "2.34 KB" instead of "2.33 KB"`.
pub fn differences(expected: &Behaviour, found: &Behaviour) -> Vec<String> {
    let mut lines = Lines::default();
    endings(&expected.ending, &found.ending, &mut lines);
    writes(&expected.writes, &found.writes, &mut lines);
    if expected.requests != found.requests {
        // Requests are texts and numbers, which have a JSON form.
        let json = |behaviour: &Behaviour| serde_json::to_value(&behaviour.requests).unwrap_or_default();
        values("effects", &json(expected), &json(found), &mut lines);
    }
    lines.finish()
}

#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    more: usize,
}

impl Lines {
    fn add(&mut self, line: impl FnOnce() -> String) {
        if self.lines.len() < MAX_LINES {
            self.lines.push(line());
        } else {
            self.more += 1;
        }
    }

    fn finish(mut self) -> Vec<String> {
        if self.more > 0 {
            self.lines.push(format!("and {} differences more", self.more));
        }
        self.lines
    }
}

fn endings(expected: &Ending, found: &Ending, lines: &mut Lines) {
    match (expected, found) {
        (Ending::Ok(expected), Ending::Ok(found)) => values("answer", expected, found, lines),
        (Ending::Err(expected), Ending::Err(found)) => values("error", expected, found, lines),
        (expected, found) if expected == found => {}
        (expected, found) => lines.add(|| format!("answer: {} instead of {}", ending(found), ending(expected))),
    }
}

fn ending(ending: &Ending) -> String {
    match ending {
        Ending::Ok(value) => text(value),
        Ending::Err(value) => format!("error {}", text(value)),
        Ending::Fault(reason) => format!("no answer ({})", cut(reason)),
    }
}

/// Compares two JSON values below a path.
fn values(path: &str, expected: &Value, found: &Value, lines: &mut Lines) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (name, value) in expected {
                match found.get(name) {
                    Some(other) => values(&format!("{path}.{name}"), value, other, lines),
                    None => lines.add(|| format!("{path}.{name}: absent instead of {}", text(value))),
                }
            }
            for (name, value) in found {
                if !expected.contains_key(name) {
                    lines.add(|| format!("{path}.{name}: {} instead of absent", text(value)));
                }
            }
        }
        (Value::Array(expected), Value::Array(found)) => arrays(path, expected, found, lines),
        (expected, found) if same(expected, found) => {}
        (expected, found) => lines.add(|| format!("{path}: {} instead of {}", text(found), text(expected))),
    }
}

/// Compares two arrays without their common beginning and end.
fn arrays(path: &str, expected: &[Value], found: &[Value], lines: &mut Lines) {
    let begin = expected.iter().zip(found).take_while(|(a, b)| same(a, b)).count();
    let (tail_expected, tail_found) = (&expected[begin..], &found[begin..]);
    let end = tail_expected
        .iter()
        .rev()
        .zip(tail_found.iter().rev())
        .take_while(|(a, b)| same(a, b))
        .count();
    let expected = &tail_expected[..tail_expected.len() - end];
    let found = &tail_found[..tail_found.len() - end];
    for (i, (expected, found)) in expected.iter().zip(found).enumerate() {
        values(&format!("{path}[{}]", begin + i), expected, found, lines);
    }
    let paired = expected.len().min(found.len());
    for (i, value) in expected.iter().enumerate().skip(paired) {
        lines.add(|| format!("{path}[{}]: absent instead of {}", begin + i, text(value)));
    }
    for (i, value) in found.iter().enumerate().skip(paired) {
        lines.add(|| format!("{path}[{}]: {} instead of absent", begin + i, text(value)));
    }
}

/// Equality, except for the last bits of a fraction. They may change when the fraction is written
/// as text and read again.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) if x.is_f64() && y.is_f64() => match (x.as_f64(), y.as_f64()) {
            (Some(x), Some(y)) => (x - y).abs() <= 4.0 * f64::EPSILON * x.abs(),
            _ => x == y,
        },
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

/// Compares writes key by key.
fn writes(expected: &[Written], found: &[Written], lines: &mut Lines) {
    let mut keys: BTreeMap<_, (Option<&KeyWrite>, Option<&KeyWrite>)> = BTreeMap::new();
    for (table, key, change) in expected {
        keys.entry((table, key)).or_default().0 = Some(change);
    }
    for (table, key, change) in found {
        keys.entry((table, key)).or_default().1 = Some(change);
    }
    for ((table, key), sides) in keys {
        match sides {
            (Some(expected), Some(found)) if expected != found => changes(&place(table, key), expected, found, lines),
            (Some(expected), None) => {
                lines.add(|| format!("{}: nothing instead of {}", place(table, key), describe(expected)));
            }
            (None, Some(found)) => {
                lines.add(|| format!("{}: {} instead of nothing", place(table, key), describe(found)));
            }
            _ => {}
        }
    }
}

fn changes(place: &str, expected: &KeyWrite, found: &KeyWrite, lines: &mut Lines) {
    if let (KeyWrite::Put(expected), KeyWrite::Put(found)) = (expected, found)
        && let (Some(expected), Some(found)) = (decoded(expected), decoded(found))
        && !same(&expected, &found)
    {
        return values(place, &expected, &found, lines);
    }
    lines.add(|| format!("{place}: {} instead of {}", describe(found), describe(expected)));
}

fn place(table: &str, key: &[u8]) -> String {
    format!("write {table} {}", shown_key(key))
}

fn describe(change: &KeyWrite) -> String {
    match change {
        KeyWrite::Put(value) => match decoded(value) {
            Some(value) => format!("put {}", text(&value)),
            None => format!("put {}", cut(&shown_key(value))),
        },
        KeyWrite::Delete => "delete".into(),
        KeyWrite::Add(delta) => format!("add {delta}"),
        KeyWrite::Counter(value) => format!("set the counter to {value}"),
    }
}

/// The JSON of a stored value that is a MessagePack map or array, as the SDK writes it. There is
/// none for other values.
pub fn decoded(value: &[u8]) -> Option<Value> {
    let mut rest = value;
    let decoded: Value = rmp_serde::from_read(&mut rest).ok()?;
    (rest.is_empty() && (decoded.is_object() || decoded.is_array())).then_some(decoded)
}

/// A key for a person: its text, with `\x..` for bytes that cannot be printed.
pub fn shown_key(key: &[u8]) -> String {
    let mut shown = String::with_capacity(key.len() + 2);
    for chunk in key.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => shown.push_str("\\\\"),
                c if c.is_ascii_graphic() || (!c.is_ascii() && c.is_alphanumeric()) => shown.push(c),
                c => {
                    let mut buffer = [0; 4];
                    escape(c.encode_utf8(&mut buffer).as_bytes(), &mut shown);
                }
            }
        }
        escape(chunk.invalid(), &mut shown);
    }
    shown
}

fn escape(bytes: &[u8], shown: &mut String) {
    for byte in bytes {
        // Writing to a String does not fail.
        let _ = write!(shown, "\\x{byte:02x}");
    }
}

fn text(value: &Value) -> String {
    cut(&value.to_string())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::effect::{CloudChange, Request};

    fn answer(value: Value) -> Behaviour {
        Behaviour {
            ending: Ending::Ok(value),
            writes: Vec::new(),
            requests: Vec::new(),
        }
    }

    fn row(value: Value) -> KeyWrite {
        KeyWrite::Put(rmp_serde::to_vec_named(&value).unwrap())
    }

    fn wrote(writes: Vec<(&str, &[u8], KeyWrite)>) -> Behaviour {
        Behaviour {
            writes: writes
                .into_iter()
                .map(|(t, k, c)| (t.to_owned(), k.to_vec(), c))
                .collect(),
            ..answer(Value::Null)
        }
    }

    #[test]
    fn the_same_behaviour_has_no_differences() {
        let behaviour = Behaviour {
            requests: vec![Request::Change(CloudChange::DeleteBlob { hash: "h".into() })],
            ..wrote(vec![("t", b"k", row(json!({"a": 1})))])
        };
        assert_eq!(differences(&behaviour, &behaviour.clone()), [] as [&str; 0]);
    }

    #[test]
    fn a_difference_in_the_answer_is_named_by_its_path() {
        let expected = answer(json!({"rows": [{"size": "2.33 KB", "n": 1}, {"gone": true}], "page": 1.5}));
        let found = answer(json!({"rows": [{"size": "2.34 KB", "n": 1}, {"new": null}], "page": 1.5}));
        assert_eq!(
            differences(&expected, &found),
            [
                r#"answer.rows[0].size: "2.34 KB" instead of "2.33 KB""#,
                "answer.rows[1].gone: absent instead of true",
                "answer.rows[1].new: null instead of absent",
            ]
        );
    }

    #[test]
    fn a_row_too_many_or_too_few_is_one_line() {
        let all = answer(json!(["a", "b", "c", "d"]));
        let middle = answer(json!(["a", "b", "d"]));
        assert_eq!(differences(&all, &middle), [r#"answer[2]: absent instead of "c""#]);
        assert_eq!(differences(&middle, &all), [r#"answer[2]: "c" instead of absent"#]);
    }

    #[test]
    fn an_error_instead_of_an_answer_is_one_line() {
        let failed = Behaviour {
            ending: Ending::Err(json!({"code": 600})),
            ..answer(Value::Null)
        };
        assert_eq!(
            differences(&answer(json!(true)), &failed),
            [r#"answer: error {"code":600} instead of true"#]
        );
        let trapped = Behaviour {
            ending: Ending::Fault("the module trapped".into()),
            ..answer(Value::Null)
        };
        assert_eq!(
            differences(&failed, &trapped),
            [r#"answer: no answer (the module trapped) instead of error {"code":600}"#]
        );
    }

    #[test]
    fn only_the_last_bit_of_a_fraction_may_differ() {
        let third = 1.0 / 3.0;
        assert!(differences(&answer(json!(third)), &answer(json!(third + f64::EPSILON / 4.0))).is_empty());
        assert_eq!(differences(&answer(json!(2.33)), &answer(json!(2.34))).len(), 1);
        assert_eq!(differences(&answer(json!(1)), &answer(json!(1.0))).len(), 1);
    }

    #[test]
    fn writes_are_compared_key_by_key_and_rows_by_their_fields() {
        let expected = wrote(vec![
            ("a", b"gone", KeyWrite::Delete),
            ("a", b"row\x01", row(json!({"name": "x", "size": 1}))),
            ("b", b"n", KeyWrite::Add(1)),
        ]);
        let found = wrote(vec![
            ("a", b"row\x01", row(json!({"name": "y", "size": 1}))),
            ("b", b"n", KeyWrite::Add(2)),
            ("c", "新".as_bytes(), KeyWrite::Put(vec![0xff])),
        ]);
        assert_eq!(
            differences(&expected, &found),
            [
                "write a gone: nothing instead of delete",
                r#"write a row\x01.name: "y" instead of "x""#,
                "write b n: add 2 instead of add 1",
                r"write c 新: put \xff instead of nothing",
            ]
        );
    }

    #[test]
    fn values_that_mean_the_same_in_other_bytes_still_differ() {
        // One of them is written as a 16-bit number, so a reader of the bytes sees another value.
        let expected = wrote(vec![("t", b"k", KeyWrite::Put(vec![0x91, 0x01]))]);
        let found = wrote(vec![("t", b"k", KeyWrite::Put(vec![0x91, 0xcd, 0x00, 0x01]))]);
        assert_eq!(differences(&expected, &found).len(), 1);
    }

    #[test]
    fn effects_are_compared_in_their_order() {
        let delete = |hash: &str| Request::Change(CloudChange::DeleteBlob { hash: hash.into() });
        let expected = Behaviour {
            requests: vec![delete("a"), delete("b")],
            ..answer(Value::Null)
        };
        let found = Behaviour {
            requests: vec![delete("a"), delete("c")],
            ..answer(Value::Null)
        };
        assert_eq!(
            differences(&expected, &found),
            [r#"effects[1].Change.DeleteBlob.hash: "c" instead of "b""#]
        );
    }

    #[test]
    fn many_and_long_differences_are_cut() {
        let many = |n: i32| answer(Value::Array((0..100).map(|i| json!([i + n])).collect()));
        let lines = differences(&many(0), &many(1000));
        assert_eq!(lines.len(), MAX_LINES + 1);
        assert_eq!(lines[MAX_LINES], "and 80 differences more");
        let long = differences(&answer(json!("x".repeat(10_000))), &answer(json!("y".repeat(10_000))));
        assert!(long[0].chars().count() < 2 * MAX_CHARS + 40);
    }
}
