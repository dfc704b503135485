//! The cloud and the transfers as a recorded call met them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use stowage_logic::wit::progress::Filter;
use stowage_logic::wit::transfer::{DownloadRefusal, DownloadRequest, UploadRequest};
use stowage_logic::{CloudAnswer, CloudChange, Effect, Question, Request, RowHooks, ServiceError, Services};
use stowage_storage::Transaction;

use crate::format::Call;

/// Answers the requests of one call at a time as they were answered when it was recorded.
#[derive(Debug, Default)]
pub(crate) struct Replayed(Mutex<Answers>);

#[derive(Debug, Default)]
struct Answers {
    total_bytes: u64,
    /// What each download was told, in order.
    downloads: VecDeque<Option<DownloadRefusal>>,
}

impl Replayed {
    /// Answers as this call was answered from now on.
    pub(crate) fn follow(&self, call: &Call) {
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
        *self.lock() = Answers {
            total_bytes: call.total_bytes,
            downloads,
        };
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nothing() -> Effect {
    Effect::Start(Box::new(|| {}))
}

impl Services for Replayed {
    fn change(&self, _: &mut Transaction, _: CloudChange) -> Result<Effect, ServiceError> {
        Ok(Effect::CloudChanged)
    }

    fn total_bytes(&self, _: &mut Transaction) -> Result<u64, ServiceError> {
        Ok(self.lock().total_bytes)
    }

    fn download(
        &self,
        _: &mut Transaction,
        _: DownloadRequest,
        _: u64,
    ) -> Result<Result<Effect, DownloadRefusal>, ServiceError> {
        // A download more than was recorded is accepted: that it was asked for is a difference already.
        Ok(match self.lock().downloads.pop_front().flatten() {
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
