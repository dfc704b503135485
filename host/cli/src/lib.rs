//! The client commands. They talk to a running server, or work on a space directly.
//!
//! The `run` of a command returns [`ExitCode::SUCCESS`], or [`API_ERROR`] if the API or a check
//! found an error. An `Err` is a problem of usage or of the connection: the program exits with 2.
//!
//! [`ExitCode::SUCCESS`]: std::process::ExitCode::SUCCESS

#![warn(unreachable_pub)]

mod address;
pub mod api;
mod call;
mod client;
mod completion;
mod console;
pub mod data_dir;
mod locate;
pub mod module;
pub mod output;
mod password;
mod record;
mod replay;
mod reply;
mod size;
pub mod space;
mod stream;
mod trust;
mod watch;

pub use api::ApiCommand;
pub use call::CallArgs;
pub use console::ConsoleArgs;
pub use locate::{AdminArgs, ClientArgs, ServerFile};
pub use module::ModuleCommand;
pub use record::RecordArgs;
pub use replay::ReplayArgs;
pub use reply::ClientError;
pub use size::{ByteSize, SizeError};
pub use space::SpaceCommand;
pub use stream::Streamed;
pub use watch::WatchArgs;

/// The exit status of an answer with an error code, and of a check that found an error.
pub const API_ERROR: u8 = 1;
