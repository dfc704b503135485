//! Why a call has no outcome.

use std::error::Error;
use std::fmt;

use stowage_storage::CommitError;
use tokio::task::JoinError;

use crate::engine::trap::TrapText;

/// Why a call has no outcome. Nothing of it was kept, except that after a failed commit it is not
/// known whether the commit became durable.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The module trapped.
    #[error("the module trapped: {}", TrapText(.0))]
    Trap(#[source] wasmtime::Error),
    /// The module used up its processor time.
    #[error("the module used more than its time on the processor")]
    CpuDeadline,
    /// The call waited and ran longer than its wall limit.
    #[error("the call took too long")]
    WallDeadline,
    /// The module wanted more memory or a larger table than it may have.
    #[error("the module went over its {0}")]
    Growth(GrowthLimit),
    /// A host function ended the run.
    #[error("the call was refused: {0}")]
    Refused(#[source] Refusal),
    /// Every attempt conflicted with another call.
    #[error("other calls kept changing what this one read")]
    Contention,
    /// The module's start-up code failed, or the pool of instances is exhausted.
    #[error("the instance could not be made: {}", TrapText(.0))]
    Instantiate(#[source] wasmtime::Error),
    /// The compiled module lacks a function that its type declares.
    #[error("the module has no export {0}")]
    NoExport(String),
    /// The run left no state behind.
    #[error("the call's state is gone")]
    NoState,
    /// The host cannot make the arguments that the function takes.
    #[error("the arguments cannot be made: {0}")]
    Arguments(String),
    /// Storage failed before the commit.
    #[error("storage failed: {0}")]
    Storage(#[from] stowage_storage::Error),
    /// The commit failed, for another reason than a conflict.
    #[error("storage failed: {0}")]
    Commit(#[source] CommitError),
    /// The task that commits the call ended early.
    #[error("storage failed: {0}")]
    CommitTask(#[source] JoinError),
    /// As many long runs as may run at once are running.
    #[error("too many calls take long at once")]
    Crowded,
    /// No module serves the function.
    #[error("no module serves it")]
    NoRoute,
}

impl CallError {
    /// Its kind.
    pub fn fault(&self) -> Fault {
        match self {
            CallError::Trap(_) => Fault::Trap,
            CallError::CpuDeadline => Fault::CpuDeadline,
            CallError::WallDeadline => Fault::WallDeadline,
            CallError::Growth(_) => Fault::Growth,
            CallError::Refused(_) => Fault::Refused,
            CallError::Instantiate(_) | CallError::NoExport(_) | CallError::NoState => Fault::Start,
            CallError::Contention => Fault::Contention,
            CallError::Crowded => Fault::Crowded,
            CallError::Storage(_) | CallError::Commit(_) | CallError::CommitTask(_) => Fault::Storage,
            CallError::Arguments(_) | CallError::NoRoute => Fault::Unserved,
        }
    }

    /// Whether the module caused it, rather than storage, the load or the route table.
    pub fn is_of_the_module(&self) -> bool {
        match self {
            CallError::Trap(_)
            | CallError::CpuDeadline
            | CallError::WallDeadline
            | CallError::Growth(_)
            | CallError::Refused(_)
            | CallError::Instantiate(_)
            | CallError::NoExport(_)
            | CallError::NoState => true,
            CallError::Contention
            | CallError::Arguments(_)
            | CallError::Storage(_)
            | CallError::Commit(_)
            | CallError::CommitTask(_)
            | CallError::Crowded
            | CallError::NoRoute => false,
        }
    }
}

/// The kinds of [`CallError`], for counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The module trapped.
    Trap,
    /// It used up its processor time.
    CpuDeadline,
    /// The call waited and ran for too long.
    WallDeadline,
    /// The module went over a limit of memory or tables.
    Growth,
    /// A host function ended the run.
    Refused,
    /// The start-up code failed, or the module lacks what its type declares.
    Start,
    /// Every attempt conflicted.
    Contention,
    /// Too many calls take long.
    Crowded,
    /// Storage failed.
    Storage,
    /// No module serves the function, or its arguments cannot be made.
    Unserved,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 10] = [
        Fault::Trap,
        Fault::CpuDeadline,
        Fault::WallDeadline,
        Fault::Growth,
        Fault::Refused,
        Fault::Start,
        Fault::Contention,
        Fault::Crowded,
        Fault::Storage,
        Fault::Unserved,
    ];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Trap => "trap",
            Fault::CpuDeadline => "cpu-deadline",
            Fault::WallDeadline => "wall-deadline",
            Fault::Growth => "growth",
            Fault::Refused => "refused",
            Fault::Start => "start",
            Fault::Contention => "contention",
            Fault::Crowded => "crowded",
            Fault::Storage => "storage",
            Fault::Unserved => "unserved",
        }
    }
}

/// Why a host function ended a run.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The call made as many host calls as it may.
    #[error("more host calls than a call may make")]
    HostCallLimit,
    /// The call moved as many bytes through host calls as it may.
    #[error("more bytes through host calls than a call may move")]
    HostByteLimit,
    /// The call asked for as many effects as it may have.
    #[error("more effects than a call may have")]
    EffectLimit,
    /// The call asked the cloud as many questions as it may.
    #[error("more questions to the cloud than a call may ask")]
    QuestionLimit,
    /// One `get-many` names too many keys.
    #[error("more than {0} keys in one get-many")]
    KeyLimit(usize),
    /// The name of a table is the host's own, or malformed.
    #[error("table name {0:?}: expected 1 to 64 characters of a-z, 0-9 and -")]
    TableName(String),
    /// A key of the feed is empty or too long.
    #[error("a feed key has 1 to 128 characters")]
    FeedKey,
    /// A dry run asks the cloud a question whose answer it was not given.
    #[error("it asks the cloud what is not known")]
    UnknownFact,
    /// The module passed a key or value that storage does not take, or storage failed.
    #[error("{0}")]
    Storage(#[from] stowage_storage::Error),
    /// A service did not take the request.
    #[error("{0}")]
    Service(#[from] ServiceError),
}

/// Why a service did not take a request. The call ends.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The service is not there.
    #[error("{0}")]
    Unavailable(String),
    /// The request is malformed, or the service failed.
    #[error("{0}")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl ServiceError {
    /// The error of a service that failed for this reason.
    pub fn failed(source: impl Into<Box<dyn Error + Send + Sync>>) -> ServiceError {
        ServiceError::Failed(source.into())
    }
}

/// A limit on what a module's instances may grow to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrowthLimit {
    /// Linear memory of one instance.
    Memory,
    /// Linear memory of all instances of the module.
    ModuleMemory,
    /// Elements of a table.
    Table,
}

impl fmt::Display for GrowthLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GrowthLimit::Memory => "memory limit",
            GrowthLimit::ModuleMemory => "memory limit of all its instances",
            GrowthLimit::Table => "table limit",
        })
    }
}
