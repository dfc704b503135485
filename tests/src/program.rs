//! The program under test: where it is, how a command of it begins, and a process of it.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::wait::{PATIENCE, within, within_time};

/// The lines that are kept of each stream of a process: the last ones.
const KEPT_LINES: usize = 1000;

/// The directory that holds `release/`, where the test runs from.
///
/// # Panics
/// When the test does not lie in a target directory.
pub fn target_dir() -> PathBuf {
    let program = std::env::current_exe().expect("a program knows its executable");
    let target = program.ancestors().find(|dir| dir.join("release").is_dir());
    target
        .expect("TARGET/release/deps/TEST or TARGET/release/bench")
        .to_owned()
}

/// The program: `STOWAGE_BIN`, or the one built beside the test.
///
/// # Panics
/// When it has not been built.
pub fn program() -> PathBuf {
    let program = std::env::var_os("STOWAGE_BIN").map_or_else(|| target_dir().join("release/stowage"), PathBuf::from);
    assert!(
        program.is_file(),
        "{} is missing: run `make build` first",
        program.display()
    );
    program
}

/// A command of the program that sees no settings but those of its arguments.
pub fn command<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(program());
    command.args(args);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_ascii_uppercase();
        // No proxy between the test and loopback, and nobody's own credentials for a space.
        // And nobody's own taste of colours.
        let is_color = matches!(text.as_str(), "NO_COLOR" | "CLICOLOR" | "CLICOLOR_FORCE");
        if text.starts_with("STOWAGE_") || text.starts_with("AWS_") || text.ends_with("_PROXY") || is_color {
            command.env_remove(name);
        }
    }
    command
}

/// The lines that a stream has printed so far. The sender is dropped at the end of the stream.
type Lines = watch::Receiver<VecDeque<String>>;

/// A running process of the program. Its output is read as it comes. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    shown: String,
    child: Child,
    stdout: Lines,
    stderr: Lines,
    readers: [JoinHandle<()>; 2],
}

impl Process {
    /// Starts a command; `shown` is what failures call it.
    ///
    /// # Panics
    /// When it does not start.
    pub fn spawn(shown: impl Into<String>, mut command: Command) -> Process {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let (stdout, out) = read(child.stdout.take().expect("stdout is a pipe"));
        let (stderr, err) = read(child.stderr.take().expect("stderr is a pipe"));
        Process {
            shown: shown.into(),
            child,
            stdout,
            stderr,
            readers: [out, err],
        }
    }

    /// Its number.
    ///
    /// # Panics
    /// When it has ended.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("the process runs")
    }

    /// What it has printed to stdout.
    pub fn stdout(&self) -> String {
        text(&self.stdout)
    }

    /// What it has printed to stderr: the log of a server.
    pub fn stderr(&self) -> String {
        text(&self.stderr)
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When it has ended.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid().cast_signed()).expect("a number that is not 0");
        kill_process(pid, signal).expect("the process is ours");
    }

    /// The first line of stdout, or `None` if it ends without one.
    pub async fn first_line(&self) -> Option<String> {
        let mut lines = self.stdout.clone();
        // An error says that the stream has ended. It may have printed before.
        let _ = lines.wait_for(|lines| !lines.is_empty()).await;
        self.stdout.borrow().front().cloned()
    }

    /// Waits until `found` gives a value for the lines of stdout.
    ///
    /// # Panics
    /// When it does not in time, or the process closes stdout before.
    pub async fn until_printed<T>(&self, what: &str, found: impl FnMut(&VecDeque<String>) -> Option<T>) -> T {
        self.until_printed_within(PATIENCE, what, found).await
    }

    /// [`Process::until_printed`] with another bound.
    ///
    /// # Panics
    /// As [`Process::until_printed`].
    pub async fn until_printed_within<T>(
        &self,
        patience: Duration,
        what: &str,
        mut found: impl FnMut(&VecDeque<String>) -> Option<T>,
    ) -> T {
        let mut lines = self.stdout.clone();
        let mut value = None;
        let waiting = lines.wait_for(|lines| {
            value = found(lines);
            value.is_some()
        });
        let waited = within_time(patience, what, waiting).await.map(drop);
        value.unwrap_or_else(|| panic!("{what}: {waited:?}; {}", self.describe()))
    }

    /// Waits until it has ended, however it did. Processes that it started may go on, and print.
    ///
    /// # Panics
    /// When it does not in time.
    pub async fn ended(&mut self) -> ExitStatus {
        let status = within(&format!("the end of `{}`", self.shown), self.child.wait()).await;
        status.expect("a child can be waited for")
    }

    /// Waits until it has ended and all that it printed is read.
    ///
    /// # Panics
    /// As [`Process::ended`].
    pub async fn finished(&mut self) -> ExitStatus {
        let status = self.ended().await;
        for reader in &mut self.readers {
            let read = within("the end of its output", reader).await;
            read.expect("a reader does not panic");
        }
        status
    }

    /// What failures call it.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The command and what it has printed, for failures.
    pub fn describe(&self) -> String {
        format!("{}:\n{}{}", self.shown, self.stdout(), self.stderr())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.describe());
        }
    }
}

/// Reads a stream to its end, line by line, in a task of its own.
fn read(stream: impl AsyncRead + Unpin + Send + 'static) -> (Lines, JoinHandle<()>) {
    let (sender, lines) = watch::channel(VecDeque::new());
    let reader = tokio::spawn(async move {
        let mut stream = BufReader::new(stream).lines();
        while let Ok(Some(line)) = stream.next_line().await {
            sender.send_modify(|lines| {
                if lines.len() == KEPT_LINES {
                    lines.pop_front();
                }
                lines.push_back(line);
            });
        }
    });
    (lines, reader)
}

fn text(lines: &Lines) -> String {
    lines.borrow().iter().map(|line| format!("{line}\n")).collect()
}
