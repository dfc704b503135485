//! What the parts of the cloud share.

use std::sync::atomic::AtomicU64;

use stowage_storage::Store;
use tokio::sync::{Mutex as AsyncMutex, Notify, watch};

use crate::Space;
use crate::holds::Holds;
use crate::password::Passwords;
use crate::sync_runs::SyncRuns;

/// A space, the local database, and what is in progress between them.
pub(crate) struct CloudState {
    pub(crate) space: Space,
    pub(crate) store: Store,
    pub(crate) holds: Holds,
    /// Held while rows move in either direction. A sync must not return a row that the publisher is
    /// about to change.
    pub(crate) moving: AsyncMutex<()>,
    /// The number of the last staged change.
    pub(crate) last_number: AtomicU64,
    /// Notified when a change may be in the outbox.
    pub(crate) wake: Notify,
    /// Changes its value whenever changes have left the outbox.
    pub(crate) published: watch::Sender<u64>,
    pub(crate) passwords: Passwords,
    pub(crate) sync_runs: SyncRuns,
}

impl CloudState {
    /// Wakes the callers that wait for changes to leave the outbox.
    pub(crate) fn notify_published(&self) {
        self.published.send_modify(|count| *count = count.wrapping_add(1));
    }
}
