//! What the warnings follow from, and how it is found out.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use stowage_cloud::Health;
use stowage_deploy::api::{BackupSummary, HistoryEntry, ModuleStatus, RecordStatus};
use stowage_transfer::{Direction, TaskFilter, Transfers};

use crate::journal::Errors;

/// Most failed transfers that are looked at, of each status.
const MAX_TRANSFERS: usize = 1000;
/// The statuses of transfers that failed: direction and number on the wire.
const FAILED: [(Direction, i32); 4] = [
    (Direction::Download, 0),
    (Direction::Download, 5),
    (Direction::Upload, 3),
    (Direction::Upload, 5),
];
/// The code of a transfer that a person cancelled.
const CANCELLED: i32 = 499;

/// The state of a server at one moment. Times are milliseconds since 1970.
#[derive(Clone, Debug)]
pub(super) struct Facts<'a> {
    pub(super) now_ms: u64,
    pub(super) data: &'a Path,
    pub(super) disk: Option<Disk>,
    pub(super) health: &'a Health,
    /// Changes that wait for their way into the space.
    pub(super) outbox: u64,
    /// Since when the first of them is the first.
    pub(super) outbox_since_ms: Option<u64>,
    /// Newest first.
    pub(super) history: &'a [HistoryEntry],
    pub(super) modules: &'a [ModuleStatus],
    pub(super) recording: Option<RecordStatus>,
    pub(super) backup: Option<&'a BackupSummary>,
    /// Those that nobody has seen.
    pub(super) failed_transfers: u64,
    pub(super) database_failed_ms: Option<u64>,
    pub(super) errors: Option<Errors>,
}

/// The bytes of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Disk {
    /// Those that this user may use.
    pub(crate) free: u64,
    pub(crate) total: u64,
}

/// The disk of a directory; none if the system does not tell.
pub(crate) fn disk(dir: &Path) -> Option<Disk> {
    let disk = rustix::fs::statvfs(dir).ok()?;
    Some(Disk {
        free: disk.f_bavail.saturating_mul(disk.f_frsize),
        total: disk.f_blocks.saturating_mul(disk.f_frsize),
    })
}

/// The memory of this process in bytes; none if the system does not tell.
pub(super) fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = kib.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// Transfers that failed and that nobody has seen. A person cancelled the others.
pub(super) fn failed_transfers(transfers: &Transfers) -> u64 {
    let failed = FAILED.into_iter().flat_map(|(direction, status)| {
        let filter = TaskFilter {
            direction: Some(direction),
            status: Some(status),
            platform: None,
        };
        transfers.list(&filter, true, 0, MAX_TRANSFERS)
    });
    failed.filter(|row| row.view == 0 && row.code != CANCELLED).count() as u64
}

/// A time in milliseconds since 1970.
pub(super) fn ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_about_disk_and_memory() {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = disk(dir.path()).expect("a disk");
        assert!(disk.free <= disk.total && disk.total > 0, "{disk:?}");
        assert!(super::disk(&dir.path().join("none")).is_none());
        assert!(memory().expect("Linux tells it") > 1 << 20);
    }
}
