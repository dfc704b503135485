//! The cloud and the transfers of a recorded call.

use std::collections::VecDeque;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use stowage_logic::wit::progress::Filter;
use stowage_logic::wit::transfer::{DownloadRefusal, DownloadRequest, UploadRequest};
use stowage_logic::{CloudAnswer, CloudChange, Effect, Question, Request, RowHooks, ServiceError, Services};
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
}

impl RecordedServices {
    /// Replies as to this call from now on.
    pub(crate) fn follow(&self, call: &RecordedCall) {
        let mut downloads: VecDeque<Option<DownloadRefusal>> = VecDeque::new();
        for request in &call.requests {
            match request {
                Request::Download(_) => downloads.push_back(None),
                Request::Refused(refusal) => {
                    if let Some(last) = downloads.back_mut() {
                        *last = Some(refusal.clone());
                    }
                }
                _ => {}
            }
        }
        *self.0.lock() = RecordedReplies {
            total_bytes: call.total_bytes,
            downloads,
        };
    }
}

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

    fn answer<'a>(&'a self, _: &'a dyn RowHooks, question: &'a Question) -> BoxFuture<'a, CloudAnswer> {
        Box::pin(async move { question.unanswered("the recorded call did not ask it") })
    }

    fn cloud_changed(&self) {}

    fn subscribe(&self, _: &str, _: Filter) {}
}
