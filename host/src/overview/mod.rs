//! The server at a glance, for the admin API: its parts, the calls of the last seconds, and what
//! needs a person.

mod facts;
mod warnings;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use stowage_cloud::Health;
use stowage_deploy::api::{self, DataStatus, HistoryEntry, SpaceStatus};
use stowage_deploy::{DeployError, Deployer};
use stowage_storage::Store;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::backups::Backups;
use crate::console::now_ms;
use crate::journal::Journal;
use crate::services::Services;
use crate::traffic::Traffic;
use facts::Facts;
pub(crate) use facts::{Disk, disk};

/// How often the outbox is looked at, in seconds.
const OUTBOX_INTERVAL: u64 = 15;
/// Entries of the history that are looked at for what the host did by itself.
const HISTORY: usize = 20;

/// What the overview is made of. A cheap handle.
#[derive(Clone)]
pub(crate) struct Overview(Arc<Parts>);

/// The parts of a server that the overview asks.
pub(crate) struct Parts {
    /// The data directory.
    pub(crate) data: PathBuf,
    pub(crate) store: Store,
    pub(crate) services: Services,
    pub(crate) deployer: Deployer,
    pub(crate) backups: Backups,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) journal: Journal,
    pub(crate) samples: Samples,
}

/// What is only seen by looking again and again.
#[derive(Debug)]
pub(crate) struct Samples {
    started_ms: u64,
    seen: Mutex<Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    /// The first change of the outbox, and since when it is the first.
    outbox: Option<(u64, u64)>,
    /// Changes in the outbox; none before it was looked at.
    outbox_changes: Option<u64>,
    failed_batches: u64,
    /// When the database last failed.
    database_failed_ms: Option<u64>,
}

impl Default for Samples {
    fn default() -> Self {
        Samples {
            started_ms: now_ms(),
            seen: Mutex::default(),
        }
    }
}

impl Overview {
    pub(crate) fn new(parts: Parts) -> Overview {
        Overview(Arc::new(parts))
    }

    /// Ends a second of the calls every second, and looks at what nobody reports, until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut count: u64 = 0;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            // The first tick comes at once: no second has passed.
            if count > 0 {
                self.0.traffic.calls.end_second(now_ms() / 1000 - 1);
            }
            self.0.look_at_database();
            if count.is_multiple_of(OUTBOX_INTERVAL) {
                self.0.look_at_outbox();
            }
            count += 1;
        }
    }

    /// Changes in the outbox when it was last looked at; none before that. It does not wait for the
    /// disk.
    pub(crate) fn outbox(&self) -> Option<u64> {
        self.0.samples.seen.lock().outbox_changes
    }

    /// The overview, with the seconds after `since`.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub(crate) async fn report(&self, since: u64) -> Result<api::Overview, DeployError> {
        let history = self.0.deployer.history(HISTORY).await?;
        let parts = Arc::clone(&self.0);
        // It asks the disk.
        let report = tokio::task::spawn_blocking(move || parts.report(since, &history)).await;
        report.map_err(DeployError::Panicked)
    }
}

impl Parts {
    fn look_at_database(&self) {
        let failed_batches = self.store.stats().failed_batches;
        let mut seen = self.samples.seen.lock();
        if failed_batches > seen.failed_batches {
            seen.failed_batches = failed_batches;
            seen.database_failed_ms = Some(now_ms());
        }
    }

    fn look_at_outbox(&self) {
        // A database that cannot be read is reported by itself.
        let waiting = self.services.cloud.waiting().ok();
        let first = waiting.and_then(|waiting| waiting.first);
        let mut seen = self.samples.seen.lock();
        if let Some(waiting) = waiting {
            seen.outbox_changes = Some(waiting.changes);
        }
        seen.outbox = match (first, seen.outbox) {
            (Some(first), Some((same, since))) if first == same => Some((same, since)),
            (Some(first), _) => Some((first, now_ms())),
            (None, _) => None,
        };
    }

    fn report(&self, since: u64, history: &[HistoryEntry]) -> api::Overview {
        let now = now_ms();
        let seen = self.samples.seen.lock().clone();
        let cloud = &self.services.cloud;
        let outbox = cloud.waiting().unwrap_or_default().changes;
        let disk = facts::disk(&self.data);
        let health = cloud.health();
        let backup = self.backups.summary();
        let warnings = warnings::warnings(&Facts {
            now_ms: now,
            data: &self.data,
            disk,
            health: &health,
            outbox,
            outbox_since_ms: seen.outbox.map(|(_, since)| since),
            history,
            modules: &self.deployer.list(),
            recording: self.deployer.recording(),
            backup: backup.as_ref(),
            failed_transfers: facts::failed_transfers(&self.services.transfers),
            database_failed_ms: seen.database_failed_ms,
            errors: self.journal.errors(),
        });
        api::Overview {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.samples.started_ms,
            now,
            generation: self.deployer.generation(),
            data: data_status(&self.data, disk),
            space: space_status(cloud.space().name(), &health, outbox),
            memory: facts::memory(),
            connections: self.traffic.connections.count(),
            subscribers: self.traffic.subscribers.count(),
            seconds: self.traffic.calls.seconds_after(since),
            backup,
            warnings,
        }
    }
}

fn data_status(dir: &Path, disk: Option<Disk>) -> DataStatus {
    DataStatus {
        dir: dir.display().to_string(),
        free: disk.map(|disk| disk.free),
        total: disk.map(|disk| disk.total),
    }
}

fn space_status(name: &str, health: &Health, outbox: u64) -> SpaceStatus {
    let (reason, since) = match health {
        Health::Reachable => (None, None),
        Health::OutOfReach { since, why } => (Some(why.clone()), Some(facts::ms(*since))),
    };
    SpaceStatus {
        name: name.to_owned(),
        reachable: reason.is_none(),
        reason,
        since,
        outbox,
    }
}
