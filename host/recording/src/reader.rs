//! Reading a recording, a line at a time.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use crate::format::{FORMAT, Header, Line};

/// A longer line is no line of a recording.
pub(crate) const MOST_LINE_BYTES: usize = 16 << 20;

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be read.
    #[error("the recording cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The first line is no header.
    #[error("line 1: expected the header of a recording: {0}")]
    NoHeader(String),
    /// A later version wrote it.
    #[error("the recording has format {found}, and this version reads {FORMAT}")]
    FormatTooNew {
        /// Its format.
        found: u32,
    },
    /// A line is none of a recording.
    #[error("line {line}: {reason}")]
    Line {
        /// Its number, counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// A recording that is being read.
#[derive(Debug)]
pub struct Recording<R> {
    source: R,
    header: Header,
    line: u64,
    buffer: Vec<u8>,
    ended: bool,
}

impl Recording<BufReader<File>> {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// When it cannot be read or is no recording of a format that this version knows.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        Recording::new(BufReader::new(File::open(path)?))
    }
}

impl<R: BufRead> Recording<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// As [`Recording::open`].
    pub fn new(source: R) -> Result<Self, RecordingError> {
        let mut recording = Recording {
            source,
            header: Header {
                format: FORMAT,
                started_ms: 0,
                modules: Vec::new(),
            },
            line: 0,
            buffer: Vec::new(),
            ended: false,
        };
        match recording.next_line() {
            Ok(Some(Line::Header(header))) if header.format > FORMAT => {
                Err(RecordingError::FormatTooNew { found: header.format })
            }
            Ok(Some(Line::Header(header))) => {
                recording.header = header;
                Ok(recording)
            }
            Ok(Some(_)) => Err(RecordingError::NoHeader("another line".into())),
            Ok(None) => Err(RecordingError::NoHeader("the file ends".into())),
            Err(RecordingError::Line { reason, .. }) => Err(RecordingError::NoHeader(reason)),
            Err(error) => Err(error),
        }
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The number of the line that was read last, counted from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Whether the end line was read: a recording without one was cut short.
    pub fn is_complete(&self) -> bool {
        self.ended
    }

    /// The next line; none at the end. A last line that was not written to its end is left aside.
    ///
    /// # Errors
    /// When the file cannot be read, or a line is none of a recording.
    pub fn next_line(&mut self) -> Result<Option<Line>, RecordingError> {
        self.buffer.clear();
        let most = MOST_LINE_BYTES as u64 + 1;
        (&mut self.source).take(most).read_until(b'\n', &mut self.buffer)?;
        let Some(text) = self.buffer.strip_suffix(b"\n") else {
            if self.buffer.len() > MOST_LINE_BYTES {
                return Err(self.wrong(format!("it is longer than {} MiB", MOST_LINE_BYTES >> 20)));
            }
            return Ok(None);
        };
        self.line += 1;
        match serde_json::from_slice(text) {
            Ok(line) => {
                self.ended |= matches!(line, Line::End(_));
                Ok(Some(line))
            }
            Err(error) => {
                self.line -= 1;
                Err(self.wrong(format!("expected a line of a recording: {error}")))
            }
        }
    }

    fn wrong(&self, reason: String) -> RecordingError {
        RecordingError::Line {
            line: self.line + 1,
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const HEADER: &str = r#"{"header":{"format":1,"startedMs":0,"modules":[]}}"#;

    fn read(text: &str) -> Result<Recording<Cursor<String>>, RecordingError> {
        Recording::new(Cursor::new(text.to_owned()))
    }

    #[test]
    fn what_is_no_recording_is_refused_with_the_reason() {
        for text in [
            "",
            "\n",
            "{}\n",
            "[]\n",
            HEADER,
            "{\"skipped\":{\"interface\":\"\",\"function\":\"\",\"reason\":\"\"}}\n",
        ] {
            assert!(matches!(read(text), Err(RecordingError::NoHeader(_))), "{text}");
        }
        let newer = HEADER.replace("\"format\":1", "\"format\":2") + "\n";
        assert!(matches!(read(&newer), Err(RecordingError::FormatTooNew { found: 2 })));
    }

    #[test]
    fn a_wrong_line_is_named_by_its_number() {
        let mut recording = read(&format!("{HEADER}\nnot JSON\n")).unwrap();
        match recording.next_line() {
            Err(RecordingError::Line { line: 2, .. }) => {}
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_recording_that_was_cut_short_is_read_as_far_as_it_goes() {
        let mut recording = read(&format!("{HEADER}\n{{\"call\":{{\"mod")).unwrap();
        assert_eq!(recording.next_line().unwrap(), None);
        assert!(!recording.is_complete());
        let end = r#"{"end":{"calls":0,"skipped":0,"dropped":3,"bytes":60}}"#;
        let mut recording = read(&format!("{HEADER}\n{end}\n")).unwrap();
        assert!(matches!(recording.next_line(), Ok(Some(Line::End(summary))) if summary.dropped == 3));
        assert!(recording.is_complete());
    }
}
