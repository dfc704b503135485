//! Counts of requests that reached no function.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::api::code;

/// Requests that reached no function. Whatever clients send, there are two counts.
#[derive(Debug, Default)]
pub(crate) struct RefusedRequests {
    /// There is no such method.
    unknown: AtomicU64,
    /// The request is malformed.
    malformed: AtomicU64,
}

impl RefusedRequests {
    pub(crate) fn count(&self, code: i32) {
        let counter = match code {
            code::NOT_IMPLEMENTED => &self.unknown,
            _ => &self.malformed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts by code.
    pub(crate) fn read(&self) -> [(i32, u64); 2] {
        [
            (code::NOT_IMPLEMENTED, self.unknown.load(Ordering::Relaxed)),
            (code::PARAMETER, self.malformed.load(Ordering::Relaxed)),
        ]
    }
}
