//! The last lines about one module.

use std::collections::{BTreeMap, VecDeque};

use stowage_deploy::api::{LogLine, ModuleLog};

/// Most lines.
const MAX_LINES: usize = 1000;
/// Most bytes of texts.
const MAX_BYTES: usize = 256 << 10;
/// Most bytes of one text. A longer one is cut.
const MAX_TEXT_BYTES: usize = 8 << 10;

/// A line before it has a number.
#[derive(Debug, Clone)]
pub(super) struct NewLine {
    pub(super) at_ms: u64,
    pub(super) level: &'static str,
    pub(super) version: Option<String>,
    pub(super) message: String,
    pub(super) fields: BTreeMap<String, String>,
}

/// The last lines about one module, oldest first.
#[derive(Debug, Default)]
pub(super) struct Ring {
    lines: VecDeque<LogLine>,
    bytes: usize,
    /// The number of the last line; 0 for none.
    last: u64,
}

impl Ring {
    pub(super) fn push(&mut self, mut line: NewLine) {
        cut(&mut line.message);
        line.fields.values_mut().for_each(cut);
        self.last += 1;
        let line = LogLine {
            n: self.last,
            at: line.at_ms,
            level: line.level.to_owned(),
            version: line.version,
            message: line.message,
            fields: line.fields,
        };
        self.bytes += bytes(&line);
        self.lines.push_back(line);
        while self.lines.len() > MAX_LINES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= bytes(&oldest);
        }
    }

    /// When the last line was logged.
    pub(super) fn last_ms(&self) -> u64 {
        self.lines.back().map_or(0, |line| line.at)
    }

    /// The first `limit` lines after the number `after`, or the last `limit` lines. A number that
    /// no line has yet is of an earlier process: the lines begin again.
    pub(super) fn lines(&self, after: Option<u64>, limit: usize) -> ModuleLog {
        let from_start = after.map(|after| if after > self.last { 0 } else { after });
        let first_kept = self.lines.front().map_or(self.last + 1, |line| line.n);
        let lines: Vec<LogLine> = match from_start {
            Some(after) => {
                let later = self.lines.iter().filter(|line| line.n > after);
                later.take(limit).cloned().collect()
            }
            None => {
                let skipped = self.lines.len().saturating_sub(limit);
                self.lines.iter().skip(skipped).cloned().collect()
            }
        };
        let next = lines.last().map_or(from_start.unwrap_or(self.last), |line| line.n);
        ModuleLog {
            lines,
            next,
            dropped: (first_kept - 1).saturating_sub(from_start.unwrap_or(0)),
        }
    }
}

fn bytes(line: &LogLine) -> usize {
    let fields: usize = line.fields.iter().map(|(name, value)| name.len() + value.len()).sum();
    line.message.len() + line.version.as_ref().map_or(0, String::len) + fields
}

fn cut(text: &mut String) {
    if text.len() > MAX_TEXT_BYTES {
        let end = text.floor_char_boundary(MAX_TEXT_BYTES);
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(messages: impl IntoIterator<Item = String>) -> Ring {
        let mut ring = Ring::default();
        for (at_ms, message) in messages.into_iter().enumerate() {
            ring.push(NewLine {
                at_ms: at_ms as u64,
                level: "info",
                version: None,
                message,
                fields: BTreeMap::new(),
            });
        }
        ring
    }

    fn numbers(log: &ModuleLog) -> Vec<u64> {
        log.lines.iter().map(|line| line.n).collect()
    }

    #[test]
    fn lines_are_read_in_pages() {
        let ring = ring((1..=5).map(|n| n.to_string()));
        let last = ring.lines(None, 2);
        assert_eq!((numbers(&last), last.next, last.dropped), (vec![4, 5], 5, 0));
        let page = ring.lines(Some(1), 3);
        assert_eq!((numbers(&page), page.next), (vec![2, 3, 4], 4));
        let end = ring.lines(Some(5), 3);
        assert_eq!((numbers(&end), end.next, end.dropped), (vec![], 5, 0));
        let restarted = ring.lines(Some(900), 3);
        assert_eq!((numbers(&restarted), restarted.next), (vec![1, 2, 3], 3));
        let empty = Ring::default().lines(Some(0), 3);
        assert_eq!((numbers(&empty), empty.next, empty.dropped), (vec![], 0, 0));
    }

    #[test]
    fn old_lines_are_dropped_and_counted() {
        let many = ring((0..MAX_LINES + 10).map(|n| n.to_string()));
        assert_eq!(many.lines.len(), MAX_LINES);
        assert_eq!(many.lines(Some(4), 1).dropped, 6);
        assert_eq!(many.lines(Some(4), 1).lines[0].n, 11);
        let long = ring((0..100).map(|_| "é".repeat(MAX_TEXT_BYTES)));
        assert!(long.bytes <= MAX_BYTES);
        assert_eq!(long.bytes, long.lines.iter().map(bytes).sum::<usize>());
        assert!(long.lines.len() > 20 && long.lines.len() < 40, "{}", long.lines.len());
        assert_eq!(long.lines.back().expect("lines").message.chars().last(), Some('…'));
    }
}
