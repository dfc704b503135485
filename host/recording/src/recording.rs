//! A recording that is read line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use stowage_storage::CommitError;

use crate::line::{FORMAT, Line, MAX_LINE_BYTES};

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be read.
    #[error("the recording cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A later version of the program wrote it.
    #[error("the recording has format {found}, this program knows format {FORMAT}; update this program")]
    FormatTooNew {
        /// Its format.
        found: u32,
    },
    /// A line is not one of a recording.
    #[error("line {line}: {source}")]
    Line {
        /// Its number, counted from 1.
        line: u64,
        /// What is wrong with it.
        source: LineError,
    },
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The first line is another one, or is not a line of a recording.
    #[error("expected the header of a recording")]
    NoHeader(#[source] Option<Box<LineError>>),
    /// Another line than the first is a header.
    #[error("a second header; a recording has one")]
    SecondHeader,
    /// It is too long.
    #[error("it is longer than {} MiB", MAX_LINE_BYTES >> 20)]
    TooLong,
    /// It is not JSON of the expected shape.
    #[error("expected a line of a recording: {0}")]
    Json(#[from] serde_json::Error),
    /// What the call read cannot be written to the replay's store.
    #[error("what the call read cannot be stored: {0}")]
    Storage(#[from] stowage_storage::Error),
    /// What the call read cannot be committed to the replay's store.
    #[error("what the call read cannot be stored: {0}")]
    Commit(#[from] CommitError),
}

/// A recording that is being read.
#[derive(Debug)]
pub struct Recording<R> {
    source: R,
    line: u64,
    buffer: Vec<u8>,
    ended: bool,
}

impl Recording<BufReader<File>> {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// When it cannot be read, or is not a recording in a format that this version knows.
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
            line: 0,
            buffer: Vec::new(),
            ended: false,
        };
        let no_header = |source| RecordingError::Line {
            line: 1,
            source: LineError::NoHeader(source),
        };
        match recording.next_line() {
            Ok(Some(Line::Header(header))) if header.format > FORMAT => {
                Err(RecordingError::FormatTooNew { found: header.format })
            }
            Ok(Some(Line::Header(_))) => Ok(recording),
            Ok(_) => Err(no_header(None)),
            Err(RecordingError::Line { source, .. }) => Err(no_header(Some(Box::new(source)))),
            Err(error) => Err(error),
        }
    }

    /// The number of the line that was read last, counted from 1.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// Whether the end line was read. A recording without one was cut short.
    pub(crate) fn is_complete(&self) -> bool {
        self.ended
    }

    /// The next line, or none at the end. A last line that was not written completely is ignored.
    ///
    /// # Errors
    /// When the file cannot be read, or the line is not one of a recording.
    pub(crate) fn next_line(&mut self) -> Result<Option<Line>, RecordingError> {
        self.buffer.clear();
        let limit = MAX_LINE_BYTES as u64 + 1;
        (&mut self.source).take(limit).read_until(b'\n', &mut self.buffer)?;
        let Some(text) = self.buffer.strip_suffix(b"\n") else {
            if self.buffer.len() > MAX_LINE_BYTES {
                self.line += 1;
                return Err(self.error(LineError::TooLong));
            }
            return Ok(None);
        };
        self.line += 1;
        let line = serde_json::from_slice(text).map_err(|error| self.error(error.into()))?;
        self.ended |= matches!(line, Line::End(_));
        Ok(Some(line))
    }

    /// An error in the line that was read last.
    pub(crate) fn error(&self, source: LineError) -> RecordingError {
        RecordingError::Line {
            line: self.line,
            source,
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
    fn a_file_that_is_not_a_recording_is_refused() {
        for text in [
            "",
            "\n",
            "{}\n",
            "[]\n",
            HEADER,
            "{\"skipped\":{\"interface\":\"\",\"function\":\"\",\"reason\":\"\"}}\n",
        ] {
            assert!(
                matches!(read(text), Err(RecordingError::Line { line: 1, .. })),
                "{text}"
            );
        }
        let newer = HEADER.replace("\"format\":1", "\"format\":2") + "\n";
        assert!(matches!(read(&newer), Err(RecordingError::FormatTooNew { found: 2 })));
    }

    #[test]
    fn an_error_names_the_number_of_the_line() {
        let mut recording = read(&format!("{HEADER}\nnot JSON\n")).unwrap();
        match recording.next_line() {
            Err(RecordingError::Line { line: 2, .. }) => {}
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_recording_that_was_cut_short_is_read_up_to_there() {
        let mut recording = read(&format!("{HEADER}\n{{\"call\":{{\"mod")).unwrap();
        assert_eq!(recording.next_line().unwrap(), None);
        assert!(!recording.is_complete());
        let end = r#"{"end":{"calls":0,"skipped":0,"dropped":3,"bytes":60}}"#;
        let mut recording = read(&format!("{HEADER}\n{end}\n")).unwrap();
        assert!(matches!(recording.next_line(), Ok(Some(Line::End(summary))) if summary.dropped == 3));
        assert!(recording.is_complete());
    }
}
