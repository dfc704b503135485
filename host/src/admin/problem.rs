//! What the admin API answers when it does not do what was asked.

use http::StatusCode;
use stowage_deploy::api::{ErrorBody, ErrorText};
use stowage_deploy::{DeployError, RecordProblem};
use stowage_recording::RecordError;

/// Why a request was not carried out.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) body: ErrorBody,
}

impl Problem {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Problem {
        Problem {
            status,
            body: ErrorBody {
                error: ErrorText {
                    message: message.into(),
                    report: None,
                },
            },
        }
    }

    /// A parameter that is missing or not what was expected.
    pub(super) fn parameter(name: &str, expected: &str) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, format!("{name}: expected {expected}"))
    }
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

impl From<RecordProblem> for Problem {
    fn from(problem: RecordProblem) -> Problem {
        let status = match problem {
            RecordProblem::Busy { .. } | RecordProblem::None => StatusCode::CONFLICT,
            RecordProblem::Relative { .. } | RecordProblem::Record(RecordError::Create { .. }) => {
                StatusCode::BAD_REQUEST
            }
            RecordProblem::Record(RecordError::Write { .. } | RecordError::Thread(_)) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Problem::new(status, problem.to_string())
    }
}
