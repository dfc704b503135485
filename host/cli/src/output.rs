//! Writes to stdout, which may be closed at any time, and makes foreign text safe for a terminal.

use std::io::{self, Write};

/// Writes a line to stdout and flushes it. Returns `false` if stdout is closed (`| head`), which is
/// no error.
///
/// # Errors
/// Any other failure to write.
pub fn line(text: &str) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let written = out
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// A text that cannot control a terminal: control characters and bidirectional overrides become
/// `?`.
///
/// Other people choose file names.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            let steers = c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if steers { '?' } else { c }
        })
        .collect()
}

/// Indents JSON by two spaces a level. The order of members and the form of numbers stay. The
/// result for other texts is unspecified.
#[must_use]
pub(crate) fn indented(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut is_escaped = false;
    let mut chars = json.chars().filter(|c| *c != '\r' && *c != '\n').peekable();
    while let Some(c) = chars.next() {
        if in_string {
            text.push(c);
            in_string = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
            continue;
        }
        let new_line = |text: &mut String, depth: usize| {
            text.push('\n');
            text.extend(std::iter::repeat_n("  ", depth));
        };
        match c {
            ' ' | '\t' => {}
            '{' | '[' => {
                text.push(c);
                while chars.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
                match chars.next_if(|c| matches!(c, '}' | ']')) {
                    Some(end) => text.push(end),
                    None => {
                        depth += 1;
                        new_line(&mut text, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut text, depth);
                text.push(c);
            }
            ',' => {
                text.push(c);
                new_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            _ => {
                in_string = c == '"';
                text.push(c);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_and_otherwise_stays_as_it_is() {
        let text = r#"{"z":[1.0,{"b":"a, \"{[:\\","a":{}}],"y" : [ ],"x":null,"数":-1e400}"#;
        let expected = "{\n  \"z\": [\n    1.0,\n    {\n      \"b\": \"a, \\\"{[:\\\\\",\n      \"a\": {}\n    }\n  ],\n  \"y\": [],\n  \"x\": null,\n  \"数\": -1e400\n}";
        assert_eq!(indented(text), expected);
        assert_eq!(indented(&indented(text)), expected);
        for value in [serde_json::json!([[], [[1], {"a": [{}]}], "\n"]), serde_json::json!(7)] {
            assert_eq!(
                indented(&value.to_string()),
                serde_json::to_string_pretty(&value).expect("a value")
            );
        }
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\r\n照片\u{202e}gpj.exe"), "a?[2Jb??照片?gpj.exe");
    }
}
