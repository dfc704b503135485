//! Error responses of the admin API.

use http::header::{ALLOW, HeaderValue};
use http::{Method, StatusCode};
use stowage_deploy::api::{ErrorBody, ErrorText};
use stowage_deploy::{DeployError, RecordingsError};
use stowage_recording::RecordError;

use crate::response::{HttpResponse, json_response};

/// Why a request failed, as the client is told.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// Boxed, because a refusal carries a whole report.
    pub(super) body: Box<ErrorBody>,
    /// The methods to name in an `Allow` header; empty for no header.
    allowed: &'static [Method],
}

impl Problem {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Problem {
        Problem {
            status,
            body: Box::new(ErrorBody {
                error: ErrorText {
                    message: message.into(),
                    report: None,
                },
            }),
            allowed: &[],
        }
    }

    /// The route exists but not with this method.
    pub(super) fn method_not_allowed(allowed: &'static [Method]) -> Problem {
        let mut problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("expected {}", list(allowed)));
        problem.allowed = allowed;
        problem
    }

    /// A parameter is missing or has an unexpected value.
    pub(super) fn parameter(name: &str, expected: &str) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, format!("{name}: expected {expected}"))
    }

    /// The server failed.
    pub(super) fn internal(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    pub(super) fn into_response(self) -> HttpResponse {
        let body = serde_json::to_vec(&self.body).unwrap_or_default();
        let mut response = json_response(self.status, body);
        if !self.allowed.is_empty()
            && let Ok(allow) = HeaderValue::from_str(&list(self.allowed))
        {
            response.headers_mut().insert(ALLOW, allow);
        }
        response
    }
}

fn list(methods: &[Method]) -> String {
    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
}

impl From<DeployError> for Problem {
    fn from(error: DeployError) -> Problem {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut problem = Problem::new(status, error.to_string());
        if let DeployError::Refused { report } = error {
            problem.body.error.report = Some(report);
        }
        problem
    }
}

impl From<RecordingsError> for Problem {
    fn from(error: RecordingsError) -> Problem {
        let status = match error {
            RecordingsError::Busy { .. } | RecordingsError::None => StatusCode::CONFLICT,
            RecordingsError::Relative { .. } | RecordingsError::Record(RecordError::Create { .. }) => {
                StatusCode::BAD_REQUEST
            }
            RecordingsError::Record(RecordError::Write { .. } | RecordError::Thread(_) | RecordError::Panicked) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Problem::new(status, error.to_string())
    }
}
