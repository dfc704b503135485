//! Facts that only the network, the disk or the host's memory knows.
//!
//! No transaction waits for them. If a run asks for a fact that the call does not have, the host
//! ends the run, finds the fact out, and runs the call again with it.

use serde::{Deserialize, Serialize};

use super::effect::HIDDEN;
use crate::bindings::stowage::host::files::{FoundBlob, PrepareError, Prepared, Source};
use crate::bindings::stowage::host::tasks::{Filter, Task};

/// A question of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Question {
    /// Bring the local rows in line with the cloud space.
    Sync,
    /// Does this password open the blob?
    Password {
        /// The blob's hash in base58.
        hash: String,
        /// The password; absent counts as a wrong one.
        password: Option<String>,
    },
    /// How do the tasks of transfers stand?
    Tasks {
        /// Which tasks.
        filter: Filter,
        /// From the newest on.
        newest_first: bool,
        /// Tasks to leave out first.
        skip: u64,
        /// The most tasks.
        limit: u32,
    },
    /// What is the hash of this file, encrypted with this password?
    Prepare {
        /// Where its bytes come from.
        source: Source,
        /// The password to encrypt it with.
        password: Option<String>,
    },
    /// How large is this blob, and where is it?
    FindBlob {
        /// The blob's hash in base58.
        hash: String,
    },
}

impl Question {
    /// The answer to use when nobody gave one.
    pub fn unanswered(&self, why: &str) -> Answer {
        let failure = CloudFailure::Unreachable(why.to_owned());
        match self {
            Question::Sync => Answer::Sync(Err(failure)),
            Question::Password { .. } => Answer::Password(Err(failure)),
            Question::Tasks { .. } => Answer::Tasks(Vec::new()),
            Question::Prepare { .. } => Answer::Prepare(Err(PrepareError::Failed(why.to_owned()))),
            Question::FindBlob { .. } => Answer::FindBlob(Err(failure)),
        }
    }

    /// Its kind, in traces.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Question::Sync => "sync",
            Question::Password { .. } => "password",
            Question::Tasks { .. } => "tasks",
            Question::Prepare { .. } => "prepare",
            Question::FindBlob { .. } => "find-blob",
        }
    }

    /// What the question asks, without its password.
    pub fn subject(&self) -> String {
        match self {
            Question::Sync => "for a sync".to_owned(),
            Question::Password { hash, .. } => format!("whether a password opens {hash}"),
            Question::Tasks { .. } => "how the tasks stand".to_owned(),
            Question::Prepare { source, .. } => match source {
                Source::Path(path) => format!("to prepare the file {path}"),
                Source::Blob(blob) => format!("to prepare the blob {}", blob.hash),
            },
            Question::FindBlob { hash } => format!("where {hash} is"),
        }
    }

    /// The same question with its passwords hidden.
    #[must_use]
    pub fn without_passwords(mut self) -> Question {
        let hide = |password: &mut Option<String>| {
            if let Some(password) = password {
                HIDDEN.clone_into(password);
            }
        };
        match &mut self {
            Question::Password { password, .. } => hide(password),
            Question::Prepare { source, password } => {
                hide(password);
                if let Source::Blob(blob) = source {
                    hide(&mut blob.password);
                }
            }
            Question::Sync | Question::Tasks { .. } | Question::FindBlob { .. } => {}
        }
        self
    }
}

/// Why the cloud gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CloudFailure {
    /// The cloud cannot be reached, or refuses us.
    #[error("the cloud space is out of reach: {0}")]
    Unreachable(String),
    /// The cloud has no such object.
    #[error("the cloud space has no {0}")]
    Missing(String),
    /// An object does not follow the format.
    #[error("the cloud space is malformed: {0}")]
    Malformed(String),
}

/// What a sync did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncCounts {
    /// Segments fetched.
    pub segments: u32,
    /// Rows added or changed.
    pub upserts: u32,
    /// Rows removed.
    pub removals: u32,
    /// Lines left out.
    pub skipped: u32,
}

/// An answer to a [`Question`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// To [`Question::Sync`].
    Sync(Result<SyncCounts, CloudFailure>),
    /// To [`Question::Password`].
    Password(Result<bool, CloudFailure>),
    /// To [`Question::Tasks`].
    Tasks(Vec<Task>),
    /// To [`Question::Prepare`].
    Prepare(Result<Prepared, PrepareError>),
    /// To [`Question::FindBlob`]. Absent: there is no such blob.
    FindBlob(Result<Option<FoundBlob>, CloudFailure>),
}

/// The answers a call has so far.
#[derive(Clone, Debug, Default)]
pub struct Facts(Vec<(Question, Answer)>);

impl Facts {
    /// Questions that one call may ask.
    pub const MAX: usize = 8;

    /// The answer to a question, once it is known.
    pub fn get(&self, question: &Question) -> Option<&Answer> {
        self.0.iter().find(|(q, _)| q == question).map(|(_, a)| a)
    }

    /// Adds an answer.
    pub fn insert(&mut self, question: Question, answer: Answer) {
        self.0.push((question, answer));
    }

    /// All answers, in the order of their questions.
    pub fn iter(&self) -> impl Iterator<Item = &(Question, Answer)> {
        self.0.iter()
    }

    /// Whether nothing was asked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether no further question may be asked.
    pub fn is_full(&self) -> bool {
        self.0.len() >= Facts::MAX
    }
}
