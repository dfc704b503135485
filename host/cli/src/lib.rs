//! The commands of a client: they talk to a running server, or work on a space directly.
//!
//! A command's `run` gives [`ExitCode::SUCCESS`], or [`API_ERROR`] when the API (or a check) answered that something is
//! wrong; an `Err` is a usage or connection problem, for which the program exits with 2.
//!
//! [`ExitCode::SUCCESS`]: std::process::ExitCode::SUCCESS

pub mod call;
pub mod client;
pub mod data_dir;
pub mod locate;
pub mod module;
pub mod output;
pub mod password;
pub mod record;
pub mod replay;
pub mod reply;
pub mod size;
pub mod space;
pub mod watch;

pub use call::CallArgs;
pub use client::Client;
pub use locate::{AdminArgs, ClientArgs};
pub use module::ModuleCommand;
pub use record::RecordArgs;
pub use replay::ReplayArgs;
pub use reply::{ClientError, Envelope, Reply};
pub use space::SpaceCommand;
pub use watch::WatchArgs;

/// The exit status for an answer with an error code, and for a check that found something.
pub const API_ERROR: u8 = 1;
