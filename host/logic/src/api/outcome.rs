//! What a function returned.

use crate::codec::{Failure, ReturnValue};

/// What a function returned. A value is committed; an error is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its value as JSON; null where the function returns nothing.
    Done(Vec<u8>),
    /// The error it decided on. Nothing of the call is kept.
    Failed(Failure),
}

impl Outcome {
    /// The code of an error that is a record with a code.
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

    /// The outcome as text for a person.
    pub(crate) fn describe(&self) -> String {
        match (self, self.error()) {
            (_, Some((code, message))) => format!("error {code}: {message}"),
            (Outcome::Done(_), None) => "succeeds".into(),
            (Outcome::Failed(_), None) => "an error without a code".into(),
        }
    }
}

impl From<ReturnValue> for Outcome {
    fn from(value: ReturnValue) -> Outcome {
        match value {
            ReturnValue::Value(json) => Outcome::Done(json),
            ReturnValue::Error(failure) => Outcome::Failed(failure),
        }
    }
}
