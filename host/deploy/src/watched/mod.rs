//! The watched directory: a `NAME.wasm` that is put into it goes live once it has been written to its end.
//!
//! The directory is looked at when the system says that something changed, and every second besides, for not every file system
//! says so. What is ready is decided in `ledger.rs`.

mod directory;
mod ledger;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecursiveMode, Watcher as _};
use stowage_logic::{Thresholds, Version};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::api::CheckReport;
use crate::{DeployError, Deployer, Source, SwapOptions};
use directory::{Directory, Listing};
use ledger::{Ledger, Ready};

/// Who asked, as the history has it.
const BY: &str = "watch";

/// How long a file must have been the same before it is taken, and how far apart changes may be that go live together.
pub const SETTLE: Duration = Duration::from_millis(500);

/// How often the directory is looked at when nothing is heard of it.
const LOOK: Duration = Duration::from_secs(1);

/// The least time between two looks, however often the system says that something changed.
const LEAST: Duration = Duration::from_millis(50);

/// Entries of the history in which a version is looked for that has been live before.
const HISTORY: usize = 100;

/// Bytes of the modules that go live together.
const MOST_SET_BYTES: usize = 256 << 20;

/// Why a directory cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// It is missing, or is no directory.
    #[error("--watch-modules {path}: expected a directory", path = path.display())]
    NoDirectory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The server writes there itself.
    #[error("--watch-modules {path}: the server keeps its own files there; name another directory", path = path.display())]
    OwnDirectory {
        /// The directory.
        path: PathBuf,
    },
}

/// A directory whose modules go live by themselves.
#[derive(Debug)]
pub struct Watched {
    directory: Directory,
    ledger: Ledger,
    /// That the directory cannot be read, or has too much, has been said.
    is_unreadable: bool,
    is_too_full: bool,
}

impl Watched {
    /// Watches `dir`, which must not lie where the server itself keeps modules: in its data directory `data`.
    ///
    /// # Errors
    /// It is no directory, or one of the server's own.
    pub fn open(dir: &Path, data: &Path) -> Result<Watched, WatchError> {
        let no_directory = |source| WatchError::NoDirectory {
            path: dir.to_owned(),
            source,
        };
        let path = std::fs::canonicalize(dir).map_err(no_directory)?;
        std::fs::read_dir(&path).map_err(no_directory)?;
        for own in ["modules", "cache", "downloads", "temp"] {
            // One that is not there yet is none to lie in.
            if std::fs::canonicalize(data.join(own)).is_ok_and(|own| path.starts_with(own)) {
                return Err(WatchError::OwnDirectory { path });
            }
        }
        Ok(Watched {
            directory: Directory::new(path),
            ledger: Ledger::new(SETTLE),
            is_unreadable: false,
            is_too_full: false,
        })
    }

