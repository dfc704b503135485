//! The database: commits, batches, files, and the disk under them.

use std::fmt;
use std::path::Path;

use prometheus_client::registry::Unit;
use stowage_storage::Store;

use super::families::Families;
use crate::overview::disk;

/// Microseconds of a second.
const US: f64 = 1e6;
/// The files of the database in the data directory.
const FILES: [(&str, &str); 2] = [("database", "stowage.redb"), ("log", "stowage.wal")];

pub(super) fn encode(families: &mut Families<'_>, store: &Store, data: &Path) -> fmt::Result {
    commits(families, store)?;
    files(families, store, data)
}

fn commits(families: &mut Families<'_>, store: &Store) -> fmt::Result {
    let stats = store.stats();
    let batches = store.batch_stats();
    let kinds = [
        ([("kind", "write")], stats.commits),
        ([("kind", "read-only")], stats.read_only_commits),
    ];
    families.counter("stowage_commits", None, "Committed transactions", kinds)?;
    families.counter(
        "stowage_commit_conflicts",
        None,
        "Transactions that were refused because another one changed what they read",
        [([], stats.conflicts)],
    )?;
    families.histogram(
        "stowage_commit_duration",
        Some(&Unit::Seconds),
        "From the start of a batch of commits to its replies",
        US,
        [([], batches.times_us)],
    )?;
    families.histogram(
        "stowage_commit_batch_transactions",
        None,
        "Transactions that became durable together",
        1.0,
        [([], batches.sizes)],
    )?;
    families.counter(
        "stowage_commit_batches_failed",
        None,
        "Batches and flushes that the disk did not take",
        [([], stats.failed_batches)],
    )?;
    families.counter(
        "stowage_storage_reopens",
        None,
        "How often the database was opened again after a failure",
        [([], stats.reopens)],
    )?;
    families.gauge(
        "stowage_commits_queued",
        None,
        "Commits that wait for their batch",
        [([], stats.queued)],
    )?;
    families.counter(
        "stowage_storage_written",
        Some(&Unit::Bytes),
        "Bytes of keys and values that were committed",
        [([], stats.bytes_written)],
    )?;
    families.counter(
        "stowage_storage_keys_written",
        None,
        "Keys that were committed",
        [([], stats.keys_written)],
    )?;
    families.gauge(
        "stowage_storage_history_keys",
        None,
        "Keys of recent commits that are remembered to find conflicts",
        [([], stats.history_keys)],
    )
}

fn files(families: &mut Families<'_>, store: &Store, data: &Path) -> fmt::Result {
    let stats = store.stats();
    families.counter(
        "stowage_storage_flushes",
        None,
        "Memtables that were written into the database",
        [([], stats.flushes)],
    )?;
    families.gauge(
        "stowage_storage_log_used",
        Some(&Unit::Bytes),
        "Bytes of the write-ahead log with records that the database does not hold yet",
        [([], stats.log_bytes)],
    )?;
    let sizes = FILES.iter().filter_map(|(kind, name)| {
        let size = std::fs::metadata(data.join(name)).ok()?.len();
        Some(([("file", *kind)], size))
    });
    families.gauge(
        "stowage_storage_file",
        Some(&Unit::Bytes),
        "Size of a file of the database",
        sizes,
    )?;
    let disk = disk(data);
    families.gauge(
        "stowage_disk_free",
        Some(&Unit::Bytes),
        "Bytes of the data directory's disk that the server may use",
        disk.map(|disk| ([], disk.free)),
    )?;
    families.gauge(
        "stowage_disk_size",
        Some(&Unit::Bytes),
        "Bytes of the data directory's disk",
        disk.map(|disk| ([], disk.total)),
    )
}
