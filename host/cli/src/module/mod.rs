//! `stowage module`: shows and replaces the live modules of the running server.
//!
//! The exit status is 0 for success, 1 if the server refused (a check failed, nothing to roll back,
//! no such module), and 2 for any other failure: usage, an unreadable file, no server, a wrong
//! token.

mod admin;
mod args;
mod canary;
mod check;
mod dev;
mod file;
mod history;
mod keygen;
mod list;
mod live;
mod log;
mod new;
mod shadow;
mod show;
mod sign;
mod swap;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

pub use admin::{AdminClient, AdminError};
pub use args::{ProbationArgs, ThresholdArgs};
pub use canary::CanaryArgs;
pub use check::CheckArgs;
pub use dev::{CrateError, DevArgs};
pub use file::{FileError, ModuleFile};
pub use history::HistoryArgs;
pub use keygen::KeygenArgs;
pub use list::ListArgs;
pub use live::{AbortArgs, PromoteArgs, RollbackArgs, UnloadArgs};
pub use log::LogArgs;
pub use new::{BUILTIN_MODULES, ModuleName, NameError, NewArgs};
pub use shadow::ShadowArgs;
pub use sign::SignArgs;
pub use swap::SwapArgs;
pub use verify::VerifyArgs;

use super::API_ERROR;

/// Show, check and replace modules
#[derive(Debug, Subcommand)]
pub enum ModuleCommand {
    /// Show the live modules: since when, which version, how many calls and failures
    List(ListArgs),
    /// Check a module as a swap does, and change nothing
    Check(CheckArgs),
    /// Take modules live, all of them together
    Swap(SwapArgs),
    /// Run a version in shadow of the live one and compare them; it answers no calls
    Shadow(ShadowArgs),
    /// Let a version answer a share of the calls, or change the share of a running canary
    Canary(CanaryArgs),
    /// Take a shadow or a canary live, or end a probation
    Promote(PromoteArgs),
    /// End a shadow or a canary
    Abort(AbortArgs),
    /// Go back to the modules that were live before
    Rollback(RollbackArgs),
    /// Unload a module; the methods that it overrode are served as before
    Unload(UnloadArgs),
    /// Show what was live when, who changed it and why
    History(HistoryArgs),
    /// Show what was logged about a module: what it prints, its traps, its swaps
    Log(LogArgs),
    /// Make a key that signs modules
    Keygen(KeygenArgs),
    /// Sign a module
    Sign(SignArgs),
    /// Tell which keys signed a module
    Verify(VerifyArgs),
    /// Write the crate of a new module
    New(NewArgs),
    /// Build the crate of a module and swap it in, on every save; ctrl-c ends
    Dev(DevArgs),
}

impl ModuleCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// A file cannot be read, an argument is malformed, or no server answered.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let done = match self {
            Self::List(args) => args.run().await,
            Self::Check(args) => args.run().await,
            Self::Swap(args) => args.run().await,
            Self::Shadow(args) => args.run().await,
            Self::Canary(args) => args.run().await,
            Self::Promote(args) => args.run().await,
            Self::Abort(args) => args.run().await,
            Self::Rollback(args) => args.run().await,
            Self::Unload(args) => args.run().await,
            Self::History(args) => args.run().await,
            Self::Log(args) => args.run().await,
            Self::Keygen(args) => args.run().await,
            Self::Sign(args) => args.run().await,
            Self::Verify(args) => args.run().await,
            Self::New(args) => args.run().await,
            Self::Dev(args) => args.run().await,
        };
        done.or_else(refused)
    }
}

/// Shows why the server refused. Returns any other error.
pub(crate) fn refused(error: anyhow::Error) -> anyhow::Result<ExitCode> {
    match error.downcast::<AdminError>() {
        Ok(AdminError::Refused { message, report }) => {
            if let Some(report) = report {
                eprintln!("{}", show::check(&report));
            }
            eprintln!("refused: {}", super::output::printable(&message));
            Ok(ExitCode::from(API_ERROR))
        }
        Ok(error) => Err(error.into()),
        Err(error) => Err(error),
    }
}
