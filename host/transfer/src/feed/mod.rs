//! The progress feed: the latest row of every task, and who follows which.
//!
//! There is no queue of events. A row carries the version of the feed at which it last changed, and a subscriber the version it has
//! seen; what it is owed is the rows in between, each in its latest state. A subscriber that reads slowly or
//! never therefore costs nothing but its cursor, and publishing costs the same however many there are.

mod connection;
mod keys;
mod rows;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

pub use connection::Connection;
pub use keys::SubscribeError;

use crate::row::{Direction, Row};
use connection::Listeners;
use keys::Keys;
use rows::Rows;

/// The shortest time between two frames of one key on one connection.
pub const FRAME_INTERVAL: Duration = Duration::from_millis(100);

/// How long a key is remembered while no connection claims it.
pub const KEY_LIFETIME: Duration = Duration::from_secs(60);

/// Keys that are remembered at once.
pub const MAX_KEYS: usize = 4096;

/// How long a snapshot waits for a look at the files on disk; what is found later arrives as a change.
const AUDIT_PATIENCE: Duration = Duration::from_secs(1);

/// Which tasks a key follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Uploads or downloads.
    pub direction: Direction,
    /// The platform of the tasks, 0…4.
    pub platform: u8,
    /// Only tasks in this status; `None` means any.
    pub status: Option<i32>,
}

/// Brings the rows of finished tasks in line with the files on disk.
pub(crate) type Audit = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// A handle to the feed; clones share it.
#[derive(Clone, Default)]
pub struct Feed(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    audit: OnceLock<Audit>,
}

#[derive(Default)]
struct State {
    rows: Rows,
    keys: Keys,
    listeners: Listeners,
    closed: bool,
}

impl Feed {
    /// An empty feed without subscribers.
    pub fn new() -> Feed {
        Feed::default()
    }

    /// From now on frames for `key` tell of the tasks that match. A key that is already followed starts anew with a snapshot.
    ///
    /// # Errors
    /// When the key is not 1…128 characters, or [`MAX_KEYS`] keys are claimed by connections.
    pub fn subscribe(&self, key: &str, filter: Filter) -> Result<(), SubscribeError> {
        let mut state = self.lock();
        state.keys.subscribe(key, filter, Instant::now())?;
        state.listeners.wake_all();
        Ok(())
    }

    /// Opens a connection that claims these keys, or with `None` every key there is and will be.
    pub fn connect(&self, keys: Option<Vec<String>>) -> Connection {
        Connection::open(self.clone(), keys)
    }

    /// Makes this the latest state of its task. An unchanged row tells nobody anything.
    pub fn publish(&self, row: Row) {
        let mut state = self.lock();
        if let Some(channel) = state.rows.publish(row) {
            state.listeners.wake(channel);
        }
    }

    /// Drops a task that is no longer kept. Subscribers are not told.
    pub fn forget(&self, id: u64) {
        self.lock().rows.forget(id);
    }

    /// The rows that match now, in the order of their `id`.
    pub fn rows(&self, filter: &Filter) -> Vec<Row> {
        let state = self.lock();
        state
            .rows
            .snapshot(filter)
            .into_iter()
            .map(|line| line.row().clone())
            .collect()
    }

    /// Ends every connection: their next frame is `None`. For the host's shutdown.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.listeners.wake_all();
    }

    /// How many keys are remembered.
    pub fn key_count(&self) -> usize {
        let mut state = self.lock();
        state.keys.expire(Instant::now());
        state.keys.len()
    }

    /// Has finished downloads looked at before each snapshot that shows downloads. Only the first caller is heard.
    pub(crate) fn set_audit(&self, audit: Audit) {
        if self.0.audit.set(audit).is_err() {
            tracing::warn!("the feed already has an audit; a second one is ignored");
        }
    }

    async fn audit(&self, direction: Direction) {
        if direction != Direction::Download {
            return;
        }
        if let Some(audit) = self.0.audit.get() {
            let late = tokio::time::timeout(AUDIT_PATIENCE, audit()).await.is_err();
            if late {
                tracing::debug!("a snapshot did not wait for the look at the files on disk");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics half-way through a change of this state, so a poisoned lock still guards a sound one.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
