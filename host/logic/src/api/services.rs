//! What modules reach through their imports, except storage.

use futures_util::future::BoxFuture;
use stowage_storage::Transaction;

use super::effect::{CloudChange, Effect};
use super::error::ServiceError;
use super::fact::{Answer, Question};
use super::row_hooks::RowHooks;
use crate::bindings::stowage::host::progress::Filter;
use crate::bindings::stowage::host::transfer::{DownloadRefusal, DownloadRequest, UploadRequest};
use crate::bindings::stowage::host::{files, tasks};

/// The cloud, the transfers and the feed behind the imports of a module.
///
/// A service records every change in the call's transaction. It returns an [`Effect`], which is
/// released when the transaction is durable, and dropped when it never is.
pub trait Services: Send + Sync + 'static {
    /// Records a change of the cloud space.
    ///
    /// # Errors
    /// When the change is malformed or storage fails.
    fn change(&self, transaction: &mut Transaction, change: CloudChange) -> Result<Effect, ServiceError>;

    /// The size of the space in bytes.
    ///
    /// # Errors
    /// When storage fails.
    fn total_bytes(&self, transaction: &mut Transaction) -> Result<u64, ServiceError>;

    /// Records a download.
    ///
    /// # Errors
    /// When storage fails. A refusal that the module can report is no error.
    fn download(
        &self,
        transaction: &mut Transaction,
        request: DownloadRequest,
        now_ms: u64,
    ) -> Result<Result<Effect, DownloadRefusal>, ServiceError>;

    /// Records an upload.
    ///
    /// # Errors
    /// When the request is malformed or storage fails.
    fn upload(
        &self,
        transaction: &mut Transaction,
        request: UploadRequest,
        now_ms: u64,
    ) -> Result<Effect, ServiceError>;

    /// Records an upload of a prepared file.
    ///
    /// # Errors
    /// When the request is malformed or storage fails.
    fn upload_file(
        &self,
        transaction: &mut Transaction,
        request: files::UploadRequest,
        now_ms: u64,
    ) -> Result<Effect, ServiceError>;

    /// Records a change of a task. `None` if there is no task with this identifier.
    ///
    /// # Errors
    /// When storage fails.
    fn change_task(
        &self,
        transaction: &mut Transaction,
        task_id: &str,
        change: tasks::TaskChange,
    ) -> Result<Option<Effect>, ServiceError>;

    /// Records a change of the unfinished tasks that match. Returns how many it concerns.
    ///
    /// # Errors
    /// When storage fails.
    fn change_tasks(
        &self,
        transaction: &mut Transaction,
        filter: tasks::Filter,
        change: tasks::TaskChange,
    ) -> Result<(u64, Effect), ServiceError>;

    /// The limits of the tasks.
    ///
    /// # Errors
    /// When storage fails.
    fn limits(&self, transaction: &mut Transaction) -> Result<tasks::Limits, ServiceError>;

    /// Records new limits of the tasks.
    ///
    /// # Errors
    /// When storage fails.
    fn set_limits(&self, transaction: &mut Transaction, limits: tasks::Limits) -> Result<Effect, ServiceError>;

    /// Answers a question of a call. A sync hands the rows it finds to `hooks`.
    fn answer<'a>(&'a self, hooks: &'a dyn RowHooks, question: &'a Question) -> BoxFuture<'a, Answer>;

    /// A durable transaction holds changes for the cloud.
    fn cloud_changed(&self);

    /// Publishes tasks that match the filter under `key` from now on.
    fn subscribe(&self, key: &str, filter: Filter);
}
