//! Text of others in the log: it must not steer a terminal, nor look like a line of the log.

/// A text on one line, without characters that control a terminal or turn the order of a text.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => c,
            '\n' => '|',
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            _ if c.is_control() => '\u{fffd}',
            _ => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_line_and_steers_nothing() {
        assert_eq!(printable("a\tb 你好"), "a\tb 你好");
        assert_eq!(printable("a\nFAKE LINE"), "a|FAKE LINE");
        assert_eq!(
            printable("\u{1b}[2J\u{7}\u{9b}\u{202e}x"),
            "\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}x"
        );
    }
}
