//! Errors of modules and of the kit.

use std::path::PathBuf;

use stowage_logic::{CallError, LoadError};
use wasmtime::component::{ComponentType, Lift, Lower};

/// The `error` of the API's interfaces, for typed calls.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lift, Lower, thiserror::Error)]
#[component(record)]
#[error("code {code}: {message}")]
pub struct ApiError {
    /// The code.
    pub code: i32,
    /// For a person.
    pub message: String,
}

/// Why the kit cannot do what a test asks.
#[derive(Debug, thiserror::Error)]
pub enum KitError {
    /// The module's file cannot be read.
    #[error("{}: {source}; build the module first", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The engine does not start on this machine.
    #[error(transparent)]
    Engine(#[from] stowage_logic::EngineError),
    /// The host does not take the module.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// No loaded module exports the function.
    #[error("no loaded module exports {0}")]
    NoFunction(String),
    /// The arguments are not what the function takes.
    #[error("{0}")]
    Arguments(String),
    /// The call gave no answer.
    #[error(transparent)]
    Call(#[from] CallError),
}
