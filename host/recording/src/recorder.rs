//! Writing live calls down while they go on.
//!
//! A call is handed over when it has ended and is written by a thread of its own, which reads the snapshot again. What waits for it is
//! bounded; a call that finds no room is dropped and counted.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};
use stowage_logic::codec::fold_name;
use stowage_logic::{Function, Logic, Moment, Observation, Observer};
use stowage_storage::KeyWrite;

use crate::capture::{Skip, capture};
use crate::format::{FORMAT, Header, Line, ModuleVersion, Skipped};
use crate::reader::MOST_LINE_BYTES;

/// Calls that wait to be written. Each keeps its snapshot, whose space in the database is not used again meanwhile.
const MOST_WAITING: usize = 256;
/// Bytes that the writes of waiting calls take.
const MOST_WAITING_BYTES: u64 = 64 << 20;

/// How much is recorded; then the recording ends by itself, and waits to be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Calls.
    pub calls: u64,
    /// Bytes of the file; a line may go over it.
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

/// What a recording holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Calls that were recorded.
    pub calls: u64,
    /// Calls that were left out because they are too large or do not fit into JSON.
    pub skipped: u64,
    /// Calls that were left out because too many waited to be written.
    pub dropped: u64,
    /// Bytes of the file, the end line not counted.
    pub bytes: u64,
}

/// Why a recording did not begin or is not whole.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be made: it must not exist.
    #[error("{}: the recording cannot be made: {source}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file could not be written to its end. What was written before can be replayed.
    #[error("{}: the recording was cut short: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The thread that writes could not be started, or ended by a panic.
    #[error("the thread that writes the recording: {0}")]
    Thread(String),
}

/// A recording that goes on. Dropped, it stops, and the file ends with what waited.
#[derive(Debug)]
pub struct Recorder {
    tap: Arc<Tap>,
    path: PathBuf,
    writer: Option<JoinHandle<io::Result<Summary>>>,
}

/// Where calls come in.
#[derive(Debug)]
struct Tap {
    /// Folded names; empty means every function.
    methods: Vec<String>,
    open: AtomicBool,
    waiting_bytes: AtomicU64,
    dropped: AtomicU64,
    calls: AtomicU64,
    /// Absent once the recording is stopped.
    queue: Mutex<Option<SyncSender<Observation>>>,
}

impl Recorder {
    /// Begins a recording in a new file, which only this user may read, of calls of these methods, however they are written; of all where
    /// none is named. Nothing is recorded until [`Recorder::observer`] looks on at the generation that serves.
    ///
    /// # Errors
    /// When the file exists or cannot be made.
    pub fn start(path: &Path, logic: &Logic, methods: &[String], bounds: Bounds) -> Result<Recorder, RecordError> {
        let file = create(path).map_err(|source| RecordError::Create {
            path: path.to_owned(),
            source,
        })?;
        Recorder::start_in(file, path, logic, methods, bounds)
    }

    /// [`Recorder::start`] in a file that is open and empty; errors name it `path`.
    ///
    /// # Errors
    /// When there is no thread to write it.
    pub fn start_in(
        file: File,
        path: &Path,
        logic: &Logic,
        methods: &[String],
        bounds: Bounds,
    ) -> Result<Recorder, RecordError> {
        let file = Output::begin(file, logic).map_err(|source| RecordError::Create {
            path: path.to_owned(),
            source,
        })?;
        let (sender, receiver) = mpsc::sync_channel(MOST_WAITING);
        let tap = Arc::new(Tap {
            methods: methods.iter().map(|method| fold_name(method)).collect(),
            open: AtomicBool::new(true),
            waiting_bytes: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            queue: Mutex::new(Some(sender)),
        });
        let writer = {
            let (logic, tap) = (logic.clone(), Arc::clone(&tap));
            std::thread::Builder::new()
                .name("recorder".into())
                .spawn(move || {
                    let written = write(file, &logic, &tap, &receiver, bounds);
                    // Whatever ended it, no call waits for it any more.
                    tap.close();
                    written
                })
                .map_err(|error| RecordError::Thread(error.to_string()))?
        };
        Ok(Recorder {
            tap,
            path: path.to_owned(),
            writer: Some(writer),
        })
    }

