//! What is set going once a call's transaction is durable. The records of it (tasks, changes for the cloud) are rows of the same transaction.

use stowage_transfer::{Filter, Staged};

/// One effect.
pub(super) enum Effect {
    /// A transfer whose task the transaction holds.
    Transfer(Box<Staged>),
    /// A change for the cloud, in the outbox.
    Cloud,
    /// Follow tasks under a key of the feed.
    Subscribe {
        /// The key.
        key: String,
        /// Which tasks.
        filter: Filter,
    },
}
