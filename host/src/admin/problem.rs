//! What the admin API answers when it does not do what was asked.

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::deploy::{CheckReport, DeployError};
use crate::recording::RecordProblem;
use stowage_recording::RecordError;

/// Why a request was not carried out.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) body: ErrorBody,
}

/// The body of an answer that is no success: `{"error": {"message", "report"}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorText,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorText {
    /// One sentence; it names the parameter, module or setting and what was expected.
    pub message: String,
    /// What the check of a module found, where that is why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<CheckReport>,
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
