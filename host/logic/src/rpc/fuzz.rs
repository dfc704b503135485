//! A property of every request, which fuzzers check.

use serde_json::Value;

use super::body;
use super::method_name::{MethodName, Unroutable, decode_path};

/// Reads a request as an answer does. The body is read as serde_json reads it, but for a byte order
/// mark, empty bodies and duplicate names.
///
/// # Panics
/// If it is read in another way, or is refused without a reason.
pub(crate) fn check_request(path: &str, body: &[u8]) {
    let by_serde = serde_json::from_slice::<Value>(body);
    let object = match (body::parse(body), by_serde) {
        (Ok(ours), Ok(theirs)) => {
            assert_eq!(ours, theirs);
            ours
        }
        (Err(ours), Ok(_)) => {
            assert!(ours.to_string().contains("comes twice"), "{ours}");
            return;
        }
        (Ok(ours), Err(_)) => {
            let is_empty = ours.as_object().is_some_and(serde_json::Map::is_empty);
            assert!(is_empty || body.starts_with(b"\xef\xbb\xbf"));
            ours
        }
        (Err(_), Err(_)) => return,
    };
    let Value::Object(object) = object else { return };
    let reason = match decode_path(path).map(|path| path.into_owned()) {
        Ok(path) => match MethodName::new(&path, &object) {
            Ok(name) => {
                assert!(!name.method.is_empty(), "{name}");
                return;
            }
            Err(reason) => reason,
        },
        Err(reason) => reason,
    };
    let (Unroutable::Parameter(message) | Unroutable::Unknown(message)) = reason;
    assert!(!message.is_empty());
}
