//! The handle of the deployer, and what it tells about the current state.

use std::sync::Arc;

use stowage_logic::Version;
use stowage_recording::Summary;

use super::api::{HistoryEntry, MigrationStatus, ModuleStatus, RecordRequest, RecordStatus};
use super::error::DeployError;
use super::history;
use super::recordings::RecordingsError;
use super::shared::{Shared, run_blocking};

/// Which modules serve, and how they are replaced. A cheap handle.
#[derive(Clone)]
pub struct Deployer(pub(crate) Arc<Shared>);

impl std::fmt::Debug for Deployer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deployer").finish_non_exhaustive()
    }
}

impl Deployer {
    /// Every live module, in load order.
    pub fn list(&self) -> Vec<ModuleStatus> {
        self.0.serving().statuses()
    }

    /// Whether a module of this name is live.
    pub fn is_live(&self, name: &str) -> bool {
        self.0.serving().module(name).is_some()
    }

    /// The number of the generation that serves.
    pub fn generation(&self) -> u64 {
        self.0.serving().set.generation
    }

    /// The running migration. Calls wait while it runs in several steps.
    pub fn migration(&self) -> Option<MigrationStatus> {
        self.0.migration().as_ref().map(|running| running.status.clone())
    }

    /// Name and version of modules that serve no more and still have calls in flight. Limits bound
    /// every call, and with it this list.
    pub fn draining(&self) -> Vec<(String, Version)> {
        self.0.serving().draining()
    }

    /// The history, newest first, at most `limit` entries.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn history(&self, limit: usize) -> Result<Vec<HistoryEntry>, DeployError> {
        let store = self.0.store.clone();
        run_blocking(move || {
            let mut entries = Vec::new();
            if limit > 0 {
                history::walk(&store, None, |entry| {
                    entries.push(HistoryEntry::from(entry));
                    entries.len() < limit
                })?;
            }
            Ok(entries)
        })
        .await
    }

    /// The recording that is being made, if any.
    pub fn recording(&self) -> Option<RecordStatus> {
        self.0.recordings.status()
    }

    /// Starts recording calls. Creating the file may block the calling thread for a moment.
    ///
    /// # Errors
    /// When a recording is being made already, or the file cannot be created.
    pub fn start_recording(&self, request: RecordRequest) -> Result<(), RecordingsError> {
        self.0.recordings.start(request)?;
        self.0.serve_again();
        Ok(())
    }

    /// Ends the recording and returns what its file holds.
    ///
    /// # Errors
    /// When no recording is being made, or the file could not be written to its end.
    pub async fn stop_recording(&self) -> Result<Summary, RecordingsError> {
        let summary = self.0.recordings.stop().await;
        self.0.serve_again();
        summary
    }
}
