//! The watched directory: a `NAME.wasm` that is put into it goes live once it is completely
//! written.
//!
//! The directory is scanned when the system reports a change, and every second, because not every
//! file system reports changes. `ledger.rs` decides which files are ready.

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

/// How long a file must be unchanged before it goes live. Files that change within this time go
/// live together.
pub const SETTLE: Duration = Duration::from_millis(500);

/// How often the directory is scanned when no change is reported.
const SCAN_INTERVAL: Duration = Duration::from_secs(1);

/// The least time between two scans, however often changes are reported.
const MIN_SCAN_INTERVAL: Duration = Duration::from_millis(50);

/// Entries of the history that are searched for versions that were live before.
const HISTORY_ENTRIES: usize = 100;

/// Most bytes of modules that go live together.
const MAX_SET_BYTES: usize = 256 << 20;

/// Why a directory cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// It is missing, or not a directory.
    #[error("--watch-modules {path}: expected a directory", path = path.display())]
    NoDirectory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The server keeps its own files there.
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
    /// It is logged that the directory cannot be read.
    is_unreadable: bool,
    /// It is logged that the directory has too many modules.
    is_too_full: bool,
}

impl Watched {
    /// Watches `dir`, which must not be one of the server's own folders in its data directory
    /// `data`.
    ///
    /// # Errors
    /// When it is not a directory, or one of the server's own.
    pub fn open(dir: &Path, data: &Path) -> Result<Watched, WatchError> {
        let no_directory = |source| WatchError::NoDirectory {
            path: dir.to_owned(),
            source,
        };
        let path = std::fs::canonicalize(dir).map_err(no_directory)?;
        std::fs::read_dir(&path).map_err(no_directory)?;
        for own in ["modules", "cache", "downloads", "temp"] {
            // A folder that does not exist yet contains nothing.
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

    /// Watches until `stop` is cancelled. It never overrides a failed check.
    pub async fn run(mut self, deployer: Deployer, stop: CancellationToken) {
        self.ignore_replaced(&deployer).await;
        let (poke, mut pokes) = mpsc::channel(1);
        let _watcher = watcher(self.directory.path(), poke);
        loop {
            let scanned = Instant::now();
            // Not interrupted: a swap that has begun ends.
            let next = self.scan(&deployer).await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep_until(scanned + next.clamp(MIN_SCAN_INTERVAL, SCAN_INTERVAL)) => {}
                Some(()) = pokes.recv() => sleep_until(scanned + MIN_SCAN_INTERVAL).await,
            }
        }
    }

    /// Ignores versions that were live and are no longer: somebody, or a probation, has replaced
    /// them.
    async fn ignore_replaced(&mut self, deployer: &Deployer) {
        let history = match deployer.history(HISTORY_ENTRIES).await {
            Ok(history) => history,
            Err(error) => {
                tracing::warn!(%error, "the history of the modules cannot be read");
                return;
            }
        };
        let live = live(deployer);
        for (name, version) in history.into_iter().flat_map(|entry| entry.modules) {
            if live.get(&name) != Some(&version) {
                self.ledger.ignore(name, version);
            }
        }
    }

    /// Scans the directory and puts live what is ready. Returns when the next scan is due.
    async fn scan(&mut self, deployer: &Deployer) -> Duration {
        let listing = match self.directory.list().await {
            Ok(listing) => listing,
            Err(error) => {
                if !std::mem::replace(&mut self.is_unreadable, true) {
                    tracing::warn!(directory = %self.directory.path().display(), %error, "the watched directory cannot be read");
                }
                return SCAN_INTERVAL;
            }
        };
        self.is_unreadable = false;
        let Listing { files, surplus } = listing;
        if !std::mem::replace(&mut self.is_too_full, surplus > 0) && surplus > 0 {
            tracing::warn!(
                surplus,
                "the watched directory has too many modules; the last ones by name are ignored"
            );
        }
        let now = Instant::now();
        for name in self.ledger.update_files(&files, now) {
            tracing::info!(
                module = name,
                "a file has left the watched directory; its module stays live until it is unloaded"
            );
        }
        for name in self.ledger.due_for_reading(now) {
            let bytes = match self.directory.read(&name).await {
                Ok(bytes) => bytes,
                Err(error) => {
                    if self.ledger.mark_unreadable(&name) {
                        tracing::warn!(module = name, %error, "a file of the watched directory cannot be read");
                    }
                    continue;
                }
            };
            self.ledger.update_content(&name, version_of(&bytes), Instant::now());
        }
        match self.ledger.ready(&live(deployer), Instant::now()) {
            Ready::Nothing => SCAN_INTERVAL,
            Ready::Wait(time) => time,
            Ready::Set(set) => {
                self.swap(deployer, set).await;
                MIN_SCAN_INTERVAL
            }
        }
    }

    /// Puts a set live. A set that is refused is ignored until it changes.
    async fn swap(&mut self, deployer: &Deployer, set: Vec<(String, String)>) {
        let mut sources = Vec::with_capacity(set.len());
        for (name, version) in &set {
            match self.directory.read(name).await {
                Ok(bytes) if version_of(&bytes) == *version => sources.push(Source {
                    name: name.clone(),
                    bytes,
                    from: self.directory.file(name).display().to_string(),
                }),
                // It has changed since the scan: the whole set waits for it.
                _ => {
                    self.ledger.restart(name, Instant::now());
                    return;
                }
            }
            if sources.iter().map(|source| source.bytes.len()).sum::<usize>() > MAX_SET_BYTES {
                tracing::error!(
                    max_mib = MAX_SET_BYTES >> 20,
                    "modules of the watched directory are ignored: those that changed together are too large"
                );
                self.ledger.finish(&set);
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
                tracing::info!(modules = %names.join(" "), generation = report.generation, "modules of the watched directory went live");
                self.ledger.finish(&set);
            }
            Err(DeployError::Refused { report }) => {
                tracing::error!(
                    modules = %names.join(" "),
                    refused = %report.name,
                    version = %report.version,
                    findings = %findings(&report),
                    "modules of the watched directory were refused; they are ignored until the file changes"
                );
                self.ledger.refuse(&set, &report.name);
            }
            Err(DeployError::Busy { name, reason }) => {
                if self.ledger.postpone(Instant::now()) {
                    tracing::warn!(modules = %names.join(" "), module = name, reason, "modules of the watched directory wait: the deployer is busy");
                }
            }
            Err(error) => {
                tracing::error!(
                    modules = %names.join(" "),
                    %error,
                    "modules of the watched directory could not go live; they are ignored until a file changes"
                );
                self.ledger.finish(&set);
            }
        }
    }
}

/// The live modules: names and versions.
fn live(deployer: &Deployer) -> HashMap<String, String> {
    let modules = deployer.list().into_iter();
    modules.map(|module| (module.name, module.version)).collect()
}

fn version_of(bytes: &[u8]) -> String {
    format!("{:#}", Version::of(bytes))
}

/// The failed steps of a check, on one line.
fn findings(report: &CheckReport) -> String {
    let failed = report.steps.iter().filter(|step| !step.passed);
    let lines: Vec<_> = failed
        .map(|step| format!("{}: {}", step.name, step.lines.join("; ")))
        .collect();
    lines.join(" | ")
}

/// A file that was open for writing was closed.
const WRITTEN: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));

/// Sends a poke when the system reports a change. If it cannot, the directory is still scanned
/// every second.
fn watcher(path: &Path, poke: mpsc::Sender<()>) -> Option<notify::RecommendedWatcher> {
    let made = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading, as this program does, is no change. Lost events may have been changes.
        let is_change = match &event {
            Ok(event) => !event.kind.is_access() || event.kind == WRITTEN,
            Err(_) => true,
        };
        if is_change {
            // If the channel is full, a poke waits already.
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
            tracing::warn!(%error, "the system does not report changes of the watched directory; it is scanned every second");
            None
        }
    }
}
