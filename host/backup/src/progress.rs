//! How far a backup or a restore is.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// What is done now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Looking at what is there.
    #[default]
    Preparing,
    /// Rows are stored, or restored.
    Rows,
    /// Files are stored, or restored.
    Files,
    /// What was stored or restored is compared.
    Checking,
    /// Older backups are removed.
    Pruning,
}

/// How far it is. The counts are of this run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// What is done now.
    pub phase: Phase,
    /// Rows so far.
    pub rows: u64,
    /// Bytes of their keys and values.
    pub row_bytes: u64,
    /// Files so far.
    pub files: u64,
    /// Their bytes.
    pub file_bytes: u64,
    /// Bytes that were sent to the store of the backups, or read from it.
    pub moved_bytes: u64,
}

/// Counts while a backup or a restore runs.
#[derive(Debug, Default)]
pub struct Progress {
    phase: Mutex<Phase>,
    rows: AtomicU64,
    row_bytes: AtomicU64,
    files: AtomicU64,
    file_bytes: AtomicU64,
    moved_bytes: AtomicU64,
}

impl Progress {
    pub(crate) fn begin(&self, phase: Phase) {
        *self.phase.lock() = phase;
    }

    pub(crate) fn add_rows(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.row_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn add_file(&self, bytes: u64) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.file_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn add_moved(&self, bytes: u64) {
        self.moved_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The counts now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            phase: *self.phase.lock(),
            rows: self.rows.load(Ordering::Relaxed),
            row_bytes: self.row_bytes.load(Ordering::Relaxed),
            files: self.files.load(Ordering::Relaxed),
            file_bytes: self.file_bytes.load(Ordering::Relaxed),
            moved_bytes: self.moved_bytes.load(Ordering::Relaxed),
        }
    }
}
