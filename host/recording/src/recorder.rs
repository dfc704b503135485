//! Recording live calls.
//!
//! A call is passed on when it has ended, and a thread of its own writes it. The queue between them
//! is bounded. A call that finds no room is dropped and counted.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use stowage_logic::{Logic, Observer};

use crate::line::Summary;
use crate::tap::Tap;
use crate::writer::{Bounds, Writer};

/// Why a recording did not begin or is not complete.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be created. It must not exist.
    #[error("{}: the recording cannot be created: {source}", path.display())]
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
    /// The thread that writes could not be started.
    #[error("the thread that writes the recording could not be started: {0}")]
    Thread(#[source] io::Error),
    /// The thread that writes panicked.
    #[error("the thread that writes the recording panicked")]
    Panicked,
}

/// A recording that goes on. If it is dropped, it stops, and calls that wait are still written.
#[derive(Debug)]
pub struct Recorder {
    tap: Arc<Tap>,
    path: PathBuf,
    writer: Option<JoinHandle<io::Result<Summary>>>,
}

impl Recorder {
    /// Begins a recording in a new file that only this user may read. It records calls of these
    /// methods, in any spelling, or of all if the list is empty. Nothing is recorded until the
    /// generation that serves has [`Recorder::observer`].
    ///
    /// # Errors
    /// When the file exists or cannot be created.
    pub fn start(path: &Path, logic: &Logic, methods: &[String], bounds: Bounds) -> Result<Recorder, RecordError> {
        let file = create(path).map_err(|source| RecordError::Create {
            path: path.to_owned(),
            source,
        })?;
        Recorder::start_in(file, path, logic, methods, bounds)
    }

    /// [`Recorder::start`] in a file that is open and empty. Errors name it `path`.
    ///
    /// # Errors
    /// When the header cannot be written or the thread cannot be started.
    pub fn start_in(
        file: File,
        path: &Path,
        logic: &Logic,
        methods: &[String],
        bounds: Bounds,
    ) -> Result<Recorder, RecordError> {
        let writer = Writer::begin(file, logic).map_err(|source| RecordError::Create {
            path: path.to_owned(),
            source,
        })?;
        let (tap, receiver) = Tap::new(methods);
        let thread = {
            let (logic, tap) = (logic.clone(), Arc::clone(&tap));
            std::thread::Builder::new().name("recorder".into()).spawn(move || {
                let written = writer.run(&logic, &tap, &receiver, bounds);
                // After an error, too: otherwise calls would go on to fill the queue.
                tap.close();
                written
            })
        };
        Ok(Recorder {
            tap,
            path: path.to_owned(),
            writer: Some(thread.map_err(RecordError::Thread)?),
        })
    }

    /// The observer of calls, for
    /// [`Generation::observed_by`](stowage_logic::Generation::observed_by).
    pub fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.tap) as Arc<dyn Observer>
    }

    /// Whether calls are still recorded. They are not after a bound was reached or a write failed.
    pub fn is_open(&self) -> bool {
        self.tap.is_open()
    }

    /// Calls recorded so far.
    pub fn calls(&self) -> u64 {
        self.tap.recorded()
    }

    /// Records no further call, writes those that wait, and returns what the file holds.
    ///
    /// # Errors
    /// When the file could not be written to its end.
    pub async fn stop(mut self) -> Result<Summary, RecordError> {
        self.tap.close();
        let Some(writer) = self.writer.take() else {
            return Ok(Summary::default());
        };
        let path = std::mem::take(&mut self.path);
        match tokio::task::spawn_blocking(move || writer.join()).await {
            Ok(Ok(written)) => written.map_err(|source| RecordError::Write { path, source }),
            Ok(Err(_)) | Err(_) => Err(RecordError::Panicked),
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.tap.close();
    }
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
