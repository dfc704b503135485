//! What fuzzers call in this crate: recordings that somebody gives to a replay.
//!
//! A target takes any bytes. It panics if a property of the code is violated. docs/fuzzing.md lists
//! all targets of the project.

use std::io::Cursor;

use serde_json::Value;

use crate::line::Line;
use crate::recording::{LineError, Recording, RecordingError};

/// A recording: its lines are read up to the first that is none. What was read can be written and
/// is read again as the same.
pub fn recording(data: &[u8]) {
    let mut recording = match Recording::new(Cursor::new(data)) {
        Ok(recording) => recording,
        Err(error) => return check(&error, 1),
    };
    let lines = data.split(|byte| *byte == b'\n').count() as u64;
    loop {
        match recording.next_line() {
            Ok(Some(line)) => {
                assert!(recording.line() <= lines);
                let text = serde_json::to_vec(&line).expect("memory takes it");
                let again: Line = serde_json::from_slice(&text).expect("what was written is read");
                assert!(same(&again, &line), "{again:?} was {line:?}");
            }
            Ok(None) => return,
            Err(error) => return check(&error, recording.line()),
        }
    }
}

/// Whether two lines are the same. A number with a fraction may differ in its last digit:
/// serde_json is fast there, and not exact.
fn same(one: &Line, other: &Line) -> bool {
    let value = |line: &Line| serde_json::to_value(line).expect("memory takes it");
    one == other || same_value(&value(one), &value(other))
}

fn same_value(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same_value(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let is_same = |(name, value)| other.get(name).is_some_and(|other| same_value(value, other));
            one.len() == other.len() && one.iter().all(is_same)
        }
        (Value::Number(one), Value::Number(other)) if one.is_f64() && other.is_f64() => {
            let (one, other) = (one.as_f64().unwrap_or_default(), other.as_f64().unwrap_or_default());
            (one - other).abs() <= one.abs() * 4.0 * f64::EPSILON
        }
        _ => one == other,
    }
}

/// An error names its line.
fn check(error: &RecordingError, expected: u64) {
    match error {
        RecordingError::Line { line, source } => {
            assert_eq!(*line, expected);
            assert!(!matches!(source, LineError::TooLong) || expected > 0);
        }
        RecordingError::FormatTooNew { found } => assert!(*found > crate::FORMAT),
        RecordingError::Io(error) => panic!("memory can be read: {error}"),
    }
}
