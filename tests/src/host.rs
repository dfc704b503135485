//! The program under test, as a child process.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

use crate::fixture::SpaceFixture;
use crate::wait::within;
use crate::wire::{self, Reply};

/// Lines of the program's log that are kept for a failure.
const LOG_LINES: usize = 400;

/// The directory that holds `release/`, where the test runs from.
///
/// # Panics
/// When the executable does not lie in a target directory.
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
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_ascii_uppercase();
        // Loopback is not to be reached through a proxy, nor a space with somebody's own credentials.
        if text.starts_with("STOWAGE_") || text.starts_with("AWS_") || text.ends_with("_PROXY") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command of the program to its end.
///
/// # Panics
/// When it does not end in time.
pub async fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> std::process::Output {
    within("a command", command(args).output())
        .await
        .expect("the program starts")
}

/// How to start a server.
#[derive(Clone, Debug)]
pub struct Launch {
    data: PathBuf,
    space: Option<String>,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

impl Launch {
    /// On a data directory, which is made, with the default space.
    pub fn new(data: impl Into<PathBuf>) -> Launch {
        Launch {
            data: data.into(),
            space: None,
            args: Vec::new(),
            env: Vec::new(),
        }
    }

    /// With the space of this URL.
    #[must_use]
    pub fn space(mut self, url: impl Into<String>) -> Launch {
        self.space = Some(url.into());
        self
    }

    /// With further arguments.
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

    /// The whole command, for a server that is not expected to come up.
    pub fn command(&self) -> Command {
        let mut args = vec!["serve".to_owned(), "--listen".into(), "127.0.0.1:0".into()];
        args.extend(["--data".into(), self.data.display().to_string()]);
        if let Some(space) = &self.space {
            args.extend(["--space".into(), space.clone()]);
        }
        args.extend(self.args.iter().cloned());
        let mut command = command(args);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the server and waits until it listens.
    pub async fn start(self) -> TestHost {
        warm(&self.data).await;
        TestHost::spawn(self).await
    }
}

/// The compiled modules, made once: compiling takes longer than most tests.
static CACHE: OnceCell<Vec<(String, Vec<u8>)>> = OnceCell::const_new();

/// Gives a new data directory what a first start would compile.
async fn warm(data: &Path) {
    let cache = data.join("cache");
    if cache.exists() {
        return;
    }
    let files = CACHE
        .get_or_init(|| async {
            let dir = tempfile::tempdir().expect("a temporary directory");
            let host = TestHost::spawn(Launch::new(dir.path().join("data"))).await;
            host.stop().await;
            let entries = fs::read_dir(dir.path().join("data/cache")).expect("the server keeps a cache");
            entries
                .map(|entry| {
                    let path = entry.expect("a readable directory").path();
                    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    (name, fs::read(path).expect("a readable file"))
                })
                .collect()
        })
        .await;
    fs::create_dir_all(data).expect("a writable directory");
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&cache)
        .expect("a writable directory");
    for (name, bytes) in files {
        fs::write(cache.join(name), bytes).expect("a writable directory");
    }
}

/// The last lines of a log.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<VecDeque<String>>>);

impl Log {
    async fn keep(self, stderr: impl AsyncRead + Unpin) {
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() == LOG_LINES {
                kept.pop_front();
            }
            kept.push_back(line);
        }
    }

    fn text(&self) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct TestHost {
    launch: Launch,
    child: Child,
    address: SocketAddr,
    log: Log,
}

impl TestHost {
    async fn spawn(launch: Launch) -> TestHost {
        let mut child = launch
            .command()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let log = Log::default();
        let stderr = child.stderr.take().expect("stderr is a pipe");
        tokio::spawn(log.clone().keep(stderr));
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is a pipe")).lines();
        let line = within("the server listens", stdout.next_line()).await;
        let address = match &line {
            Ok(Some(line)) => line
                .strip_prefix("listening on http://")
                .and_then(|address| address.parse().ok()),
            _ => None,
        };
        let Some(address) = address else {
            let status = within("the server ends", child.wait()).await;
            panic!(
                "the server said {line:?} and ended with {status:?}; its log:\n{}",
                log.text()
            );
        };
        TestHost {
            launch,
            child,
            address,
            log,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        &self.launch.data
    }

    /// Its process.
    ///
    /// # Panics
    /// When it has ended.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("the server runs")
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        self.log.text()
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

    /// Posts a body.
    pub async fn post(&self, path: &str, body: impl Into<bytes::Bytes>) -> Reply {
        wire::send(self.address, wire::post(self.address, path, body)).await
    }

    /// Brings the local lists in line with the space.
    pub async fn init(&self) {
        self.ok("initStorage$IMDataFromSdk", json!({})).await;
    }

    /// Ends it as an operator does, and waits until it has ended well.
    ///
    /// # Panics
    /// When it does not.
    pub async fn stop(mut self) -> Launch {
        self.terminate();
        let status = self.ended().await;
        assert!(status.success(), "after SIGTERM: {status}; its log:\n{}", self.log());
        self.launch.clone()
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        within("the server ends", self.child.wait())
            .await
            .expect("the server was not waited for before")
    }

    /// Ends it without a warning.
    pub async fn kill(self) -> Launch {
        self.signal_kill();
        self.dead().await
    }

    /// Ends it without a warning, while others may still talk to it; see [`TestHost::dead`].
    pub fn signal_kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Waits until it has ended, however it did.
    pub async fn dead(mut self) -> Launch {
        self.ended().await;
        self.launch.clone()
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        kill_process(pid.expect("the server runs"), signal).expect("the server is ours");
    }

    /// Ends it and starts it again on the same data and space.
    pub async fn restart(self) -> TestHost {
        self.stop().await.start().await
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the log of the server:\n{}", self.log());
        }
    }
}

/// A server with a space of its own, both in a temporary directory.
#[derive(Debug)]
pub struct Scene {
    /// The server.
    pub host: TestHost,
    /// Its space.
    pub space: SpaceFixture,
    /// What holds both.
    pub dir: TempDir,
}

impl Scene {
    /// A server on an empty space.
    pub async fn new() -> Scene {
        Scene::with(|_| {}).await
    }

    /// A server that has taken over a space.
    pub async fn with(space: impl FnOnce(&SpaceFixture)) -> Scene {
        Scene::launched(space, |launch| launch).await
    }

    /// A server started in a special way that has taken over a space.
    pub async fn launched(fill: impl FnOnce(&SpaceFixture), how: impl FnOnce(Launch) -> Launch) -> Scene {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let space = SpaceFixture::create(&dir.path().join("space"));
        fill(&space);
        let launch = Launch::new(dir.path().join("data")).space(space.url());
        let host = how(launch).start().await;
        host.init().await;
        Scene { host, space, dir }
    }

    /// A second server on the same space, with data of its own.
    pub async fn another(&self, name: &str) -> TestHost {
        Launch::new(self.dir.path().join(name))
            .space(self.space.url())
            .start()
            .await
    }

    /// Puts bytes among the local temp files, as a client does, and returns their hash.
    ///
    /// # Panics
    /// When the directory cannot be written.
    pub fn temp_bytes(&self, bytes: &[u8]) -> String {
        let hash = crate::fixture::hash_of(bytes);
        let dir = self.host.data().join("temp");
        fs::create_dir_all(&dir).expect("a writable directory");
        fs::write(dir.join(crate::fixture::hex_of(&hash)), bytes).expect("a writable directory");
        hash
    }

    /// The folder that a platform's downloads go to.
    pub fn downloads(&self, platform: u8) -> PathBuf {
        self.host.data().join("downloads").join(platform.to_string())
    }
}
