//! The one recording that a server may be making, for the admin API.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use stowage_logic::{Generation, Logic};
use stowage_recording::{Bounds, RecordError, Recorder, Summary};

use super::api::{RecordRequest, RecordStatus};

/// Why a recording cannot be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum RecordingsError {
    /// One is going on.
    #[error("a recording to {} goes on: stop it first", file.display())]
    Busy {
        /// Its file.
        file: PathBuf,
    },
    /// None is going on.
    #[error("no recording goes on")]
    None,
    /// The file's path depends on where the server was started.
    #[error("file: expected an absolute path, not {}", file.display())]
    Relative {
        /// The path.
        file: PathBuf,
    },
    /// The file cannot be made or written.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// The recording of a server. It sees the calls of a generation that went through [`Recordings::observe`]: after
/// [`Recordings::start`] and [`Recordings::stop`] the table that serves is to be published again.
#[derive(Debug)]
pub struct Recordings {
    logic: Logic,
    current: Mutex<Option<(PathBuf, Recorder)>>,
}

impl Recordings {
    /// No recording yet, of the calls of `logic`.
    pub fn new(logic: Logic) -> Recordings {
        Recordings {
            logic,
            current: Mutex::new(None),
        }
    }

    /// Begins one. It makes a file, which may block for a moment.
    ///
    /// # Errors
    /// When one goes on, or the file cannot be made.
    pub fn start(&self, request: RecordRequest) -> Result<(), RecordingsError> {
        let RecordRequest {
            file,
            methods,
            calls,
            bytes,
        } = request;
        if !file.is_absolute() {
            return Err(RecordingsError::Relative { file });
        }
        let mut current = self.lock();
        if let Some((file, _)) = &*current {
            return Err(RecordingsError::Busy { file: file.clone() });
        }
        let default = Bounds::default();
        let bounds = Bounds {
            calls: calls.unwrap_or(default.calls),
            bytes: bytes.unwrap_or(default.bytes),
        };
        let recorder = Recorder::start(&file, &self.logic, &methods, bounds)?;
        *current = Some((file, recorder));
        Ok(())
    }

    /// The one that goes on.
    pub fn status(&self) -> Option<RecordStatus> {
        self.lock().as_ref().map(|(file, recorder)| RecordStatus {
            file: file.clone(),
            open: recorder.is_open(),
            calls: recorder.calls(),
        })
    }

    /// Ends it, and says what the file holds.
    ///
    /// # Errors
    /// When none goes on, or the file could not be written to its end.
    pub async fn stop(&self) -> Result<Summary, RecordingsError> {
        let current = self.lock().take();
        let (_, recorder) = current.ok_or(RecordingsError::None)?;
        Ok(recorder.stop().await?)
    }

    /// The table with the recording looking on, if one goes on.
    #[must_use]
    pub fn observe(&self, generation: Generation) -> Generation {
        match &*self.lock() {
            Some((_, recorder)) => generation.observed_on_every_version(&recorder.observer()),
            None => generation,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<(PathBuf, Recorder)>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
