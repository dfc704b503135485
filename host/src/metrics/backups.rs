//! What scheduled backups report.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// The scheduled backups since the server started. A cheap handle. What makes backups reports to
/// it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backups(Arc<Ended>);

#[derive(Debug, Default)]
struct Ended {
    /// In seconds since 1970; 0 for never.
    last_success: AtomicU64,
    complete: AtomicU64,
    failed: AtomicU64,
}

impl Backups {
    /// A backup was complete at this time. At the start of the server, that of the last one that is
    /// found counts too, with [`Backups::found`].
    pub(crate) fn complete(&self, at: SystemTime) {
        self.0.complete.fetch_add(1, Ordering::Relaxed);
        self.found(at);
    }

    /// There is a complete backup of this time.
    pub(crate) fn found(&self, at: SystemTime) {
        let at = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        // Not the highest time: a clock that was ahead must not hide that backups end no more.
        self.0.last_success.store(at, Ordering::Relaxed);
    }

    /// A backup failed.
    pub(crate) fn failed(&self) {
        self.0.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// When the last one was complete, in seconds since 1970.
    pub(super) fn last_success(&self) -> Option<u64> {
        Some(self.0.last_success.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }

    pub(super) fn counts(&self) -> [(&'static str, u64); 2] {
        [
            ("complete", self.0.complete.load(Ordering::Relaxed)),
            ("failed", self.0.failed.load(Ordering::Relaxed)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_last_complete_backup_counts_although_the_clock_was_ahead_before() {
        let backups = Backups::default();
        assert_eq!(backups.last_success(), None);
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        backups.found(at(70));
        backups.complete(at(50));
        backups.failed();
        assert_eq!(backups.last_success(), Some(50));
        assert_eq!(backups.counts(), [("complete", 1), ("failed", 1)]);
    }
}
