//! Why the engine does not start, a module does not compile, or the host does not take it.

use std::io;
use std::process::ExitStatus;

use tokio::task::JoinError;

use crate::codec::UnsupportedType;

/// The engine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// wasmtime refuses the configuration, or this machine lacks what it needs.
    #[error("the WebAssembly engine does not start: {0:#}")]
    Engine(#[source] wasmtime::Error),
    /// The host's own imports do not link.
    #[error("the WebAssembly engine does not start: {0:#}")]
    Link(#[source] wasmtime::Error),
    /// A thread cannot be started.
    #[error("the WebAssembly engine does not start: no thread for its clock: {0}")]
    Thread(#[source] io::Error),
}

/// Why a module does not compile.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The file is larger than a module may be.
    #[error("it is larger than {} MiB", super::limits::MAX_MODULE_BYTES >> 20)]
    TooLarge,
    /// The bytes are text, a core module or compiled code.
    #[error("it is no binary WebAssembly component")]
    NotAComponent,
    /// The compiler refuses it.
    #[error("{0:#}")]
    Invalid(#[source] wasmtime::Error),
    /// The engine that compiles does not start.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The process that compiles does not start, or its output cannot be read.
    #[error("the compiler's process: {0}")]
    Process(#[source] io::Error),
    /// The process that compiles took too long and was killed.
    #[error("it did not compile within {} s", super::limits::MAX_COMPILE_TIME.as_secs())]
    TimedOut,
    /// The process that compiles failed with this message.
    #[error("{0}")]
    Failed(String),
    /// The process that compiles failed without a message.
    #[error("the compiler ended with {0}")]
    Ended(ExitStatus),
    /// The thread that compiles panicked.
    #[error("the compiler gave up: {0}")]
    Panicked(#[source] JoinError),
}

/// Why the host does not take a module.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The bytes are no component, or one that does not compile.
    #[error("{name}: not a component this host can compile: {source}")]
    Compile {
        /// The module.
        name: String,
        /// Why.
        source: CompileError,
    },
    /// The module imports what no module may.
    #[error(
        "{name}: imports {import}; a module may import stowage:host/*, wasi:cli, wasi:clocks, wasi:io and wasi:random only"
    )]
    Import {
        /// The module.
        name: String,
        /// The import.
        import: String,
    },
    /// An import has another type than the host's.
    #[error("{name}: does not link: {source:#}")]
    Link {
        /// The module.
        name: String,
        /// What does not fit.
        source: wasmtime::Error,
    },
    /// An exported function has a type without a JSON form.
    #[error("{name}: {function}: {source}")]
    Type {
        /// The module.
        name: String,
        /// The function.
        function: String,
        /// The type.
        source: UnsupportedType,
    },
    /// Two functions differ only in case or punctuation.
    #[error("{name}: {first} and {second} are one method name on the wire")]
    AmbiguousName {
        /// The module.
        name: String,
        /// One function.
        first: String,
        /// The other.
        second: String,
    },
    /// The module exports no function.
    #[error("{name}: exports no interface with functions")]
    NoExports {
        /// The module.
        name: String,
    },
}