    /// Watches until `stop` is cancelled. Never forces a module.
    pub async fn run(mut self, deployer: Deployer, stop: CancellationToken) {
        self.forgo_replaced(&deployer).await;
        let (poke, mut pokes) = mpsc::channel(1);
        let _watcher = watcher(self.directory.path(), poke);
        loop {
            let looked = Instant::now();
            // Not broken off: a swap that has begun comes to its end.
            let next = self.look(&deployer).await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep_until(looked + next.clamp(LEAST, LOOK)) => {}
                Some(()) = pokes.recv() => sleep_until(looked + LEAST).await,
            }
        }
    }

    /// Leaves aside the versions that were live once and are no longer: somebody, or a probation, has replaced them.
    async fn forgo_replaced(&mut self, deployer: &Deployer) {
        let history = match deployer.history(HISTORY).await {
            Ok(history) => history,
            Err(error) => {
                tracing::warn!(%error, "the history of the modules cannot be read");
                return;
            }
        };
        let live = live(deployer);
        for (name, version) in history.into_iter().flat_map(|entry| entry.modules) {
            if live.get(&name) != Some(&version) {
                self.ledger.forgo(name, version);
            }
        }
    }

    /// One look at the directory. Says in which time the next is due.
    async fn look(&mut self, deployer: &Deployer) -> Duration {
        let listing = match self.directory.list().await {
            Ok(listing) => listing,
            Err(error) => {
                if !std::mem::replace(&mut self.is_unreadable, true) {
                    tracing::warn!(directory = %self.directory.path().display(), %error, "the watched directory cannot be read");
                }
                return LOOK;
            }
        };
        self.is_unreadable = false;
        let Listing { files, surplus } = listing;
        if !std::mem::replace(&mut self.is_too_full, surplus > 0) && surplus > 0 {
            tracing::warn!(
                surplus,
                "the watched directory has too many modules; the last by name are not looked at"
            );
        }
        let now = Instant::now();
        for name in self.ledger.see(&files, now) {
            tracing::info!(
                module = name,
                "a file has left the watched directory; its module stays live until it is unloaded"
            );
        }
        for name in self.ledger.to_read(now) {
            let bytes = match self.directory.read(&name).await {
                Ok(bytes) => bytes,
                Err(error) => {
                    if self.ledger.unreadable(&name) {
                        tracing::warn!(module = name, %error, "a file of the watched directory cannot be read");
                    }
                    continue;
                }
            };
            self.ledger.read(&name, version_of(&bytes), Instant::now());
        }
        match self.ledger.ready(&live(deployer), Instant::now()) {
            Ready::Nothing => LOOK,
            Ready::Wait(time) => time,
            Ready::Set(set) => {
                self.take(deployer, set).await;
                LEAST
            }
        }
    }

    /// Puts a set live, or leaves it aside.
    async fn take(&mut self, deployer: &Deployer, set: Vec<(String, String)>) {
        let mut sources = Vec::with_capacity(set.len());
        for (name, version) in &set {
            match self.directory.read(name).await {
                Ok(bytes) if version_of(&bytes) == *version => sources.push(Source {
                    name: name.clone(),
                    bytes,
                    from: self.directory.file(name).display().to_string(),
                }),
                // It changed since it was looked at: all of them wait for it.
                _ => {
                    self.ledger.changed_again(name, Instant::now());
                    return;
                }
            }
            if sources.iter().map(|source| source.bytes.len()).sum::<usize>() > MOST_SET_BYTES {
                tracing::error!(
                    most_mib = MOST_SET_BYTES >> 20,
                    "not taken from the watched directory: the files that changed together are too large"
                );
                self.ledger.done(&set);
                return;
            }
        }
        let options = SwapOptions {
            force: false,
            by: BY,
            probation: None,
            thresholds: Thresholds::default(),
        };
        let names: Vec<_> = set.iter().map(|(name, _)| name.as_str()).collect();
        match deployer.swap(sources, options).await {
            Ok(report) => {
                tracing::info!(modules = %names.join(" "), generation = report.generation, "went live from the watched directory");
                self.ledger.done(&set);
            }
            Err(DeployError::Refused { report }) => {
                tracing::error!(
                    modules = %names.join(" "),
                    refused = %report.name,
                    version = %report.version,
                    findings = %findings(&report),
                    "not taken from the watched directory; left aside until the file changes"
                );
                self.ledger.refused(&set, &report.name);
            }
            Err(DeployError::Busy { name, reason }) => {
                if self.ledger.put_off(Instant::now()) {
                    tracing::warn!(modules = %names.join(" "), module = name, reason, "the watched directory waits");
                }
            }
            Err(error) => {
                tracing::error!(
                    modules = %names.join(" "),
                    %error,
                    "not taken from the watched directory; left aside until a file changes"
                );
                self.ledger.done(&set);
            }
        }
    }
}

/// The versions that are live.
fn live(deployer: &Deployer) -> HashMap<String, String> {
    let modules = deployer.list().into_iter();
    modules.map(|module| (module.name, module.version)).collect()
}

fn version_of(bytes: &[u8]) -> String {
    format!("{:#}", Version::of(bytes))
}

/// What failed, on one line.
fn findings(report: &CheckReport) -> String {
    let failed = report.steps.iter().filter(|step| !step.passed);
    let lines: Vec<_> = failed
        .map(|step| format!("{}: {}", step.name, step.lines.join("; ")))
        .collect();
    lines.join(" | ")
}

/// Somebody has closed a file that was open for writing.
const WRITTEN: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));

/// Pokes when the system says that something changed. Without it the directory is looked at every second.
fn watcher(path: &Path, poke: mpsc::Sender<()>) -> Option<notify::RecommendedWatcher> {
    let made = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Our own reading is no change; events that were lost may have been one.
        let is_news = match &event {
            Ok(event) => !event.kind.is_access() || event.kind == WRITTEN,
            Err(_) => true,
        };
        if is_news {
            // One poke that waits is as good as many.
            let _ = poke.try_send(());
        }
    });
    let watched = made.and_then(|mut watcher| {
        watcher.watch(path, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    match watched {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::warn!(%error, "changes of the watched directory are not told; it is looked at every second");
            None
        }
    }
}
