//! The headers that tell a client what a file is called and what it is.

use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What RFC 8187 allows in a value as it is: `attr-char`.
const ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The `Content-Disposition` of a file to save. The name is given in ASCII for old clients, and in
/// UTF-8 for the others.
pub(super) fn disposition(name: &str) -> HeaderValue {
    let name: String = name.chars().map(|c| if is_misleading(c) { '_' } else { c }).collect();
    let ascii: String = name
        .chars()
        .map(|c| {
            if c.is_ascii() && !matches!(c, '"' | '%') {
                c
            } else {
                '_'
            }
        })
        .collect();
    let encoded = utf8_percent_encode(&name, ATTR_CHAR);
    let value = format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}");
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("attachment"))
}

/// A character that has no place in a name: it ends a line, leads to another directory, or changes
/// the order in which the name is read.
fn is_misleading(c: char) -> bool {
    c.is_control()
        || matches!(c, '/' | '\\' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The content type of a name. Only types that no browser executes are given.
pub(super) fn content_type(name: &str) -> HeaderValue {
    let guessed = mime_guess::from_path(name).first_raw().unwrap_or_default();
    let harmless = match guessed.split_once('/') {
        Some(("audio" | "video" | "font", _)) => true,
        Some(("image", subtype)) => !subtype.contains("svg"),
        _ => matches!(
            guessed,
            "text/plain" | "text/csv" | "application/pdf" | "application/zip"
        ),
    };
    HeaderValue::from_static(if harmless { guessed } else { "application/octet-stream" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str) -> String {
        disposition(name).to_str().unwrap().to_owned()
    }

    #[test]
    fn any_name_makes_a_valid_header() {
        assert_eq!(
            shown("a b.txt"),
            "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt"
        );
        assert_eq!(
            shown("照片😀.jpg"),
            "attachment; filename=\"___.jpg\"; filename*=UTF-8''%E7%85%A7%E7%89%87%F0%9F%98%80.jpg"
        );
        assert_eq!(
            shown("a\"; filename=\"b.exe"),
            "attachment; filename=\"a_; filename=_b.exe\"; filename*=UTF-8''a%22%3B%20filename%3D%22b.exe"
        );
        assert_eq!(
            shown("a\r\nSet-Cookie: x"),
            "attachment; filename=\"a__Set-Cookie: x\"; filename*=UTF-8''a__Set-Cookie%3A%20x"
        );
        assert_eq!(
            shown("../etc\\passwd"),
            "attachment; filename=\".._etc_passwd\"; filename*=UTF-8''.._etc_passwd"
        );
        assert_eq!(
            shown("a\u{202e}gpj.exe"),
            "attachment; filename=\"a_gpj.exe\"; filename*=UTF-8''a_gpj.exe"
        );
        assert_eq!(shown("100%"), "attachment; filename=\"100_\"; filename*=UTF-8''100%25");
        assert_eq!(shown("é"), "attachment; filename=\"_\"; filename*=UTF-8''%C3%A9");
    }

    #[test]
    fn a_type_that_a_browser_executes_is_not_given() {
        for (name, expected) in [
            ("a.jpg", "image/jpeg"),
            ("a.MP4", "video/mp4"),
            ("a.txt", "text/plain"),
            ("a.pdf", "application/pdf"),
            ("a.html", "application/octet-stream"),
            ("a.svg", "application/octet-stream"),
            ("a.js", "application/octet-stream"),
            ("a.xml", "application/octet-stream"),
            ("a", "application/octet-stream"),
            ("我", "application/octet-stream"),
        ] {
            assert_eq!(content_type(name), expected, "{name}");
        }
    }
}
