//! What modules reach through their imports besides storage.

use futures_util::future::BoxFuture;
use stowage_storage::Transaction;

use crate::Logic;
use crate::api::effect::{CloudChange, Effect};
use crate::api::fact::{CloudAnswer, Question};
use crate::bindings::stowage::host::progress::Filter;
use crate::bindings::stowage::host::transfer::{DownloadRefusal, DownloadRequest, UploadRequest};

/// Why a service did not take a request: the call ends, and this text tells the log why.
pub type Refused = String;

/// The cloud, the transfers and the feed behind the imports of a module.
///
/// What changes anything is recorded in the call's transaction; the [`Effect`] that is returned is released when that is durable, and
/// dropped when it never is.
pub trait Services: Send + Sync + 'static {
    /// Records a change of the cloud space.
    ///
    /// # Errors
    /// When the change is malformed or storage fails.
    fn change(&self, transaction: &mut Transaction, change: CloudChange) -> Result<Effect, Refused>;

    /// The size of the space in bytes.
    ///
    /// # Errors
    /// When storage fails.
    fn total_bytes(&self, transaction: &mut Transaction) -> Result<u64, Refused>;

    /// Records a download.
    ///
    /// # Errors
    /// When storage fails. A refusal that the module may answer with is no error.
    fn download(
        &self,
        transaction: &mut Transaction,
        request: DownloadRequest,
        now_ms: u64,
    ) -> Result<Result<Effect, DownloadRefusal>, Refused>;

    /// Records an upload.
    ///
    /// # Errors
    /// When the request is malformed or storage fails.
    fn upload(&self, transaction: &mut Transaction, request: UploadRequest, now_ms: u64) -> Result<Effect, Refused>;

    /// Finds out what a call asked. A sync runs calls of its own on `logic`.
    fn answer<'a>(&'a self, logic: &'a Logic, question: &'a Question) -> BoxFuture<'a, CloudAnswer>;

    /// A durable transaction holds changes for the cloud.
    fn cloud_changed(&self);

    /// Tasks that match are told under `key` from now on.
    fn subscribe(&self, key: &str, filter: Filter);
}
