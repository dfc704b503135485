//! The syncs of this process. One runs at a time. Callers that come during a sync share the next.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Mutex as AsyncMutex;

use crate::Error;

/// What a sync did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// Segments that were fetched.
    pub segments: u32,
    /// Rows added or changed here.
    pub upserts: u32,
    /// Rows removed here.
    pub removals: u32,
    /// Lines that are no rows, and rows that the module could not take.
    pub skipped: u32,
    /// Segments that are too large to be read. Their rows stay as they were.
    pub malformed: u32,
}

/// How many syncs began, and the result of the last one.
#[derive(Default)]
pub(crate) struct SyncRuns {
    running: AsyncMutex<()>,
    begun: AtomicU64,
    last: Mutex<Option<(u64, Result<SyncReport, Error>)>>,
}

impl SyncRuns {
    /// Runs `sync` after the one in progress. If another sync began after this call, returns the
    /// result of that one instead.
    pub(crate) async fn run(&self, sync: impl Future<Output = Result<SyncReport, Error>>) -> Result<SyncReport, Error> {
        let begun = self.begun.load(Ordering::SeqCst);
        let _running = self.running.lock().await;
        if let Some((run, result)) = &*self.last.lock()
            && *run > begun
        {
            return result.clone();
        }
        let run = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let result = sync.await;
        *self.last.lock() = Some((run, result.clone()));
        result
    }
}
