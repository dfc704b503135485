//! What all transfers share: the tasks, the database, the cloud and the feed.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::{Mutex, MutexGuard};
use stowage_cloud::{Cloud, Hash};
use stowage_storage::{Error as StorageError, Store, UpdateError};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::arrivals::Arrivals;
use crate::audit_tickets::AuditTickets;
use crate::blob_checks::BlobChecks;
use crate::config::Config;
use crate::disk::Roots;
use crate::feed::Feed;
use crate::limits::{self, Limiter};
use crate::outcome::Outcome;
use crate::prepare::PREPARES_AT_ONCE;
use crate::prepared_id::Origin;
use crate::row::Direction;
use crate::table;
use crate::task::Task;
use crate::tasks::Tasks;
use crate::upload_roots::UploadRoots;

/// The engine, and what stops the work that it is given to.
///
/// Each attempt at a transfer has an engine of its own. So the attempt stops when the host shuts
/// down, and when a person stops the task.
pub(crate) struct Engine {
    shared: Arc<Shared>,
    /// Cancelled when the work must stop.
    pub(crate) stop: CancellationToken,
}

/// The most connections of all downloads, not counting the first of each.
const MORE_CONNECTIONS: usize = 8;

/// What all transfers share.
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) cloud: Cloud,
    pub(crate) feed: Feed,
    pub(crate) config: Config,
    pub(crate) roots: Roots,
    pub(crate) upload_roots: UploadRoots,
    pub(crate) limiter: Limiter,
    pub(crate) audit_tickets: AuditTickets,
    pub(crate) blob_checks: BlobChecks,
    pub(crate) arrivals: Arc<Arrivals>,
    /// Held while free space is checked and reserved, so that two downloads do not count the same
    /// bytes.
    pub(crate) reserving: tokio::sync::Mutex<()>,
    /// A permit for each connection of a download beyond its first. Bounds the memory of all
    /// downloads.
    pub(crate) more_connections: Arc<Semaphore>,
    /// Limits the files that are prepared at once.
    pub(crate) preparing: Semaphore,
    /// Bytes transferred since the server started, by direction.
    pub(crate) transferred_bytes: [AtomicU64; 2],
    next_id: AtomicU64,
    tasks: Mutex<Tasks>,
    /// Notified when a task may be ready to run.
    pub(crate) wake: Notify,
}

impl Deref for Engine {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Engine {
    pub(crate) fn new(
        store: Store,
        cloud: Cloud,
        feed: Feed,
        config: Config,
        roots: Roots,
        upload_roots: UploadRoots,
    ) -> Result<Engine, StorageError> {
        let stored = table::all(&store)?;
        let limits = limits::stored(&mut store.begin(), &config)?;
        let stop = CancellationToken::new();
        let shared = Shared {
            store,
            cloud,
            feed,
            config,
            roots,
            upload_roots,
            limiter: Limiter::new(limits),
            audit_tickets: AuditTickets::default(),
            blob_checks: BlobChecks::default(),
            arrivals: Arc::default(),
            reserving: tokio::sync::Mutex::new(()),
            more_connections: Arc::new(Semaphore::new(MORE_CONNECTIONS)),
            preparing: Semaphore::new(PREPARES_AT_ONCE),
            transferred_bytes: Default::default(),
            next_id: AtomicU64::new(stored.next_id),
            tasks: Mutex::new(Tasks::new(stop.clone())),
            wake: Notify::new(),
        };
        for task in stored.removed {
            shared.tasks().remove(task, |_| String::new());
        }
        for (task, control) in stored.tasks {
            let id = task.id;
            shared.tasks().add_stored(task, control);
            shared.publish(id);
        }
        Ok(Engine {
            shared: Arc::new(shared),
            stop,
        })
    }

    /// The engine for one attempt, which `stop` ends.
    pub(crate) fn for_attempt(&self, stop: CancellationToken) -> Arc<Engine> {
        Arc::new(Engine {
            shared: self.shared.clone(),
            stop,
        })
    }

    /// Runs `work`, unless it must stop meanwhile.
    pub(crate) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Outcome> {
        self.stop.run_until_cancelled(work).await.ok_or(Outcome::Stopped)
    }
}

impl Shared {
    pub(crate) fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock()
    }

    pub(crate) fn new_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Publishes the current row of a task in the feed.
    pub(crate) fn publish(&self, id: u64) {
        let tasks = self.tasks();
        // The lock is still held, so that rows reach the feed in order.
        if let Some(row) = tasks.row(id, |task| self.source_path(task)) {
            self.feed.publish(row);
        }
    }

    /// The path of the file that a task uploads. Empty for a download, and if the bytes come from
    /// the space.
    pub(crate) fn source_path(&self, task: &Task) -> String {
        if task.direction == Direction::Download {
            return String::new();
        }
        let path = match Origin::parse(&task.prepared) {
            Some(Origin::Path { path, .. }) => return path,
            Some(Origin::Staged { from }) if !from.is_empty() => return from,
            Some(Origin::Staged { .. }) => task.file.hash.parse().map(|hash| self.staged_path(&hash)),
            Some(Origin::Space) => return String::new(),
            None => task.file.hash.parse().map(|hash| self.temp_path(&hash)),
        };
        path.unwrap_or_default().display().to_string()
    }

    /// The path of a blob among the temp files.
    pub(crate) fn temp_path(&self, hash: &Hash) -> PathBuf {
        self.config.temp_dir.join(hash.to_hex())
    }

    /// The path of a prepared copy that waits for its upload.
    pub(crate) fn staged_path(&self, hash: &Hash) -> PathBuf {
        self.config.staging_dir.join(hash.to_hex())
    }

    /// Publishes how many bytes of a task were transferred.
    pub(crate) fn report_progress(&self, id: u64, bytes: u64) {
        self.tasks().set_transferred(id, bytes);
        self.publish(id);
    }

    /// Waits until a task may transfer so many bytes more. It obeys the limit of the task and the
    /// limit of all tasks of its direction.
    pub(crate) async fn throttle(&self, id: u64, bytes: u64) {
        let Some((direction, bucket)) = self.tasks().bucket(id) else {
            return;
        };
        tokio::join!(bucket.take(bytes), self.limiter.bucket(direction).take(bytes));
        self.transferred_bytes[usize::from(direction.wire())].fetch_add(bytes, Ordering::Relaxed);
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

    /// Writes a task, unless a call has removed it.
    pub(crate) async fn write(&self, task: &Task) -> Result<(), UpdateError<StorageError>> {
        self.store
            .update::<_, StorageError>(|tx| table::replace(tx, task))
            .await
    }
}

/// The time, in milliseconds since the epoch.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