    /// Who looks on at calls, for [`Generation::observed_by`](stowage_logic::Generation::observed_by).
    pub fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.tap) as Arc<dyn Observer>
    }

    /// Whether calls are still recorded: not after a bound was reached or the file could not be written.
    pub fn is_open(&self) -> bool {
        self.tap.open.load(Ordering::Relaxed)
    }

    /// Calls recorded so far.
    pub fn calls(&self) -> u64 {
        self.tap.calls.load(Ordering::Relaxed)
    }

    /// Records no further call, writes those that wait, and says what the file holds.
    ///
    /// # Errors
    /// When the file could not be written to its end.
    pub async fn stop(mut self) -> Result<Summary, RecordError> {
        self.tap.close();
        let Some(writer) = self.writer.take() else {
            return Ok(Summary::default());
        };
        let path = std::mem::take(&mut self.path);
        let joined = tokio::task::spawn_blocking(move || writer.join()).await;
        match joined {
            Ok(Ok(written)) => written.map_err(|source| RecordError::Write { path, source }),
            Ok(Err(_)) => Err(RecordError::Thread("it panicked".into())),
            Err(error) => Err(RecordError::Thread(error.to_string())),
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.tap.close();
    }
}

impl Tap {
    fn close(&self) {
        self.open.store(false, Ordering::Relaxed);
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Observer for Tap {
    fn wants(&self, function: &Function) -> bool {
        self.open.load(Ordering::Relaxed)
            && (self.methods.is_empty() || self.methods.contains(&fold_name(&function.export().function)))
    }

    fn observed(&self, observation: Observation) {
        let bytes = written_bytes(&observation);
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else { return };
        let waiting = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        if waiting.saturating_add(bytes) > MOST_WAITING_BYTES || queue.try_send(observation).is_err() {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn written_bytes(observation: &Observation) -> u64 {
    let writes = observation.footprint.writes.iter();
    writes
        .map(|(_, key, change)| {
            key.len() as u64
                + match change {
                    KeyWrite::Put(value) => value.len() as u64,
                    _ => 8,
                }
        })
        .sum()
}

fn header(logic: &Logic) -> Header {
    Header {
        format: FORMAT,
        started_ms: Moment::now().now_ms,
        modules: logic
            .generation()
            .modules()
            .iter()
            .map(|module| ModuleVersion {
                name: module.name.to_string(),
                version: format!("{:#}", module.version),
            })
            .collect(),
    }
}

/// Writes calls until the tap is closed or a bound is reached, then the end line.
fn write(
    mut file: Output,
    logic: &Logic,
    tap: &Tap,
    receiver: &Receiver<Observation>,
    bounds: Bounds,
) -> io::Result<Summary> {
    let mut summary = Summary::default();
    while let Ok(observation) = receiver.recv() {
        let bytes = written_bytes(&observation);
        let captured = capture(logic, &observation).map(Box::new);
        let export = observation.function.export();
        let interface = format!("{}/{}", export.interface.package, export.interface.interface);
        let function = export.function.clone();
        // The snapshot is let go before the line is written.
        drop(observation);
        tap.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        let skipped = match captured {
            Ok(call) => match file.line(&Line::Call(call))? {
                true => {
                    summary.calls += 1;
                    tap.calls.store(summary.calls, Ordering::Relaxed);
                    None
                }
                false => Some(Skip::Line),
            },
            Err(skip) => Some(skip),
        };
        if let Some(skip) = skipped {
            summary.skipped += 1;
            file.line(&Line::Skipped(Skipped {
                interface,
                function,
                reason: skip.to_string(),
            }))?;
        }
        if summary.calls >= bounds.calls || file.bytes >= bounds.bytes {
            tap.close();
            break;
        }
    }
    summary.dropped = tap.dropped.load(Ordering::Relaxed);
    summary.bytes = file.bytes;
    file.line(&Line::End(summary))?;
    file.finish()?;
    Ok(summary)
}

/// The file, and how long it is.
struct Output {
    file: BufWriter<File>,
    bytes: u64,
    line: Vec<u8>,
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

impl Output {
    /// Writes the header.
    fn begin(file: File, logic: &Logic) -> io::Result<Output> {
        let mut output = Output {
            file: BufWriter::new(file),
            bytes: 0,
            line: Vec::new(),
        };
        output.line(&Line::Header(header(logic)))?;
        Ok(output)
    }

    /// Writes a line; `false` where it is longer than a reader takes, and then nothing.
    fn line(&mut self, line: &Line) -> io::Result<bool> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, line)?;
        self.line.push(b'\n');
        if self.line.len() > MOST_LINE_BYTES {
            self.line = Vec::new();
            return Ok(false);
        }
        self.file.write_all(&self.line)?;
        self.bytes += self.line.len() as u64;
        Ok(true)
    }

    fn finish(mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()
    }
}
