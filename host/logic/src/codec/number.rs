//! JSON numbers, and strings that hold one, as integers and floats.

use serde_json::{Number, Value};

/// Longer texts are not taken for numbers.
const MAX_TEXT_BYTES: usize = 64;

/// Beyond 2^53 a float no longer tells neighbouring integers apart.
const MAX_EXACT_FLOAT: f64 = 9_007_199_254_740_992.0;

/// A whole number from `min` to `max`. It may be written as `3.0`, `"3"` or `3e0`.
///
/// # Errors
/// What was expected instead. The text is the same for everything that is no such number.
pub(super) fn integer(value: &Value, min: i128, max: i128) -> Result<i128, String> {
    let found = match value {
        Value::Number(n) => whole(n),
        Value::String(s) => parse(s).as_ref().and_then(whole),
        _ => None,
    };
    found
        .filter(|i| (min..=max).contains(i))
        .ok_or_else(|| format!("a whole number from {min} to {max}"))
}

/// A finite number. It may be written as a string.
pub(super) fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => n.as_f64(),
        Value::String(s) => parse(s).and_then(|n| n.as_f64()),
        _ => None,
    }
    .filter(|f| f.is_finite())
}

fn whole(n: &Number) -> Option<i128> {
    n.as_i64()
        .map(i128::from)
        .or_else(|| n.as_u64().map(i128::from))
        .or_else(|| {
            n.as_f64()
                .filter(|f| f.fract() == 0.0 && f.abs() <= MAX_EXACT_FLOAT)
                .map(|f| f as i128)
        })
}

/// A number in JSON's own grammar.
fn parse(s: &str) -> Option<Number> {
    if s.len() > MAX_TEXT_BYTES {
        return None;
    }
    serde_json::from_str(s.trim()).ok()
}
