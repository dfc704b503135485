//! Why the deployer did not make a change. In every case the modules that served before still
//! serve.

use std::path::PathBuf;

use stowage_logic::{LoadError, Version};
use stowage_storage::{BackendError, CommitError, Error, UpdateError};

use super::api::CheckReport;
use super::signature::SignatureError;

/// Why the deployer did not do what was requested.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// No live module has this name.
    #[error("no module {name} is live")]
    NoSuchModule {
        /// The name.
        name: String,
    },
    /// The live module of this name has nothing to promote or abort.
    #[error("{name} has neither a shadow nor a canary, and is not on probation")]
    NoTrial {
        /// The name.
        name: String,
    },
    /// A module did not pass its check.
    #[error("{}", describe_refusal(report))]
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
    /// A module's data version is older than that of the stored rows.
    #[error("{name} {version} has data version {schema}, but the stored rows have version {data}")]
    Older {
        /// The module.
        name: String,
        /// Its version.
        version: Version,
        /// The data version that it reads and writes.
        schema: u32,
        /// The data version of the stored rows.
        data: u32,
    },
    /// The stored rows could not be migrated to the module's data version; they are unchanged.
    #[error("{name}: the migration from data version {old} to {new} failed, the data is unchanged: {reason}")]
    Migration {
        /// The module.
        name: String,
        /// The data version of the stored rows.
        old: u32,
        /// The data version that they were to have.
        new: u32,
        /// What the module or the host said.
        reason: String,
    },
    /// Without the module, no module would serve these methods.
    #[error("{name} cannot be unloaded: no other module serves {}", methods.join(", "))]
    StillNeeded {
        /// The module.
        name: String,
        /// The methods, as clients call them.
        methods: Vec<String>,
    },
    /// Something else is running that has to end first.
    #[error("{name}: {reason}")]
    Busy {
        /// The module.
        name: String,
        /// What is running, and how to end it.
        reason: String,
    },
    /// A parameter has an unexpected value.
    #[error("{field}: expected {expected}")]
    BadInput {
        /// The parameter.
        field: String,
        /// The expected value, and the one found.
        expected: String,
    },
    /// A module could not be loaded.
    #[error("{from}: {source}")]
    Load {
        /// Where its bytes came from.
        from: String,
        /// Why not.
        source: LoadError,
    },
    /// A module is not signed by a key of this server.
    #[error("{from}: {reason}")]
    Signature {
        /// Where its bytes came from.
        from: String,
        /// What is wrong with its signature. The text has it, so it is no source.
        reason: SignatureError,
    },
    /// Bytes of modules could not be read or written.
    #[error("{}: {source}", path.display())]
    Bytes {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The database failed.
    #[error("storage: {0}")]
    Storage(#[source] StorageError),
    /// A row of the deployer is damaged, or a newer program wrote it.
    #[error("{row} cannot be read: {source}")]
    Row {
        /// The row.
        row: &'static str,
        /// Why not.
        source: rmp_serde::decode::Error,
    },
    /// A noted row of a migration refers to an old value that is missing.
    #[error("an undo note of a migration lacks its old value")]
    UndoValueMissing,
    /// The task that made the change panicked.
    #[error("the change failed: {0}")]
    Panicked(#[source] tokio::task::JoinError),
}

/// Why the database could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// A transaction could not read or write.
    #[error(transparent)]
    Transaction(#[from] Error),
    /// A snapshot could not be read.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A transaction could not be committed.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// Other transactions kept changing what was read.
    #[error("gave up after {attempts} conflicts")]
    Contended {
        /// How often the transaction ran.
        attempts: u32,
    },
}

impl DeployError {
    /// The HTTP status of a response with this error.
    pub fn status(&self) -> u16 {
        match self {
            DeployError::BadInput { .. } => 400,
            DeployError::NoSuchModule { .. } | DeployError::NoTrial { .. } => 404,
            DeployError::Refused { .. }
            | DeployError::NothingToRollBack { .. }
            | DeployError::Older { .. }
            | DeployError::Signature { .. }
            | DeployError::Migration { .. }
            | DeployError::StillNeeded { .. } => 409,
            DeployError::Busy { .. } => 503,
            DeployError::Load { .. }
            | DeployError::Bytes { .. }
            | DeployError::Storage(_)
            | DeployError::Row { .. }
            | DeployError::UndoValueMissing
            | DeployError::Panicked(_) => 500,
        }
    }
}

fn describe_refusal(report: &CheckReport) -> String {
    let failed = report.steps.iter().find(|step| !step.passed);
    let (step, line) = failed.map_or(("check", ""), |step| {
        (&*step.name, step.lines.first().map_or("", String::as_str))
    });
    format!("{} was refused by its check ({step}): {line}", report.name)
}

impl From<Error> for DeployError {
    fn from(error: Error) -> Self {
        DeployError::Storage(error.into())
    }
}

impl From<BackendError> for DeployError {
    fn from(error: BackendError) -> Self {
        DeployError::Storage(error.into())
    }
}

impl From<CommitError> for DeployError {
    fn from(error: CommitError) -> Self {
        DeployError::Storage(error.into())
    }
}

impl From<UpdateError<DeployError>> for DeployError {
    fn from(error: UpdateError<DeployError>) -> Self {
        match error {
            UpdateError::Aborted(error) => error,
            UpdateError::Contended { attempts } => DeployError::Storage(StorageError::Contended { attempts }),
            UpdateError::Commit(error) => error.into(),
        }
    }
}
