//! The cloud and the transfers of a recorded call.

use std::collections::VecDeque;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use stowage_logic::wit::progress::Filter;
use stowage_logic::wit::transfer::{DownloadRefusal, DownloadRequest, UploadRequest};
use stowage_logic::wit::{files, tasks};
use stowage_logic::{Answer, CloudChange, Effect, Question, Request, RowHooks, ServiceError, Services};
use stowage_storage::Transaction;

use crate::recorded_call::RecordedCall;

/// Replies to the requests of one call at a time as the host replied when the call was recorded.
#[derive(Debug, Default)]
pub(crate) struct RecordedServices(Mutex<RecordedReplies>);

#[derive(Debug, Default)]
struct RecordedReplies {
    total_bytes: u64,
    /// The reply to each download, in order: none, or why it was refused.
    downloads: VecDeque<Option<DownloadRefusal>>,
    /// The reply to each change of a task, in order: whether the task was known.
    changed: VecDeque<bool>,
    /// The reply to each change of many tasks, in order: how many it concerned.
    counts: VecDeque<u64>,
    /// The reply to each look at the limits, in order.
    limits: VecDeque<tasks::Limits>,
}

impl RecordedServices {
    /// Replies as to this call from now on.
    pub(crate) fn follow(&self, call: &RecordedCall) {
        let mut replies = RecordedReplies {
            total_bytes: call.total_bytes,
            ..RecordedReplies::default()
        };
        for request in &call.requests {
            match request {
                Request::Download(_) => replies.downloads.push_back(None),
                Request::Refused(refusal) => {
                    if let Some(last) = replies.downloads.back_mut() {
                        *last = Some(refusal.clone());
                    }
                }
                Request::ChangeTask { known, .. } => replies.changed.push_back(*known),
                Request::ChangeTasks { count, .. } => replies.counts.push_back(*count),
                Request::Limits(limits) => replies.limits.push_back(*limits),
                Request::Change(_)
                | Request::Upload(_)
                | Request::UploadFile(_)
                | Request::SetLimits(_)
                | Request::Subscribe { .. } => {}
            }
        }
        *self.0.lock() = replies;
    }
}

/// The limits of a look that was not recorded.
const NO_LIMITS: tasks::Limits = tasks::Limits {
    download_bytes_per_second: 0,
    upload_bytes_per_second: 0,
    max_downloads: 0,
    max_uploads: 0,
};

fn nothing() -> Effect {
    Effect::Start(Box::new(|| {}))
}

impl Services for RecordedServices {
    fn change(&self, _: &mut Transaction, _: CloudChange) -> Result<Effect, ServiceError> {
        Ok(Effect::CloudChanged)
    }

    fn total_bytes(&self, _: &mut Transaction) -> Result<u64, ServiceError> {
        Ok(self.0.lock().total_bytes)
    }

    fn download(
        &self,
        _: &mut Transaction,
        _: DownloadRequest,
        _: u64,
    ) -> Result<Result<Effect, DownloadRefusal>, ServiceError> {
        // A download that was not recorded is accepted: the request itself is a difference.
        Ok(match self.0.lock().downloads.pop_front().flatten() {
            Some(refusal) => Err(refusal),
            None => Ok(nothing()),
        })
    }

    fn upload(&self, _: &mut Transaction, _: UploadRequest, _: u64) -> Result<Effect, ServiceError> {
        Ok(nothing())
    }

    fn upload_file(&self, _: &mut Transaction, _: files::UploadRequest, _: u64) -> Result<Effect, ServiceError> {
        Ok(nothing())
    }

    // A change or a look that was not recorded gets a plain reply: the request itself is a
    // difference.
    fn change_task(&self, _: &mut Transaction, _: &str, _: tasks::TaskChange) -> Result<Option<Effect>, ServiceError> {
        let known = self.0.lock().changed.pop_front().unwrap_or(true);
        Ok(known.then(nothing))
    }

    fn change_tasks(
        &self,
        _: &mut Transaction,
        _: tasks::Filter,
        _: tasks::TaskChange,
    ) -> Result<(u64, Effect), ServiceError> {
        let count = self.0.lock().counts.pop_front().unwrap_or_default();
        Ok((count, nothing()))
    }

    fn limits(&self, _: &mut Transaction) -> Result<tasks::Limits, ServiceError> {
        Ok(self.0.lock().limits.pop_front().unwrap_or(NO_LIMITS))
    }

    fn set_limits(&self, _: &mut Transaction, _: tasks::Limits) -> Result<Effect, ServiceError> {
        Ok(nothing())
    }

    fn answer<'a>(&'a self, _: &'a dyn RowHooks, question: &'a Question) -> BoxFuture<'a, Answer> {
        Box::pin(async move { question.unanswered("the recorded call did not ask it") })
    }

    fn cloud_changed(&self) {}

    fn subscribe(&self, _: &str, _: Filter) {}
}
