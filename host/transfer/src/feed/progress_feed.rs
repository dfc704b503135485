//! The feed: the latest row of every task, its keys, and its listeners.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::filter::Filter;
use super::keys::{Keys, SubscribeError};
use super::listeners::Listeners;
use super::rows::Rows;
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
    state: Mutex<State>,
    audit: OnceLock<Audit>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) rows: Rows,
    pub(super) keys: Keys,
    pub(super) listeners: Listeners,
    pub(super) closed: bool,
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
        let mut state = self.lock();
        state.keys.subscribe(key, filter, Instant::now())?;
        state.listeners.wake_all();
        Ok(())
    }

    /// Stores the latest row of a task and wakes its subscribers. An unchanged row does nothing.
    pub(crate) fn publish(&self, row: Row) {
        let mut state = self.lock();
        if let Some(channel) = state.rows.publish(row) {
            state.listeners.wake(channel);
        }
    }

    /// Removes a task. Subscribers are not told.
    pub(crate) fn forget(&self, id: u64) {
        self.lock().rows.forget(id);
    }

    /// The rows that match now, in the order of their `id`.
    pub fn rows(&self, filter: &Filter) -> Vec<Row> {
        let state = self.lock();
        state
            .rows
            .snapshot(filter)
            .into_iter()
            .map(|encoded| encoded.row.clone())
            .collect()
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
