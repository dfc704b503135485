//! What a call asks of the world: noted as a request, and set going once the call's transaction is durable.
//! The records of it (tasks, changes for the cloud) are rows of the same transaction.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::bindings::stowage::host::progress::Filter;
use crate::bindings::stowage::host::transfer::{DownloadRefusal, DownloadRequest, UploadRequest};

/// A change of the cloud space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CloudChange {
    /// Set fields of a row.
    PutRow {
        /// The collection.
        collection: String,
        /// The row's identity.
        identity: String,
        /// The fields to set.
        fields: Map<String, Value>,
    },
    /// Remove a row.
    DeleteRow {
        /// The collection.
        collection: String,
        /// The row's identity.
        identity: String,
    },
    /// Remove a blob that no row names any more.
    DeleteBlob {
        /// The blob's hash in base58.
        hash: String,
    },
}

/// One effect that a call asked for, as it asked for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// A change of the cloud space.
    Change(CloudChange),
    /// A download. Of its password it is only told that there is one.
    Download(DownloadRequest),
    /// No effect: the download before it was refused.
    Refused(DownloadRefusal),
    /// An upload.
    Upload(UploadRequest),
    /// A subscription to the feed.
    Subscribe {
        /// The feed's key.
        key: String,
        /// Which tasks it follows.
        filter: Filter,
    },
}

/// What stands for a password wherever requests and parameters are kept or shown.
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

/// What is set going once a call's transaction is durable. Dropped, nothing happens.
pub enum Effect {
    /// A transfer whose task the transaction holds.
    Start(Box<dyn FnOnce() + Send>),
    /// A change for the cloud, in the transaction.
    CloudChanged,
    /// Follow tasks under a key of the feed.
    Subscribe {
        /// The key.
        key: String,
        /// Which tasks.
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
