//! Settings of the transfers.

use std::path::PathBuf;
use std::time::Duration;

/// Directories, limits and retries of transfers.
#[derive(Clone, Debug)]
pub struct Config {
    /// The parent of the download directories, one a platform, named by its number. Created if
    /// missing.
    pub downloads_dir: PathBuf,
    /// Temp files, the sources of uploads. Each is named by the lower-case hex of its SHA-256.
    pub temp_dir: PathBuf,
    /// More directories that a request may choose for its download. They must exist. Default none.
    pub download_roots: Vec<PathBuf>,
    /// Directories whose files a request may choose for an upload. They must exist. Default none.
    pub upload_roots: Vec<PathBuf>,
    /// Copies of files that wait for their upload. Each is named by the lower-case hex of its
    /// SHA-256. Created if missing. Default `staging` beside the temp files.
    pub staging_dir: PathBuf,
    /// Tasks that run at once, for each direction. Default 4, at least 1. A call may set other
    /// numbers.
    pub max_active: usize,
    /// Bytes that a download leaves free on its file system. Default 64 MiB.
    pub min_free_bytes: u64,
    /// Finished tasks that are kept. Older ones are removed; their files stay. Default 10 000.
    pub finished_kept: usize,
    /// Bytes after which a running download is checkpointed. Default 32 MiB.
    pub checkpoint_bytes: u64,
    /// Time after which a running download is checkpointed. Default 1 s.
    pub checkpoint_interval: Duration,
    /// The longest wait for the next bytes of a source before the attempt counts as failed. A
    /// connection that brings nothing for a quarter of this time is replaced. Default 60 s.
    pub stall_timeout: Duration,
    /// The time between two checks whether the disk has room again. Default 10 s.
    pub room_interval: Duration,
    /// How a transfer is retried after a temporary failure.
    pub retry: Retry,
}

impl Config {
    /// The defaults, with the two required directories.
    pub fn new(downloads_dir: impl Into<PathBuf>, temp_dir: impl Into<PathBuf>) -> Config {
        let temp_dir = temp_dir.into();
        Config {
            downloads_dir: downloads_dir.into(),
            staging_dir: temp_dir.with_file_name("staging"),
            temp_dir,
            download_roots: Vec::new(),
            upload_roots: Vec::new(),
            max_active: 4,
            min_free_bytes: 64 << 20,
            finished_kept: 10_000,
            checkpoint_bytes: 32 << 20,
            checkpoint_interval: Duration::from_secs(1),
            stall_timeout: Duration::from_secs(60),
            room_interval: Duration::from_secs(10),
            retry: Retry::default(),
        }
    }
}

/// Retries with exponential backoff. Progress resets the count of failures. Each wait is random,
/// from half of the time below to all of it, so that tasks which failed together do not all return
/// together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts without progress before a task fails, including the first. Default 8, at least 1.
    pub attempts: u32,
    /// The wait after the first failure. It doubles with each further failure. Default 1 s.
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
    /// The wait after `failures` failures in a row (1 or more), or `None` if no attempt is left.
    pub(crate) fn wait(&self, failures: u32) -> Option<Duration> {
        let (random, _) = uuid::Uuid::new_v4().as_u64_pair();
        let half_to_all = 0.5 + (random >> 11) as f64 / (1u64 << 54) as f64;
        Some(self.longest_wait(failures)?.mul_f64(half_to_all))
    }

    fn longest_wait(&self, failures: u32) -> Option<Duration> {
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
        let waits: Vec<_> = (1..=5)
            .map(|n| retry.longest_wait(n).map(|wait| wait.as_secs()))
            .collect();
        assert_eq!(waits, [Some(1), Some(2), Some(4), Some(5), None]);
        for _ in 0..100 {
            let wait = retry.wait(4).unwrap();
            assert!((Duration::from_millis(2500)..=Duration::from_secs(5)).contains(&wait));
        }
    }
}
