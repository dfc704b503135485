//! The errors of modules and of the kit.

use std::path::PathBuf;

use stowage_logic::{CallError, LoadError};
use wasmtime::component::{ComponentType, Lift, Lower};

/// The record `error` of the API's interfaces, for typed calls.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lift, Lower, thiserror::Error)]
#[component(record)]
#[error("code {code}: {message}")]
pub struct ApiError {
    /// The code, as documented for the function.
    pub code: i32,
    /// The message, for people.
    pub message: String,
}

/// Why the kit cannot do what a test asks for.
#[derive(Debug, thiserror::Error)]
pub enum KitError {
    /// The module's file cannot be read.
    #[error("cannot read the module {}: {source}; build it first", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// wasmtime does not start on this machine.
    #[error(transparent)]
    Engine(#[from] stowage_logic::EngineError),
    /// The host refuses the module.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// No loaded module exports the function.
    #[error("no loaded module exports {0}")]
    NoFunction(String),
    /// The arguments do not have the types of the parameters.
    #[error("{0}")]
    Arguments(String),
    /// The call gave no answer.
    #[error(transparent)]
    Call(#[from] CallError),
}
