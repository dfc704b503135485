//! Commands of the program that run to their end: what they printed and how they ended.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use serde_json::Value;
use tokio::process::Command;

use crate::program::{self, Process};
use crate::wait::within;

/// A command that is about to run.
#[derive(Debug)]
pub struct Cli {
    command: Command,
    shown: String,
}

impl Cli {
    /// `stowage ARGS`.
    pub fn new<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Cli {
        let cli = Cli {
            command: program::command::<&str>([]),
            shown: "stowage".to_owned(),
        };
        cli.args(args)
    }

    /// With further arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Cli {
        for arg in args {
            self.shown.push(' ');
            self.shown.push_str(&arg.as_ref().to_string_lossy());
            self.command.arg(arg);
        }
        self
    }

    /// On a data directory, by `--data`.
    #[must_use]
    pub fn data(self, dir: &Path) -> Cli {
        self.args([OsStr::new("--data"), dir.as_os_str()])
    }

    /// Run in a directory.
    #[must_use]
    pub fn dir(mut self, dir: &Path) -> Cli {
        self.command.current_dir(dir);
        self
    }

    /// With a variable in its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Cli {
        self.command.env(name, value);
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it does not end in time, prints what is no text, or panics.
    pub async fn run(self) -> CliOutput {
        output(self.shown, self.command).await
    }

    /// Runs it and asserts that it succeeds.
    ///
    /// # Panics
    /// As [`Cli::run`], and when it fails.
    pub async fn succeeds(self) -> CliOutput {
        let output = self.run().await;
        assert_eq!(output.status, 0, "{output}");
        output
    }

    /// Runs it and asserts that it ends with this status.
    ///
    /// # Panics
    /// As [`Cli::run`], and when it ends with another status.
    pub async fn fails(self, status: i32) -> CliOutput {
        let output = self.run().await;
        assert_eq!(output.status, status, "{output}");
        output
    }

    /// Starts it and lets it run: a command that goes on until it is told to end.
    pub fn spawn(self) -> Process {
        Process::spawn(self.shown, self.command)
    }
}

/// What a command printed and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CliOutput {
    shown: String,
    /// The exit status; -1 for a command that a signal ended.
    pub status: i32,
    /// What it printed to stdout.
    pub stdout: String,
    /// What it printed to stderr.
    pub stderr: String,
}

impl CliOutput {
    /// What was printed to stdout, as JSON on one line.
    ///
    /// # Panics
    /// When it is not that.
    pub fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{self}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl fmt::Display for CliOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CliOutput {
            shown,
            status,
            stdout,
            stderr,
        } = self;
        write!(f, "`{shown}` ended with {status}:\n{stdout}{stderr}")
    }
}

/// Runs a command to its end.
pub(crate) async fn output(shown: String, mut command: Command) -> CliOutput {
    command.stdin(std::process::Stdio::null()).kill_on_drop(true);
    let output = within(&shown, command.output()).await.expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).unwrap_or_else(|error| panic!("{shown}: {error}"));
    let output = CliOutput {
        status: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
        shown,
    };
    assert!(!output.stderr.contains("panicked"), "{output}");
    output
}

/// Waits until a command that was started by [`Cli::spawn`] has ended.
///
/// # Panics
/// When it does not in time.
pub async fn finished(mut process: Process) -> CliOutput {
    let status = process.finished().await;
    CliOutput {
        shown: process.shown().to_owned(),
        status: status.code().unwrap_or(-1),
        stdout: process.stdout(),
        stderr: process.stderr(),
    }
}
