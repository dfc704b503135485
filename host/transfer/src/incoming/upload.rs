//! An upload that arrives in several pieces, as it is stored.

use serde::{Deserialize, Serialize};

/// An upload that arrives in several pieces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    pub(super) id: String,
    pub(super) metadata: String,
    pub(super) length: Option<u64>,
    pub(super) offset: u64,
    pub(super) protected: bool,
    pub(super) touched_ms: i64,
    pub(super) progress: Progress,
}

/// How far an upload is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    /// Its bytes arrive, or are all there but not stored yet.
    Receiving,
    /// A task uploads it.
    Stored {
        /// The task.
        task_id: String,
        /// Base58 of the SHA-256 of the stored bytes.
        hash: String,
    },
    /// The module did not take it.
    Refused {
        /// A code of the API.
        code: i32,
        /// What was wrong, for a person.
        message: String,
    },
}

impl Upload {
    /// Its identifier.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the client said about it, as it came.
    pub fn metadata(&self) -> &str {
        &self.metadata
    }

    /// All bytes, if the client has said how many.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Bytes that are durable, from the beginning.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether a password will protect it.
    pub fn protected(&self) -> bool {
        self.protected
    }

    /// How far it is.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Whether all bytes are there.
    pub fn is_complete(&self) -> bool {
        self.length == Some(self.offset)
    }

    /// When it was touched last, in milliseconds since the epoch.
    pub fn touched_ms(&self) -> i64 {
        self.touched_ms
    }
}
