//! What all transfers share: the tasks, the database, the cloud and the feed.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::{Mutex, MutexGuard};
use stowage_cloud::{Cloud, Hash};
use stowage_storage::{Error as StorageError, Store, UpdateError};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::audit_tickets::AuditTickets;
use crate::blob_checks::BlobChecks;
use crate::config::Config;
use crate::disk::Roots;
use crate::feed::Feed;
use crate::outcome::Outcome;
use crate::row::Direction;
use crate::table;
use crate::task::Task;
use crate::tasks::Tasks;

/// The most connections of all downloads, not counting the first of each.
const MORE_CONNECTIONS: usize = 16;

/// What all transfers share.
pub(crate) struct Engine {
    pub(crate) store: Store,
    pub(crate) cloud: Cloud,
    pub(crate) feed: Feed,
    pub(crate) config: Config,
    pub(crate) roots: Roots,
    pub(crate) audit_tickets: AuditTickets,
    pub(crate) blob_checks: BlobChecks,
    /// Held while free space is checked and reserved, so that two downloads do not count the same
    /// bytes.
    pub(crate) reserving: tokio::sync::Mutex<()>,
    /// A permit for each connection of a download beyond its first. Bounds the memory of all
    /// downloads.
    pub(crate) more_connections: Arc<Semaphore>,
    next_id: AtomicU64,
    tasks: Mutex<Tasks>,
    /// Notified when a task may be ready to run.
    pub(crate) wake: Notify,
    /// Cancelled when the host shuts down.
    pub(crate) stop: CancellationToken,
}

impl Engine {
    pub(crate) fn new(
        store: Store,
        cloud: Cloud,
        feed: Feed,
        config: Config,
        roots: Roots,
    ) -> Result<Engine, StorageError> {
        let (tasks, next_id) = table::all(&store)?;
        let engine = Engine {
            store,
            cloud,
            feed,
            config,
            roots,
            audit_tickets: AuditTickets::default(),
            blob_checks: BlobChecks::default(),
            reserving: tokio::sync::Mutex::new(()),
            more_connections: Arc::new(Semaphore::new(MORE_CONNECTIONS)),
            next_id: AtomicU64::new(next_id),
            tasks: Mutex::new(Tasks::default()),
            wake: Notify::new(),
            stop: CancellationToken::new(),
        };
        for task in tasks {
            let id = task.id;
            engine.tasks().add_stored(task);
            engine.publish(id);
        }
        Ok(engine)
    }

    pub(crate) fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock()
    }

    pub(crate) fn new_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Runs `work`, unless the host shuts down meanwhile.
    pub(crate) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Outcome> {
        self.stop.run_until_cancelled(work).await.ok_or(Outcome::Stopped)
    }

    /// Publishes the current row of a task in the feed.
    pub(crate) fn publish(&self, id: u64) {
        let tasks = self.tasks();
        let row = tasks.get(id).map(|(task, transferred)| {
            let source = match task.direction {
                Direction::Upload => task.file.hash.parse().map(|hash| self.temp_path(&hash)).ok(),
                Direction::Download => None,
            };
            task.row(transferred, source.unwrap_or_default().display().to_string())
        });
        // The lock is still held, so that rows reach the feed in order.
        if let Some(row) = row {
            self.feed.publish(row);
        }
    }

    /// The path of a blob among the temp files.
    pub(crate) fn temp_path(&self, hash: &Hash) -> PathBuf {
        self.config.temp_dir.join(hash.to_hex())
    }

    /// Publishes how many bytes of a task were transferred.
    pub(crate) fn report_progress(&self, id: u64, bytes: u64) {
        self.tasks().set_transferred(id, bytes);
        self.publish(id);
    }

    /// Changes a running task durably, and then publishes it.
    pub(crate) async fn persist(
        &self,
        id: u64,
        change: impl FnOnce(&mut Task),
    ) -> Result<(), UpdateError<StorageError>> {
        let Some(mut task) = self.tasks().get(id).map(|(task, _)| task.clone()) else {
            return Ok(());
        };
        change(&mut task);
        task.revision += 1;
        self.write(&task).await?;
        self.tasks().change(id, |kept| *kept = task);
        self.publish(id);
        Ok(())
    }

    pub(crate) async fn write(&self, task: &Task) -> Result<(), UpdateError<StorageError>> {
        self.store.update::<_, StorageError>(|tx| table::put(tx, task)).await
    }
}

/// The time, in milliseconds since the epoch.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
