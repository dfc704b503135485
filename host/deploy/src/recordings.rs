//! The recording of calls that the admin API starts and stops. A server makes one at a time.

use std::path::PathBuf;

use parking_lot::Mutex;
use stowage_logic::{Generation, Logic};
use stowage_recording::{Bounds, RecordError, Recorder, Summary};

use super::api::{RecordRequest, RecordStatus};

/// Why a recording cannot be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum RecordingsError {
    /// A recording is being made already.
    #[error("a recording to {} is being made already; stop it first", file.display())]
    Busy {
        /// Its file.
        file: PathBuf,
    },
    /// No recording is being made.
    #[error("no recording is being made")]
    None,
    /// The path of the file is relative: its meaning depends on where the server was started.
    #[error("file: expected an absolute path, not {}", file.display())]
    Relative {
        /// The path.
        file: PathBuf,
    },
    /// The file cannot be created or written.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// The recording of a server. It sees the calls of generations that went through
/// [`Recordings::observe`]. Publish the generation again after [`Recordings::start`] and
/// [`Recordings::stop`].
#[derive(Debug)]
pub struct Recordings {
    logic: Logic,
    current: Mutex<Option<(PathBuf, Recorder)>>,
}

impl Recordings {
    /// For the calls of `logic`; no recording is being made.
    pub fn new(logic: Logic) -> Recordings {
        Recordings {
            logic,
            current: Mutex::new(None),
        }
    }

    /// Starts a recording. Creating the file may block for a moment.
    ///
    /// # Errors
    /// When a recording is being made already, or the file cannot be created.
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
        let mut current = self.current.lock();
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

    /// The recording that is being made.
    pub fn status(&self) -> Option<RecordStatus> {
        self.current.lock().as_ref().map(|(file, recorder)| RecordStatus {
            file: file.clone(),
            open: recorder.is_open(),
            calls: recorder.calls(),
        })
    }

    /// Ends the recording and returns what the file holds.
    ///
    /// # Errors
    /// When no recording is being made, or the file could not be written to its end.
    pub async fn stop(&self) -> Result<Summary, RecordingsError> {
        let current = self.current.lock().take();
        let (_, recorder) = current.ok_or(RecordingsError::None)?;
        Ok(recorder.stop().await?)
    }

    /// The generation with the recording as its observer, if one is being made.
    #[must_use]
    pub fn observe(&self, generation: Generation) -> Generation {
        match &*self.current.lock() {
            Some((_, recorder)) => generation.observed_on_every_version(&recorder.observer()),
            None => generation,
        }
    }
}
