//! The thread that writes a recording, and its file.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::sync::mpsc::Receiver;

use stowage_logic::{Logic, Moment, Observation};

use crate::capture::{Skip, capture, skipped};
use crate::line::{Header, Line, MAX_LINE_BYTES, Summary};
use crate::tap::Tap;

/// How much is recorded. At a bound the recording ends; it must still be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Calls.
    pub calls: u64,
    /// Bytes of the file. The last line may exceed it.
    pub bytes: u64,
}

impl Default for Bounds {
    /// Any number of calls, 1 GiB.
    fn default() -> Self {
        Bounds {
            calls: u64::MAX,
            bytes: 1 << 30,
        }
    }
}

/// A recording that is being written.
pub(crate) struct Writer {
    file: BufWriter<File>,
    /// A buffer for one line.
    line: Vec<u8>,
    summary: Summary,
}

impl Writer {
    /// Writes the header to an empty file.
    pub(crate) fn begin(file: File, logic: &Logic) -> io::Result<Writer> {
        let mut writer = Writer {
            file: BufWriter::new(file),
            line: Vec::new(),
            summary: Summary::default(),
        };
        writer.write(&Line::Header(Header::new(logic, Moment::now().now_ms)))?;
        Ok(writer)
    }

    /// Writes calls until the tap is closed or a bound is reached, then the end line.
    pub(crate) fn run(
        mut self,
        logic: &Logic,
        tap: &Tap,
        receiver: &Receiver<Observation>,
        bounds: Bounds,
    ) -> io::Result<Summary> {
        while let Ok(observation) = receiver.recv() {
            let line = capture(logic, &observation);
            tap.taken(&observation);
            // Writing does not need the snapshot any more.
            drop(observation);
            self.write_call(line)?;
            tap.set_recorded(self.summary.calls);
            if self.summary.calls >= bounds.calls || self.summary.bytes >= bounds.bytes {
                tap.close();
                break;
            }
        }
        self.summary.dropped = tap.dropped();
        let summary = self.summary;
        self.write(&Line::End(summary))?;
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        Ok(summary)
    }

    /// Writes the line of a call, or that it is left out because its line is too long.
    fn write_call(&mut self, line: Line) -> io::Result<()> {
        let is_written = self.write(&line)?;
        match line {
            Line::Call(_) if is_written => self.summary.calls += 1,
            Line::Call(call) => {
                self.summary.skipped += 1;
                self.write(&skipped(call.interface, call.function, &Skip::Line))?;
            }
            _ => self.summary.skipped += 1,
        }
        Ok(())
    }

    /// Writes a line. A line that is longer than a reader takes is not written: `false`.
    fn write(&mut self, line: &Line) -> io::Result<bool> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, line)?;
        self.line.push(b'\n');
        if self.line.len() > MAX_LINE_BYTES {
            self.line = Vec::new();
            return Ok(false);
        }
        self.file.write_all(&self.line)?;
        self.summary.bytes += self.line.len() as u64;
        Ok(true)
    }
}
