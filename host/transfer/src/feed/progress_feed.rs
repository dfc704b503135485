//! The feed: the latest row of every task, its keys, and its listeners.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::chunk::Chunk;
use super::cut::{Cut, SharedFrame};
use super::filter::Filter;
use super::keys::{Keys, SubscribeError};
use super::listeners::Listeners;
use super::rows::{CHANNELS, Change, Rows, Selection, channel_of};
use super::ticks;
use crate::row::{Direction, Row};

/// The longest time a snapshot waits for the audit. What the audit finds later arrives as a change.
pub(super) const AUDIT_TIMEOUT: Duration = Duration::from_secs(1);

/// Updates the rows of finished tasks from the files on disk.
pub(crate) type Audit = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// A handle to the feed. Clones share it.
#[derive(Clone, Default)]
pub struct Feed(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Apart from the state, so that publishers do not wait for subscribers.
    rows: Mutex<Rows>,
    /// A row has changed since the last tick.
    changed: Notify,
    /// The status of a task has changed since the last tick.
    status_changed: Notify,
    is_urgent: AtomicBool,
    state: Mutex<State>,
    audit: OnceLock<Audit>,
    /// The time that [`Feed::metered`] has counted, in nanoseconds.
    cost: AtomicU64,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) cuts: [Cut; CHANNELS],
    pub(super) keys: Keys,
    pub(super) listeners: Listeners,
    pub(super) closed: bool,
    ticks: Weak<AbortOnDropHandle<()>>,
}

impl Feed {
    /// An empty feed without subscribers.
    pub fn new() -> Feed {
        Feed::default()
    }

    /// Makes `key` follow the tasks that match. A known key starts again with a snapshot.
    ///
    /// # Errors
    /// The key does not have 1…128 characters, or [`MAX_KEYS`](super::MAX_KEYS) keys are claimed by
    /// connections.
    pub fn subscribe(&self, key: &str, filter: Filter) -> Result<(), SubscribeError> {
        let mut guard = self.lock();
        let state = &mut *guard;
        state.keys.subscribe(key, filter, Instant::now())?;
        for connection in state.keys.claimants(key) {
            state.listeners.wake(connection);
        }
        Ok(())
    }

    /// Stores the latest row of a task. Its subscribers are told at the next tick. An unchanged row
    /// does nothing.
    pub(crate) fn publish(&self, row: Row) {
        let change = self.0.rows.lock().publish(row);
        if change == Change::Status {
            self.0.is_urgent.store(true, Ordering::Release);
            self.0.status_changed.notify_one();
        }
        if change != Change::None {
            self.0.changed.notify_one();
        }
    }

    /// Stores the last row of a removed task. Subscribers are told, and snapshots do not have it.
    /// Call [`Feed::forget`] when they had time to read it.
    pub(crate) fn publish_last(&self, row: Row) {
        let id = row.id;
        self.publish(row);
        self.0.rows.lock().mark_removed(id);
    }

    /// Removes a task. Subscribers are not told.
    pub(crate) fn forget(&self, id: u64) {
        self.0.rows.lock().forget(id);
    }

    /// The rows that match now, in the order of their `id`.
    pub fn rows(&self, filter: &Filter) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut next = Some(Selection::All.start());
        while let Some(from) = next {
            let page = self.0.rows.lock().page(filter, Selection::All, from);
            rows.extend(page.rows.iter().map(|(_, encoded)| encoded.row.clone()));
            next = page.next;
        }
        rows
    }

    /// Runs work for subscribers, and counts the time it runs as the feed's. The more time the feed
    /// takes, the longer its subscribers wait for the next change. Use it for everything that sends
    /// frames. Waits of the future do not count. Waits of its thread for a processor do, so the
    /// feed gives way when other work keeps the processors busy.
    pub async fn metered<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            let start = std::time::Instant::now();
            let polled = work.as_mut().poll(context);
            let nanos = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.0.cost.fetch_add(nanos, Ordering::Relaxed);
            polled
        })
        .await
    }

    pub(super) fn cost(&self) -> Duration {
        Duration::from_nanos(self.0.cost.load(Ordering::Relaxed))
    }

    /// Notified when a row has changed.
    pub(super) fn changed(&self) -> &Notify {
        &self.0.changed
    }

    /// Notified when the status of a task has changed.
    pub(super) fn status_changed(&self) -> &Notify {
        &self.0.status_changed
    }

    /// Whether the status of a task has changed since the last tick.
    pub(super) fn is_urgent(&self) -> bool {
        self.0.is_urgent.load(Ordering::Acquire)
    }

    /// The version of the last change in the channel of a filter. The state may be locked.
    pub(super) fn latest(&self, filter: &Filter) -> u64 {
        self.0.rows.lock().latest()[channel_of(filter.direction, filter.platform)]
    }

    /// Makes subscribers due whose rows have changed. Returns the connections to wake.
    pub(super) fn cut(&self) -> Vec<Arc<Notify>> {
        self.0.is_urgent.store(false, Ordering::Release);
        let latest = self.0.rows.lock().latest();
        let mut state = self.lock();
        let mut channels = 0;
        for (index, cut) in state.cuts.iter_mut().enumerate() {
            if latest[index] > cut.version {
                *cut = cut.next(latest[index]);
                channels |= 1 << index;
            }
        }
        state.listeners.take(channels)
    }

    /// The task that makes the ticks. It runs as long as somebody holds it.
    pub(super) fn ticks(&self, state: &mut State) -> Arc<AbortOnDropHandle<()>> {
        state.ticks.upgrade().unwrap_or_else(|| {
            let ticks = Arc::new(AbortOnDropHandle::new(tokio::spawn(ticks::run(self.clone()))));
            state.ticks = Arc::downgrade(&ticks);
            ticks
        })
    }

    /// Rows of a selection as JSON, from a position on. The chunk is empty only at the end.
    pub(super) fn chunk(
        &self,
        filter: Filter,
        selection: Selection,
        mut from: u64,
        shared: &Weak<SharedFrame>,
    ) -> Chunk {
        let shared = shared.upgrade();
        let start = from;
        if let Some(chunk) = shared.as_ref().and_then(|shared| shared.get(start)) {
            return chunk;
        }
        let chunk = loop {
            let page = self.0.rows.lock().page(&filter, selection, from);
            match page.next {
                Some(next) if page.rows.is_empty() => from = next,
                _ => break Chunk::of(&page),
            }
        };
        if let Some(shared) = shared {
            shared.keep(start, &chunk);
        }
        chunk
    }

    /// Ends every connection: its next frame is `None`. The host calls it at shutdown.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.listeners.wake_all();
    }

    /// Sets the audit that runs before each snapshot of downloads. Only the first call counts.
    pub(crate) fn set_audit(&self, audit: Audit) {
        if self.0.audit.set(audit).is_err() {
            tracing::warn!("the feed already has an audit; a second one is ignored");
        }
    }

    pub(super) async fn audit(&self, direction: Direction) {
        if direction != Direction::Download {
            return;
        }
        if let Some(audit) = self.0.audit.get()
            && tokio::time::timeout(AUDIT_TIMEOUT, audit()).await.is_err()
        {
            tracing::debug!("a snapshot did not wait for the audit of downloads");
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }
}
