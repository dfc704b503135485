//! What modules reach through their imports.

use stowage_cloud::Cloud;
use stowage_transfer::{Feed, Transfers};

/// The host's services. Each is a cheap handle.
#[derive(Clone)]
pub struct Services {
    /// The cloud space.
    pub cloud: Cloud,
    /// Uploads and downloads.
    pub transfers: Transfers,
    /// The progress feed.
    pub feed: Feed,
}
