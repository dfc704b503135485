//! `stowage db`: backups, restores, checks, compaction, rows as text, salvage.
//!
//! A command asks the server if one runs on the data directory, and opens the files otherwise. The
//! exit status is 0 for success, 1 if a check found something or the server refused, 2 for any
//! other failure.

mod backup;
mod backups;
mod check;
mod compact;
mod dump;
mod reach;
mod restore;
mod salvage;

use std::process::ExitCode;

use clap::Subcommand;

use backup::BackupArgs;
use backups::BackupsArgs;
use check::CheckArgs;
use compact::CompactArgs;
use dump::DumpArgs;
use restore::RestoreArgs;
use salvage::SalvageArgs;

/// Back up, restore and check the database
#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// Back up the data directory to a folder or an object store, also while the server runs
    Backup(BackupArgs),
    /// List the backups at a place
    Backups(BackupsArgs),
    /// Restore a backup into a new data directory
    Restore(RestoreArgs),
    /// Check that all rows and files are sound
    Check(CheckArgs),
    /// Rewrite the database without unused space; the server must be stopped
    Compact(CompactArgs),
    /// Print all rows as text, one JSON object a line
    Dump(DumpArgs),
    /// Save what can be read of a damaged data directory into a new one
    Salvage(SalvageArgs),
}

impl DbCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// The program exits with 2.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let ended = match self {
            DbCommand::Backup(args) => args.run().await,
            DbCommand::Backups(args) => args.run().await,
            DbCommand::Restore(args) => args.run().await,
            DbCommand::Check(args) => args.run().await,
            DbCommand::Compact(args) => args.run().await,
            DbCommand::Dump(args) => args.run().await,
            DbCommand::Salvage(args) => args.run().await,
        };
        ended.or_else(reach::refused)
    }
}
