//! `stowage module`: modules, and crates for them.

mod new;

use std::process::ExitCode;

use clap::Subcommand;

pub use new::{ModuleName, NameError, NewArgs};

/// Modules: what they are made from
#[derive(Debug, Subcommand)]
pub enum ModuleCommand {
    /// Write the crate of a new module
    New(NewArgs),
}

impl ModuleCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// Those of the command.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::New(args) => args.run().await,
        }
    }
}
