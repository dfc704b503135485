//! A server under test: how it is started, what it answers, how it ends.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::cli::{self, Cli, CliOutput};
use crate::program::{self, Process};
use crate::wire::{self, Reply};

/// How to start a server.
#[derive(Clone, Debug)]
pub struct Launch {
    data: PathBuf,
    listen: String,
    space: Option<String>,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

impl Launch {
    /// A server on a data directory, which is created, with the default space.
    pub fn new(data: impl Into<PathBuf>) -> Launch {
        Launch {
            data: data.into(),
            listen: "127.0.0.1:0".to_owned(),
            space: None,
            args: Vec::new(),
            env: Vec::new(),
        }
    }

    /// Listening elsewhere than on a free port of 127.0.0.1.
    #[must_use]
    pub fn listen(mut self, listen: impl Into<String>) -> Launch {
        self.listen = listen.into();
        self
    }

    /// With the space at this URL.
    #[must_use]
    pub fn space(mut self, url: impl Into<String>) -> Launch {
        self.space = Some(url.into());
        self
    }

    /// With more arguments.
    #[must_use]
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Launch {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// With a variable in its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Launch {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    fn command(&self) -> Command {
        let mut args = vec!["serve".to_owned(), "--listen".into(), self.listen.clone()];
        args.extend(["--data".into(), self.data.display().to_string()]);
        if let Some(space) = &self.space {
            args.extend(["--space".into(), space.clone()]);
        }
        args.extend(self.args.iter().cloned());
        let mut command = program::command(args);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a server that refuses to start, to its end.
    ///
    /// # Panics
    /// When it listens, or ends with success.
    pub async fn refused(&self) -> CliOutput {
        let output = cli::output("stowage serve".to_owned(), self.command()).await;
        assert!(output.status != 0 && output.stdout.is_empty(), "{output}");
        output
    }

    /// Starts the server and does not wait for anything.
    pub fn spawn(&self) -> Process {
        Process::spawn("stowage serve", self.command())
    }

    /// Starts the server and waits until it listens or ends.
    ///
    /// # Errors
    /// What it printed to stderr before it ended without listening.
    ///
    /// # Panics
    /// When it does neither in this time.
    pub async fn try_start(self, patience: Duration) -> Result<TestHost, String> {
        let mut process = self.spawn();
        let line = tokio::select! {
            line = process.first_line() => line,
            () = tokio::time::sleep(patience) => panic!("it neither listens nor ends: {}", process.describe()),
        };
        match line {
            Some(line) => Ok(TestHost::listening(self, process, &line)),
            None => {
                process.finished().await;
                Err(process.stderr())
            }
        }
    }

    /// Starts the server and waits until it listens.
    pub async fn start(self) -> TestHost {
        TestHost::spawn(self).await
    }
}

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct TestHost {
    launch: Launch,
    process: Process,
    url: String,
}

impl TestHost {
    async fn spawn(launch: Launch) -> TestHost {
        let process = launch.spawn();
        let line = process
            .until_printed("the server listens", |lines| lines.front().cloned())
            .await;
        TestHost::listening(launch, process, &line)
    }

    /// A server that printed its first line.
    fn listening(launch: Launch, process: Process, line: &str) -> TestHost {
        let url = line
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("the server printed {line:?}"))
            .to_owned();
        TestHost { launch, process, url }
    }

    /// The address where it listens.
    ///
    /// # Panics
    /// When it listens on a unix socket.
    pub fn address(&self) -> SocketAddr {
        let address = self.url.split_once("://").and_then(|(_, address)| address.parse().ok());
        address.unwrap_or_else(|| panic!("{} is no address", self.url))
    }

    /// The address as the server printed it: a URL, or `unix:` and a path.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The link into the console that it printed.
    ///
    /// # Panics
    /// When it printed none in time.
    pub async fn console_link(&self) -> String {
        let printed = self.process.until_printed("the link into the console", |lines| {
            lines
                .iter()
                .find_map(|line| line.strip_prefix("console: ").map(str::to_owned))
        });
        printed.await
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        &self.launch.data
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The last lines of its log.
    pub fn log(&self) -> String {
        self.process.stderr()
    }

    /// Calls a method by its path, and returns the envelope.
    pub async fn call(&self, method: &str, params: Value) -> Value {
        let reply = self.post(&format!("/{method}"), params.to_string()).await;
        assert_eq!(reply.status, 200, "{method} {params}: {:?}", reply.body);
        reply.envelope()
    }

    /// Calls a method that succeeds, and returns its data.
    ///
    /// # Panics
    /// When it fails.
    pub async fn ok(&self, method: &str, params: Value) -> Value {
        let mut envelope = self.call(method, params.clone()).await;
        assert_eq!(envelope["code"], 200, "{method} {params}: {envelope}\n{}", self.log());
        assert_eq!(envelope["message"], Value::Null, "{method}: {envelope}");
        envelope["data"].take()
    }

    /// Calls a method, and returns the code.
    pub async fn code(&self, method: &str, params: Value) -> i64 {
        let envelope = self.call(method, params).await;
        let code = envelope["code"].as_i64().expect("a code is a whole number");
        assert_eq!(envelope["message"].is_null(), code == 200, "{method}: {envelope}");
        assert!(code == 200 || envelope["data"].is_null(), "{method}: {envelope}");
        code
    }

    /// A command of the program on this server's data directory.
    pub fn cli<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Cli {
        Cli::new(args).data(self.data())
    }

    /// Posts a body.
    pub async fn post(&self, path: &str, body: impl Into<bytes::Bytes>) -> Reply {
        wire::send(self.address(), wire::post(self.address(), path, body)).await
    }

    /// Syncs the local lists with the space.
    pub async fn init(&self) {
        self.ok("initStorage$IMDataFromSdk", json!({})).await;
    }

    /// Ends it as an operator does, and waits for its end.
    ///
    /// # Panics
    /// When it does not end with success.
    pub async fn stop(mut self) -> Launch {
        self.terminate();
        let status = self.ended().await;
        assert!(status.success(), "after SIGTERM: {status}; its log:\n{}", self.log());
        self.launch.clone()
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        self.process.ended().await
    }

    /// Kills it, and waits for its end.
    pub async fn kill(self) -> Launch {
        self.signal_kill();
        self.dead().await
    }

    /// Kills it while calls may be running. [`TestHost::dead`] waits for its end.
    pub fn signal_kill(&self) {
        self.process.signal(Signal::KILL);
    }

    /// Waits until it has ended, however it did.
    pub async fn dead(mut self) -> Launch {
        self.ended().await;
        self.launch.clone()
    }

    /// Stops it and starts it again on the same data and space.
    pub async fn restart(self) -> TestHost {
        self.stop().await.start().await
    }
}
