//! `stowage module`: what is live on the running server, and replacing it.
//!
//! A command ends with 0, with 1 where the server refused (a check failed, there is nothing to roll back, no such module), and with
//! 2 where it did not come to that: usage, a file that cannot be read, no server, a wrong token.

mod admin;
mod args;
mod canary;
mod check;
mod dev;
mod file;
mod history;
mod list;
mod live;
mod new;
mod shadow;
mod show;
mod swap;

use std::process::ExitCode;

use clap::Subcommand;

pub use admin::{AdminClient, AdminError};
pub use args::{ProbationArgs, ThresholdArgs};
pub use canary::CanaryArgs;
pub use check::CheckArgs;
pub use dev::{CrateError, DevArgs};
pub use file::{FileError, ModuleFile};
pub use history::HistoryArgs;
pub use list::ListArgs;
pub use live::{AbortArgs, PromoteArgs, RollbackArgs, UnloadArgs};
pub use new::{BUILTIN_MODULES, ModuleName, NameError, NewArgs};
pub use shadow::ShadowArgs;
pub use swap::SwapArgs;

use super::API_ERROR;

/// See, check and replace modules
#[derive(Debug, Subcommand)]
pub enum ModuleCommand {
    /// Show what is live: since when, from which bytes, and how it does
    List(ListArgs),
    /// Check a module as a swap would, and change nothing
    Check(CheckArgs),
    /// Put modules live, all of them at once
    Swap(SwapArgs),
    /// Run a version beside the live one, compare, and answer nothing with it
    Shadow(ShadowArgs),
    /// Let a version answer a part of the calls
    Canary(CanaryArgs),
    /// Put a shadow or a canary live, or end the probation of what went live
    Promote(PromoteArgs),
    /// End a shadow or a canary
    Abort(AbortArgs),
    /// Go back to what was live before
    Rollback(RollbackArgs),
    /// Take a module out; methods that it had overridden are served as before
    Unload(UnloadArgs),
    /// Show what was live, when, who asked and why
    History(HistoryArgs),
    /// Write the crate of a new module
    New(NewArgs),
    /// Build a module's crate and swap it in, again on every save; ctrl-c ends
    Dev(DevArgs),
}

impl ModuleCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// A file cannot be read, an argument is not usable, or no server answered.
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
            Self::New(args) => args.run().await,
            Self::Dev(args) => args.run().await,
        };
        done.or_else(refused)
    }
}

/// Shows what the server refused and why; any other error stays one.
pub(super) fn refused(error: anyhow::Error) -> anyhow::Result<ExitCode> {
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
