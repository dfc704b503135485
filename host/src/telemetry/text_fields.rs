//! The message and the fields of an event in the text log.
//!
//! Others choose parts of them: a name in an error, the words of another server. So each character
//! that begins a line, steers a terminal or turns the order of a text is escaped. One event is one
//! line.

use std::fmt::{self, Write};

use tracing::field::Field;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

/// `message name=value name=value`.
pub(super) fn text_fields() -> impl for<'w> FormatFields<'w> + Send + Sync {
    debug_fn(write_field).delimited(" ")
}

fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let name = field.name();
    if name != "message" {
        match writer.has_ansi_escapes() {
            // The name in italics, its sign dimmed.
            true => write!(writer, "\u{1b}[3m{name}\u{1b}[0m\u{1b}[2m=\u{1b}[0m")?,
            false => write!(writer, "{name}=")?,
        }
    }
    write!(Escaping(writer), "{value:?}")
}

/// Escapes what passes through it.
struct Escaping<'a, 'w>(&'a mut Writer<'w>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| steers(*c)) {
            self.0.write_str(&rest[..at])?;
            write!(self.0, "{}", c.escape_default())?;
            rest = &rest[at + c.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}

fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::written::lines;

    #[test]
    fn an_event_is_one_line_whatever_its_texts_hold() {
        let forged = "a\r\n2026-01-01T00:00:00Z ERROR stowage: forged";
        let layer = || tracing_subscriber::fmt::layer().fmt_fields(text_fields());
        let work = || {
            let call = tracing::info_span!("call", name = forged);
            call.in_scope(|| tracing::warn!(error = %forged, rows = 3, "gone: {forged} 你好"));
            tracing::info!(?forged, "\u{1b}[2J\u{202e}x");
        };
        let lines = lines(layer(), work);
        let escaped = forged.replace("\r\n", "\\r\\n");
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(
            lines[0].ends_with(&format!("gone: {escaped} 你好 error={escaped} rows=3")),
            "{lines:?}"
        );
        assert!(lines[0].contains("call{name=\"a\\r\\n2026"), "{lines:?}");
        assert!(
            lines[1].ends_with(&format!("\\u{{1b}}[2J\\u{{202e}}x forged={forged:?}")),
            "{lines:?}"
        );
    }
}
