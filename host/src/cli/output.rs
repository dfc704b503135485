//! Writing to stdout, where the reader may leave at any time, and showing foreign text on a terminal.

use std::io::{self, Write};

/// Writes a line to stdout and flushes it. `false` when whoever read it has gone (`| head`), which is no error.
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

/// A text without what could steer a terminal: control characters and bidirectional overrides become `?`.
///
/// File names come from other people.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            let steers = c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if steers { '?' } else { c }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\r\n照片\u{202e}gpj.exe"), "a?[2Jb??照片?gpj.exe");
    }
}
