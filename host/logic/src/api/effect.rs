//! What a call asks the host to do. A call's effects are released once its transaction is durable.
//! Their records (tasks, changes for the cloud) are rows of the same transaction.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::bindings::stowage::host::progress::Filter;
use crate::bindings::stowage::host::transfer::{DownloadRefusal, DownloadRequest, UploadRequest};
use crate::bindings::stowage::host::{files, tasks};

/// A change of the cloud space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CloudChange {
    /// Sets fields of a row.
    PutRow {
        /// The collection.
        collection: String,
        /// The row's identity.
        identity: String,
        /// The fields to set.
        fields: Map<String, Value>,
    },
    /// Removes a row.
    DeleteRow {
        /// The collection.
        collection: String,
        /// The row's identity.
        identity: String,
    },
    /// Removes a blob that no row names any more.
    DeleteBlob {
        /// The blob's hash in base58.
        hash: String,
    },
}

/// One effect, as the call asked for it. Recordings and comparisons hold these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// A change of the cloud space.
    Change(CloudChange),
    /// A download. A password in it is replaced by [`HIDDEN`].
    Download(DownloadRequest),
    /// The download before this was refused, so it is not an effect.
    Refused(DownloadRefusal),
    /// An upload.
    Upload(UploadRequest),
    /// An upload of a prepared file.
    UploadFile(files::UploadRequest),
    /// A change of a task.
    ChangeTask {
        /// The task's identifier.
        task_id: String,
        /// What it should do.
        change: tasks::TaskChange,
        /// The reply: whether there is such a task.
        known: bool,
    },
    /// A change of many tasks.
    ChangeTasks {
        /// Which tasks.
        filter: tasks::Filter,
        /// What they should do.
        change: tasks::TaskChange,
        /// The reply: how many it concerned.
        count: u64,
    },
    /// A look at the limits of the tasks, and the reply. It is not an effect.
    Limits(tasks::Limits),
    /// New limits of the tasks.
    SetLimits(tasks::Limits),
    /// A subscription to the feed.
    Subscribe {
        /// The feed's key.
        key: String,
        /// The tasks to follow.
        filter: Filter,
    },
}

/// Stands in place of a password wherever requests and parameters are kept or shown.
pub const HIDDEN: &str = "(hidden)";

impl Request {
    /// The same request without its password.
    pub(crate) fn without_password(mut self) -> Request {
        if let Request::Download(download) = &mut self
            && let Some(password) = &mut download.password
        {
            HIDDEN.clone_into(password);
        }
        self
    }
}

/// What happens once a call's transaction is durable. An effect that is dropped never happens.
pub enum Effect {
    /// Starts a transfer. The transaction holds its task.
    Start(Box<dyn FnOnce() + Send>),
    /// Wakes the cloud. The transaction holds the change.
    CloudChanged,
    /// Publishes tasks under a key of the feed.
    Subscribe {
        /// The key.
        key: String,
        /// The tasks to follow.
        filter: Filter,
    },
}

impl std::fmt::Debug for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Effect::Start(_) => "Start",
            Effect::CloudChanged => "CloudChanged",
            Effect::Subscribe { .. } => "Subscribe",
        })
    }
}
