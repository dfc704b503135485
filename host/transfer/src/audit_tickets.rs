//! Lets concurrent callers share one audit.

use std::sync::atomic::{AtomicU64, Ordering};

/// Each caller draws a ticket. An audit covers the tickets that were drawn before it began.
#[derive(Default)]
pub(crate) struct AuditTickets {
    last: AtomicU64,
    /// The last ticket that a finished audit covers. Locked while an audit runs.
    covered: tokio::sync::Mutex<u64>,
}

impl AuditTickets {
    /// Runs `audit`, unless one that began after this call has finished meanwhile.
    pub(crate) async fn run(&self, audit: impl Future<Output = ()>) {
        let ticket = self.last.fetch_add(1, Ordering::AcqRel) + 1;
        let mut covered = self.covered.lock().await;
        if *covered >= ticket {
            return;
        }
        let covers = self.last.load(Ordering::Acquire);
        audit.await;
        *covered = covers;
    }
}
