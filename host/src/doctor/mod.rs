//! `stowage doctor`: checks what a server needs, and says what to do.
//!
//! It works beside a running server and without one. It changes nothing, except that it writes a
//! small object of its own into the space and removes it. A check that needs the database does not
//! open it while a server has it open.
//!
//! | file | checks |
//! |---|---|
//! | `settings` | flags, variables, the settings file |
//! | `data_dir` | who may use the data directory, and the admin token |
//! | `disk` | room, file system, sync |
//! | `machine` | open files, clock |
//! | `server` | the running server, or what a killed one left |
//! | `database` | format, how it was closed |
//! | `port` | the address or the unix socket to listen on |
//! | `tls` | the certificate and its key |
//! | `space` | the cloud space |
//! | `modules` | modules to load, kept modules, compiled modules |
//!
//! `subject` is what they examine, `verdict` what they find. `procfs` reads /proc.

mod data_dir;
mod database;
mod disk;
mod machine;
mod modules;
mod port;
mod procfs;
mod server;
mod settings;
mod space;
mod subject;
mod tls;
mod verdict;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use stowage_cli::{API_ERROR, output};

pub(crate) use settings::unknown_variables;

use crate::settings::Settings;
use subject::Subject;
use verdict::{Diagnosis, Outcome, Verdict};

/// Check what the server needs, and say what to do
///
/// Give it the flags of `stowage serve`. It changes nothing: only a small object is written into
/// the space and removed. Exit status: 0 the server works (there may be warnings), 1 an error was
/// found, 2 the checks could not run.
// The environment is read by the check, so that a bad variable is a finding.
#[derive(Debug, Args)]
#[command(
    mut_args = |arg| arg.env(None::<&str>),
    after_help = "Examples:\n  stowage doctor\n  stowage doctor --data ./data --space s3://bucket/chat --json"
)]
pub struct DoctorArgs {
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
    /// A TOML file with the settings below, named without their dashes
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What the server is started with
    #[command(flatten)]
    pub settings: Box<Settings>,
}

impl DoctorArgs {
    /// Runs all checks and prints what they find.
    ///
    /// # Errors
    /// No data directory is known, or stdout cannot be written.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let mut told = Findings::new(self.json);
        let (settings, verdict) = settings::check(*self.settings, self.config);
        told.add(verdict)?;
        let subject = Subject::collect(settings).await?;
        for check in [
            data_dir::check,
            data_dir::check_token,
            disk::check,
            disk::check_file_system,
            disk::check_sync,
            machine::check_open_files,
            machine::check_clock,
            server::check,
            database::check,
            port::check,
            tls::check,
        ] {
            told.add(check(&subject))?;
        }
        told.add(space::check(&subject).await)?;
        told.add(modules::check_startup(&subject).await)?;
        told.add(modules::check_watched(&subject).await)?;
        told.add(modules::check_kept(&subject))?;
        told.add(modules::check_compiled(&subject))?;
        told.end()
    }
}

/// What was found so far. A person sees each finding at once.
struct Findings {
    is_json: bool,
    verdicts: Vec<Verdict>,
}

impl Findings {
    fn new(is_json: bool) -> Self {
        Findings {
            is_json,
            verdicts: Vec::new(),
        }
    }

    fn add(&mut self, verdict: Verdict) -> anyhow::Result<()> {
        if !self.is_json {
            output::line(&verdict.text())?;
        }
        self.verdicts.push(verdict);
        Ok(())
    }

    fn end(self) -> anyhow::Result<ExitCode> {
        let diagnosis = Diagnosis::of(self.verdicts);
        output::line(&match self.is_json {
            true => serde_json::to_string(&diagnosis)?,
            false => diagnosis.summary(),
        })?;
        Ok(match diagnosis.outcome {
            Outcome::Error => ExitCode::from(API_ERROR),
            Outcome::Skipped | Outcome::Ok | Outcome::Warning => ExitCode::SUCCESS,
        })
    }
}
