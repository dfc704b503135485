//! Why a change did not happen. Whatever it was, what served before still does.

use stowage_logic::{LoadError, Version};
use stowage_storage::{BackendError, CommitError, Error, UpdateError};

use super::api::CheckReport;

/// Why the deployer did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// No live module has this name.
    #[error("no module {name} is live")]
    NoSuchModule {
        /// The name.
        name: String,
    },
    /// Nothing runs beside the live module of this name.
    #[error("{name} has neither a shadow nor a canary, and is not on probation")]
    NoTrial {
        /// The name.
        name: String,
    },
    /// A module did not pass its check.
    #[error("{}", refusal(report))]
    Refused {
        /// What the check found.
        report: CheckReport,
    },
    /// There is no generation to go back to.
    #[error("nothing to roll back to: {reason}")]
    NothingToRollBack {
        /// Why.
        reason: String,
    },
    /// A module is older than the rows it would read and write.
    #[error("{name} {version} keeps rows of version {schema}, and those stored are of version {data}")]
    Older {
        /// The module.
        name: String,
        /// Its version.
        version: Version,
        /// The version of the rows it knows.
        schema: u32,
        /// The version of the stored rows.
        data: u32,
    },
    /// The rows could not be brought to the version of the module; they are as they were.
    #[error("{name}: the migration from version {old} to {new} failed, the data is as it was: {reason}")]
    Migration {
        /// The module.
        name: String,
        /// The version of the stored rows.
        old: u32,
        /// The version they were to have.
        new: u32,
        /// What the module or the host said.
        reason: String,
    },
    /// Without the module nobody would serve these methods.
    #[error("{name} cannot be unloaded: nobody else serves {}", methods.join(", "))]
    StillNeeded {
        /// The module.
        name: String,
        /// The methods, as they are called on the wire.
        methods: Vec<String>,
    },
    /// Something else is under way that has to end first.
    #[error("{name}: {reason}")]
    Busy {
        /// The module.
        name: String,
        /// What is under way, and how to end it.
        reason: String,
    },
    /// A parameter is not what it has to be.
    #[error("{field}: expected {expected}")]
    BadInput {
        /// The parameter.
        field: String,
        /// What it has to be, and what was found.
        expected: String,
    },
    /// A module that the host needs could not be loaded.
    #[error("{from}: {source}")]
    Load {
        /// Where its bytes came from.
        from: String,
        /// Why not.
        source: LoadError,
    },
    /// Bytes of modules could not be read or written.
    #[error("{}: {source}", path.display())]
    Bytes {
        /// The file or directory.
        path: std::path::PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The database failed.
    #[error("storage: {0}")]
    Storage(String),
}

impl DeployError {
    /// The status of an HTTP answer with this error.
    pub fn status(&self) -> u16 {
        match self {
            DeployError::BadInput { .. } => 400,
            DeployError::NoSuchModule { .. } | DeployError::NoTrial { .. } => 404,
            DeployError::Refused { .. }
            | DeployError::NothingToRollBack { .. }
            | DeployError::Older { .. }
            | DeployError::Migration { .. }
            | DeployError::StillNeeded { .. } => 409,
            DeployError::Busy { .. } => 503,
            DeployError::Load { .. } | DeployError::Bytes { .. } | DeployError::Storage(_) => 500,
        }
    }
}

fn refusal(report: &CheckReport) -> String {
    let failed = report.steps.iter().find(|step| !step.passed);
    let (step, line) = failed.map_or(("check", ""), |step| {
        (&*step.name, step.lines.first().map_or("", String::as_str))
    });
    format!("{} was refused by its check ({step}): {line}", report.name)
}

impl From<Error> for DeployError {
    fn from(error: Error) -> Self {
        DeployError::Storage(error.to_string())
    }
}

impl From<BackendError> for DeployError {
    fn from(error: BackendError) -> Self {
        DeployError::Storage(error.to_string())
    }
}

impl From<CommitError> for DeployError {
    fn from(error: CommitError) -> Self {
        DeployError::Storage(error.to_string())
    }
}

impl From<UpdateError<DeployError>> for DeployError {
    fn from(error: UpdateError<DeployError>) -> Self {
        match error {
            UpdateError::Aborted(error) => error,
            UpdateError::Contended { .. } | UpdateError::Commit(_) => DeployError::Storage(error.to_string()),
        }
    }
}
