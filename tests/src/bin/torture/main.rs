//! `make torture`: the checks of docs/reliability.md against the real binary, at length.
//!
//! Each check prints one line of JSON on stdout. The same line goes to
//! `target/torture/results.jsonl`, with the progress of long checks, so that a run that was
//! interrupted goes on. `torture report` writes the table of docs/reliability.md.

mod catalogue;
mod compiled_tests;
mod large_database;
mod long_checks;
mod power_loss;
mod report;
mod results;
mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Checks what Stowage promises, by hurting it
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  \
                        torture --list\n  \
                        torture --only R1,R4\n  \
                        torture --only SOAK --soak-minutes 30\n  \
                        torture report")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the results into the table of docs/reliability.md
    Report,
}

/// What runs, and how.
#[derive(clap::Args, Clone, Debug)]
struct RunArguments {
    /// Only these checks
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    only: Vec<String>,
    /// Also the checks that passed with this build
    #[arg(long)]
    again: bool,
    /// The short form of each check, as in `make test`
    #[arg(long)]
    short: bool,
    /// List the checks and end
    #[arg(long)]
    list: bool,
    /// The seed of all choices
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Minutes of the soak
    #[arg(long, default_value_t = 30, value_name = "MINUTES")]
    soak_minutes: u64,
    /// Where results and the data of long checks are [default: target/torture]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, Rlimit { ..limit }).context("the limit of open files")?;
    let dir = match &arguments.run.dir {
        Some(dir) => dir.clone(),
        None => stowage_tests::program::target_dir().join("torture"),
    };
    match arguments.command {
        Some(Command::Report) => report::write(&dir).map(|()| ExitCode::SUCCESS),
        None if arguments.run.list => {
            catalogue::print();
            Ok(ExitCode::SUCCESS)
        }
        None => run::run(&arguments.run, &dir),
    }
}
