//! The JSON of a message.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::kind::Kind;

/// The used parts of a message's JSON. Clients write different fields, so unknown ones are ignored.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Message {
    /// The text of a text message.
    pub text: Option<String>,
    /// The thumbnail's address, or empty.
    pub thumb: String,
    /// The kind of the message, if it can be told.
    pub kind: Option<Kind>,
}

impl Message {
    /// Reads `msgContent`. A text that is not a JSON object, or is nested deeper than 128 levels,
    /// is an empty message.
    pub fn parse(content: &str) -> Self {
        let Ok(mut fields) = serde_json::from_str::<BTreeMap<String, Value>>(content) else {
            return Self::default();
        };
        let kind = kind_of(&fields);
        let mut take = |name: &str| match fields.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        Self {
            text: take("text"),
            thumb: take("thumb").unwrap_or_default(),
            kind,
        }
    }
}

fn kind_of(fields: &BTreeMap<String, Value>) -> Option<Kind> {
    let any = |prefixes: &[&str]| fields.iter().any(|(name, value)| carries(name, value, prefixes));
    if fields.get("imageInfoArray").is_some_and(Value::is_array) || any(&["video", "snapshot"]) {
        Some(Kind::Media)
    } else if fields.get("text").is_some_and(Value::is_string) {
        Some(Kind::Text)
    } else if any(&["voice", "audio", "sound"]) {
        Some(Kind::Voice)
    } else {
        None
    }
}

/// Whether a field belongs to a media type with one of these prefixes: by its name (`videoUrl`,
/// `soundElem`), or by its value if the field names a type (`"mimeType": "video/mp4"`).
fn carries(name: &str, value: &Value, prefixes: &[&str]) -> bool {
    let present = match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    };
    let begins = |text: &str| {
        let text = text.as_bytes();
        prefixes.iter().any(|prefix| {
            text.get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
        })
    };
    let is_type = ["type", "mimeType", "contentType", "fileType"].contains(&name);
    present && (begins(name) || (is_type && value.as_str().is_some_and(begins)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(content: &str) -> Option<Kind> {
        Message::parse(content).kind
    }

    #[test]
    fn the_kind_comes_from_the_fields_of_the_message() {
        assert_eq!(
            kind(r#"{"imageFormat":255,"imageInfoArray":[{"type":1}]}"#),
            Some(Kind::Media)
        );
        assert_eq!(kind(r#"{"videoUrl":"x","text":"caption"}"#), Some(Kind::Media));
        assert_eq!(kind(r#"{"mimeType":"video/mp4"}"#), Some(Kind::Media));
        assert_eq!(kind(r#"{"text":"123123"}"#), Some(Kind::Text));
        assert_eq!(kind(r#"{"soundElem":{"duration":3}}"#), Some(Kind::Voice));
        assert_eq!(kind(r#"{"voicePath":"a"}"#), Some(Kind::Voice));
        assert_eq!(kind(r#"{"type":"audio"}"#), Some(Kind::Voice));
    }

    #[test]
    fn a_message_without_a_known_field_has_no_kind() {
        for content in [
            "",
            "null",
            "[]",
            "not json",
            r#"{"fileName":"a"}"#,
            r#"{"text":null}"#,
            r#"{"video":null,"voice":""}"#,
        ] {
            assert_eq!(kind(content), None, "{content}");
        }
    }

    #[test]
    fn a_deeply_nested_message_is_an_empty_one() {
        let content = format!(
            "{{\"text\":\"a\",\"x\":{}{}}}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert_eq!(Message::parse(&content), Message::default());
    }

    #[test]
    fn the_text_and_the_thumbnail_are_found() {
        let message = Message::parse(r#"{"text":"你好\u0000","thumb":"5Csu-0ec8"}"#);
        assert_eq!(message.text.as_deref(), Some("你好\0"));
        assert_eq!(message.thumb, "5Csu-0ec8");
    }
}
