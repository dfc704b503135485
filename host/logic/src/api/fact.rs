//! Facts that only the network knows.
//!
//! No transaction waits for the network. If a run asks for a fact that the call does not have, the
//! host ends the run, finds the fact out, and runs the call again with it.

use serde::{Deserialize, Serialize};

/// A question to the cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

impl Question {
    /// The answer to use when the cloud gave none.
    pub fn unanswered(&self, why: &str) -> CloudAnswer {
        let failure = CloudFailure::Unreachable(why.to_owned());
        match self {
            Question::Sync => CloudAnswer::Sync(Err(failure)),
            Question::Password { .. } => CloudAnswer::Password(Err(failure)),
        }
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CloudAnswer {
    /// To [`Question::Sync`].
    Sync(Result<SyncCounts, CloudFailure>),
    /// To [`Question::Password`].
    Password(Result<bool, CloudFailure>),
}

/// The answers a call has so far.
#[derive(Clone, Debug, Default)]
pub struct Facts(Vec<(Question, CloudAnswer)>);

impl Facts {
    /// Questions that one call may ask.
    pub const MAX: usize = 8;

    /// The answer to a question, once it is known.
    pub fn get(&self, question: &Question) -> Option<&CloudAnswer> {
        self.0.iter().find(|(q, _)| q == question).map(|(_, a)| a)
    }

    /// Adds an answer.
    pub fn insert(&mut self, question: Question, answer: CloudAnswer) {
        self.0.push((question, answer));
    }

    /// All answers, in the order of their questions.
    pub fn iter(&self) -> impl Iterator<Item = &(Question, CloudAnswer)> {
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
