//! No services, for an engine that only replays.

use futures_util::future::BoxFuture;
use stowage_logic::wit::progress::Filter;
use stowage_logic::wit::transfer::{DownloadRefusal, DownloadRequest, UploadRequest};
use stowage_logic::wit::{files, tasks};
use stowage_logic::{Answer, CloudChange, Effect, Question, RowHooks, ServiceError, Services};
use stowage_storage::Transaction;

/// Services that refuse everything. They are for a [`Logic`](stowage_logic::Logic) that only loads
/// modules and [replays](crate::replay): a replay brings its own services.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoServices;

const WHY: &str = "there is no cloud here";

impl Services for NoServices {
    fn change(&self, _: &mut Transaction, _: CloudChange) -> Result<Effect, ServiceError> {
        Err(ServiceError::Unavailable(WHY.into()))
    }

    fn total_bytes(&self, _: &mut Transaction) -> Result<u64, ServiceError> {
        Err(ServiceError::Unavailable(WHY.into()))
    }

    fn download(
        &self,
        _: &mut Transaction,
        _: DownloadRequest,
        _: u64,
    ) -> Result<Result<Effect, DownloadRefusal>, ServiceError> {
        Err(ServiceError::Unavailable(WHY.into()))
    }

    fn upload(&self, _: &mut Transaction, _: UploadRequest, _: u64) -> Result<Effect, ServiceError> {
        Err(ServiceError::Unavailable(WHY.into()))
    }

    fn upload_file(&self, _: &mut Transaction, _: files::UploadRequest, _: u64) -> Result<Effect, ServiceError> {
        Err(ServiceError::Unavailable(WHY.into()))
    }

    fn change_task(&self, _: &mut Transaction, _: &str, _: tasks::TaskChange) -> Result<Option<Effect>, ServiceError> {
        Err(ServiceError::Unavailable(WHY.into()))
    }

    fn change_tasks(
        &self,
        _: &mut Transaction,
        _: tasks::Filter,
        _: tasks::TaskChange,
    ) -> Result<(u64, Effect), ServiceError> {
        Err(ServiceError::Unavailable(WHY.into()))
    }

    fn limits(&self, _: &mut Transaction) -> Result<tasks::Limits, ServiceError> {
        Err(ServiceError::Unavailable(WHY.into()))
    }

    fn set_limits(&self, _: &mut Transaction, _: tasks::Limits) -> Result<Effect, ServiceError> {
        Err(ServiceError::Unavailable(WHY.into()))
    }

    fn answer<'a>(&'a self, _: &'a dyn RowHooks, question: &'a Question) -> BoxFuture<'a, Answer> {
        Box::pin(async move { question.unanswered(WHY) })
    }

    fn cloud_changed(&self) {}

    fn subscribe(&self, _: &str, _: Filter) {}
}
