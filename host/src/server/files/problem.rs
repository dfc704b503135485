//! Why a request for bytes failed, and its response.

use std::time::Duration;

use http::StatusCode;
use http::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER};
use stowage_cloud::Error as SpaceError;
use stowage_logic::rpc::{Code, Envelope};
use stowage_transfer::{IncomingError, LockError, OutgoingError};

use super::hook::Failure;
use crate::response::{HttpResponse, json_response};

/// The code of the envelope, also where a response has no body.
pub(super) const CODE: HeaderName = HeaderName::from_static("stowage-code");

/// Why a request for bytes failed, as the client is told.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) code: i32,
    pub(super) message: String,
    /// The methods of the route, for a request with another one.
    allow: Option<&'static str>,
    /// How long the client should wait.
    retry_after: Option<Duration>,
}

impl Problem {
    /// A problem of the request itself.
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Problem {
        Problem {
            status,
            code: Code::OTHER.0,
            message: message.into(),
            allow: None,
            retry_after: None,
        }
    }

    /// A parameter that is not what was expected.
    pub(super) fn parameter(message: String) -> Problem {
        Problem::coded(Code::PARAMETER.0, message)
    }

    /// A code of the API, with the status that fits it.
    pub(super) fn coded(code: i32, message: String) -> Problem {
        Problem {
            status: status_of(code),
            code,
            message,
            allow: None,
            retry_after: None,
        }
    }

    /// The route has other methods.
    pub(super) fn method(allow: &'static str) -> Problem {
        Problem {
            allow: Some(allow),
            ..Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("expected {allow}"))
        }
    }

    pub(super) fn into_response(self) -> HttpResponse {
        let body = Envelope::failure(Code(self.code), &self.message).into_json();
        let mut response = json_response(self.status, body);
        response.headers_mut().insert(CODE, HeaderValue::from(self.code));
        if let Some(allow) = self.allow {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
        }
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs().saturating_add(1);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The HTTP status that says the same as a code of the API.
fn status_of(code: i32) -> StatusCode {
    match code {
        300 => StatusCode::NOT_IMPLEMENTED,
        500 => StatusCode::INTERNAL_SERVER_ERROR,
        600 => StatusCode::BAD_REQUEST,
        60000 | 60001 => StatusCode::NOT_FOUND,
        60002 => StatusCode::CONFLICT,
        60004 => StatusCode::FORBIDDEN,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Problem {
        Problem::coded(failure.code, failure.message)
    }
}

impl From<LockError> for Problem {
    fn from(error: LockError) -> Problem {
        let status = match error {
            LockError::Unknown => StatusCode::NOT_FOUND,
            LockError::Busy => StatusCode::LOCKED,
        };
        Problem::new(status, error.to_string())
    }
}

impl From<IncomingError> for Problem {
    fn from(error: IncomingError) -> Problem {
        let status = match error {
            IncomingError::NoRoom => StatusCode::INSUFFICIENT_STORAGE,
            IncomingError::Busy | IncomingError::TooManyUploads => StatusCode::SERVICE_UNAVAILABLE,
            IncomingError::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            IncomingError::Checksum => checksum_mismatch(),
            IncomingError::Lost => StatusCode::GONE,
            IncomingError::Cut => StatusCode::BAD_REQUEST,
            _ => {
                tracing::error!(
                    error = &error as &(dyn std::error::Error + 'static),
                    "bytes could not be received"
                );
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Problem {
            code: if status == StatusCode::INTERNAL_SERVER_ERROR {
                500
            } else {
                700
            },
            ..Problem::new(status, error.to_string())
        }
    }
}

/// The status that tus has for a wrong checksum.
fn checksum_mismatch() -> StatusCode {
    StatusCode::from_u16(460).unwrap_or(StatusCode::BAD_REQUEST)
}

impl From<OutgoingError> for Problem {
    fn from(error: OutgoingError) -> Problem {
        match error {
            OutgoingError::WrongPassword => Problem::coded(60004, "the password is wrong".to_owned()),
            OutgoingError::Source(SpaceError::TooManyAttempts { retry_after, .. }) => Problem {
                retry_after: Some(retry_after),
                ..Problem::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "Stowage-File-Password: too many wrong ones were tried; wait before the next",
                )
            },
            OutgoingError::NotSealed => Problem::coded(500, "the file cannot be opened with any password".to_owned()),
            _ => {
                tracing::warn!(
                    error = &error as &(dyn std::error::Error + 'static),
                    "a blob could not be read"
                );
                Problem {
                    status: StatusCode::BAD_GATEWAY,
                    ..Problem::coded(500, "the space cannot be reached; try again later".to_owned())
                }
            }
        }
    }
}
