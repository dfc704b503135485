//! How a call ended.

use crate::codec::{Answer, Failure};
use crate::engine::limits::HOST_CALLS_USED;

/// What a function returned. Only `Ok` values, and those that cannot fail, have been committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its value as JSON; null where the function returns nothing.
    Done(Vec<u8>),
    /// The error it decided on; nothing of the call was kept.
    Failed(Failure),
}

impl Outcome {
    /// The code of an error that is a record with one.
    pub fn code(&self) -> Option<i32> {
        self.error().map(|(code, _)| code)
    }

    /// The code and message of an `error { code: s32, message: string }`.
    pub fn error(&self) -> Option<(i32, &str)> {
        match self {
            Outcome::Failed(failure) => failure.coded.as_ref().map(|(code, message)| (*code, message.as_str())),
            Outcome::Done(_) => None,
        }
    }
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Outcome {
        match answer {
            Answer::Value(json) => Outcome::Done(json),
            Answer::Error(failure) => Outcome::Failed(failure),
        }
    }
}

/// Why a call gave no outcome. Nothing of it was kept.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum CallError {
    #[error("the module trapped: {0}")]
    Trap(String),
    #[error("the module used more than its time on the processor")]
    CpuDeadline,
    #[error("the call took too long")]
    WallDeadline,
    #[error("the module went over its {0}")]
    Growth(&'static str),
    #[error("the call was refused: {0}")]
    Refused(String),
    #[error("other calls kept changing what this one read")]
    Contention,
    #[error("the instance could not be made: {0}")]
    Instantiate(String),
    #[error("storage failed: {0}")]
    Storage(String),
    #[error("too many calls take long at once")]
    Crowded,
    #[error("no module serves it")]
    NoRoute,
}

impl CallError {
    /// Whether the call had made as many host calls as it may.
    pub fn is_host_call_limit(&self) -> bool {
        matches!(self, CallError::Refused(reason) if reason == HOST_CALLS_USED)
    }

    /// Whether the module brought it about, rather than storage, the load, or the table.
    pub fn is_of_the_module(&self) -> bool {
        match self {
            CallError::Trap(_)
            | CallError::CpuDeadline
            | CallError::WallDeadline
            | CallError::Growth(_)
            | CallError::Refused(_)
            | CallError::Instantiate(_) => true,
            CallError::Contention | CallError::Storage(_) | CallError::Crowded | CallError::NoRoute => false,
        }
    }
}
