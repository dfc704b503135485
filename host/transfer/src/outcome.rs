//! How the work on a task ended.

use crate::disk::FinishedFile;
use crate::task::code;

/// How a job ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The upload is complete.
    Uploaded,
    /// The download is complete.
    Downloaded(FinishedFile),
    /// The host shuts down.
    Stopped,
    /// It may work later. `progressed` tells whether this attempt got further than the one before.
    Retry { error: String, progressed: bool },
    /// A password is needed first.
    NoPassword,
    /// It will not work again by itself.
    Failed { code: i32, error: String },
    /// The blob is nowhere.
    BlobMissing,
    /// The space has no room for it.
    NoSpace,
}

impl Outcome {
    pub(crate) fn failed(error: impl std::fmt::Display) -> Outcome {
        Outcome::Failed {
            code: code::FAILURE,
            error: error.to_string(),
        }
    }

    pub(crate) fn retry(error: impl std::fmt::Display, progressed: bool) -> Outcome {
        Outcome::Retry {
            error: error.to_string(),
            progressed,
        }
    }
}
