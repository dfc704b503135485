//! Which kind of failure an object store means.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use crate::retry_after::AskedToWait;

/// How the object store's errors begin if they quote a status. The type itself is private there.
const STATUS_PREFIX: &str = "Server returned non-2xx status code: ";
/// How they begin if an answer of status 200 holds an error.
const ANSWER_PREFIX: &str = "Server returned error response: ";

/// Which kind of failure an object store means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreFailure {
    /// The store refuses us.
    Refused,
    /// The store wants fewer requests, for this time if it says so.
    Busy(Option<Duration>),
    /// There is no room.
    Full,
    /// Anything else.
    Other,
}

impl StoreFailure {
    /// Looks at an error and its causes.
    pub(crate) fn of(error: &(dyn StdError + 'static)) -> Self {
        std::iter::successors(Some(error), |&error| error.source())
            .map(Self::of_one)
            .find(|failure| *failure != StoreFailure::Other)
            .unwrap_or(StoreFailure::Other)
    }

    fn of_one(error: &(dyn StdError + 'static)) -> Self {
        use object_store::Error as StoreError;
        if let Some(StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. }) = error.downcast_ref() {
            return StoreFailure::Refused;
        }
        if let Some(asked) = error.downcast_ref::<AskedToWait>() {
            return StoreFailure::Busy(Some(asked.wait));
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                    StoreFailure::Full
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => StoreFailure::Refused,
                _ => StoreFailure::Other,
            };
        }
        let text = error.to_string();
        if let Some(status) = text.strip_prefix(STATUS_PREFIX) {
            return Self::of_status(status.get(..3).unwrap_or_default());
        }
        match text.strip_prefix(ANSWER_PREFIX) {
            Some(answer) if answer.contains("SlowDown") => StoreFailure::Busy(None),
            _ => StoreFailure::Other,
        }
    }

    fn of_status(status: &str) -> Self {
        match status {
            "401" | "403" => StoreFailure::Refused,
            "429" | "503" => StoreFailure::Busy(None),
            // WebDAV: insufficient storage.
            "507" => StoreFailure::Full,
            _ => StoreFailure::Other,
        }
    }
}

/// Whether the store says that the request itself is wrong, so that it would be refused again.
pub(crate) fn is_rejected(error: &(dyn StdError + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source()).any(|error| {
        let text = error.to_string();
        let status = text.strip_prefix(STATUS_PREFIX).and_then(|text| text.get(..3));
        status.is_some_and(|status| status.starts_with('4') && !matches!(status, "401" | "403" | "408" | "429"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_of_a_local_failure_tells_its_kind() {
        let of = |kind: io::ErrorKind| {
            StoreFailure::of(&object_store::Error::Generic {
                store: "LocalFileSystem",
                source: Box::new(io::Error::from(kind)),
            })
        };
        assert_eq!(of(io::ErrorKind::StorageFull), StoreFailure::Full);
        assert_eq!(of(io::ErrorKind::QuotaExceeded), StoreFailure::Full);
        assert_eq!(of(io::ErrorKind::ReadOnlyFilesystem), StoreFailure::Refused);
        assert_eq!(of(io::ErrorKind::TimedOut), StoreFailure::Other);
    }
}
