//! Settings of the transfers.

use std::path::PathBuf;
use std::time::Duration;

/// Where files go, how much at once, and how failures are retried.
#[derive(Clone, Debug)]
pub struct Config {
    /// Downloads go to a folder in here named by the platform's number. Made when missing.
    pub downloads_dir: PathBuf,
    /// Local temp files, each named by the lower-case hex of its SHA-256: the sources of uploads.
    pub temp_dir: PathBuf,
    /// More directories that a request may name as a download's directory. They must exist. Default none.
    pub download_roots: Vec<PathBuf>,
    /// Tasks that run at once, for each direction. Default 4, at least 1.
    pub max_active: usize,
    /// Bytes a download leaves free on its file system. Default 64 MiB.
    pub min_free_bytes: u64,
    /// Finished tasks that are kept; older ones are forgotten, their files stay. Default 10 000.
    pub finished_kept: usize,
    /// Bytes after which a running download is checkpointed. Default 32 MiB.
    pub checkpoint_bytes: u64,
    /// Time after which a running download is checkpointed. Default 1 s.
    pub checkpoint_interval: Duration,
    /// The longest wait for the next bytes of a source before the attempt counts as failed. Default 60 s.
    pub stall_timeout: Duration,
    /// How a transfer that failed for a passing reason is tried again.
    pub retry: Retry,
}

impl Config {
    /// The defaults, with the two directories every host has.
    pub fn new(downloads_dir: impl Into<PathBuf>, temp_dir: impl Into<PathBuf>) -> Config {
        Config {
            downloads_dir: downloads_dir.into(),
            temp_dir: temp_dir.into(),
            download_roots: Vec::new(),
            max_active: 4,
            min_free_bytes: 64 << 20,
            finished_kept: 10_000,
            checkpoint_bytes: 32 << 20,
            checkpoint_interval: Duration::from_secs(1),
            stall_timeout: Duration::from_secs(60),
            retry: Retry::default(),
        }
    }
}

/// Retries with exponential backoff. An attempt that got further than the one before begins the count anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts without progress, the first included, before a task has failed. Default 8, at least 1.
    pub attempts: u32,
    /// The wait after the first failure; it doubles with each further one. Default 1 s.
    pub first: Duration,
    /// The longest wait. Default 60 s.
    pub most: Duration,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry {
            attempts: 8,
            first: Duration::from_secs(1),
            most: Duration::from_secs(60),
        }
    }
}

impl Retry {
    /// The wait after `failures` failures in a row (1 or more), or `None` when the task has failed for good.
    pub(crate) fn wait(&self, failures: u32) -> Option<Duration> {
        if failures >= self.attempts.max(1) {
            return None;
        }
        let doublings = failures.saturating_sub(1).min(20);
        Some(self.first.saturating_mul(1 << doublings).min(self.most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_end() {
        let retry = Retry {
            attempts: 5,
            first: Duration::from_secs(1),
            most: Duration::from_secs(5),
        };
        let waits: Vec<_> = (1..=5).map(|n| retry.wait(n).map(|d| d.as_secs())).collect();
        assert_eq!(waits, [Some(1), Some(2), Some(4), Some(5), None]);
    }
}
