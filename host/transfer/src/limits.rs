//! The limits of all transfers: how many run, and how fast.
//!
//! `host.transfer-limits`: `limits` → the limits that a call has set, MessagePack with field names.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use stowage_storage::{Error as StorageError, Transaction};

use crate::bucket::Bucket;
use crate::config::Config;
use crate::row::Direction;

const TABLE: &str = "host.transfer-limits";
const KEY: &[u8] = b"limits";

/// The most tasks of a direction at once, whatever is set.
const MOST_AT_ONCE: usize = 256;

/// The limits of all transfers. 0 means no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The most bytes a second of all downloads together.
    pub download_bytes_per_second: u64,
    /// The most bytes a second of all uploads together.
    pub upload_bytes_per_second: u64,
    /// The most downloads at once. Never more than 256 run.
    pub max_downloads: u32,
    /// The most uploads at once. Never more than 256 run.
    pub max_uploads: u32,
}

/// Limits as a call has set them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredLimits {
    /// Raised by every change, so that the newer of two is known. 0 was never stored.
    #[serde(default)]
    pub(crate) revision: u64,
    pub(crate) limits: Limits,
}

/// The limits that calls have set, or those of the configuration.
pub(crate) fn stored(tx: &mut Transaction, config: &Config) -> Result<StoredLimits, StorageError> {
    let stored = tx.get(TABLE, KEY)?.and_then(|bytes| {
        rmp_serde::from_slice(&bytes)
            .inspect_err(|error| tracing::warn!(table = TABLE, %error, "the limits of transfers cannot be decoded"))
            .ok()
    });
    let at_once = u32::try_from(config.max_active.max(1)).unwrap_or(u32::MAX);
    Ok(stored.unwrap_or(StoredLimits {
        revision: 0,
        limits: Limits {
            download_bytes_per_second: 0,
            upload_bytes_per_second: 0,
            max_downloads: at_once,
            max_uploads: at_once,
        },
    }))
}

/// Writes limits.
pub(crate) fn put(tx: &mut Transaction, limits: &StoredLimits) -> Result<(), StorageError> {
    let bytes = rmp_serde::to_vec_named(limits).expect("whole numbers fit MessagePack");
    tx.put(TABLE, KEY, bytes)
}

/// The limits in force.
#[derive(Debug)]
pub(crate) struct Limiter {
    /// How many tasks run at most, by direction.
    at_once: [AtomicUsize; 2],
    /// How fast they are, by direction.
    buckets: [Bucket; 2],
    revision: Mutex<u64>,
}

impl Limiter {
    pub(crate) fn new(stored: StoredLimits) -> Limiter {
        let limiter = Limiter {
            at_once: [AtomicUsize::new(0), AtomicUsize::new(0)],
            buckets: [Bucket::new(0), Bucket::new(0)],
            revision: Mutex::new(stored.revision),
        };
        limiter.set(stored.limits);
        limiter
    }

    /// Puts limits in force, unless newer ones are.
    pub(crate) fn change(&self, stored: StoredLimits) {
        let mut revision = self.revision.lock();
        if stored.revision > *revision {
            *revision = stored.revision;
            self.set(stored.limits);
        }
    }

    fn set(&self, limits: Limits) {
        let at_once = |most: u32| match usize::try_from(most) {
            Ok(most @ 1..MOST_AT_ONCE) => most,
            _ => MOST_AT_ONCE,
        };
        let upload = usize::from(Direction::Upload.wire());
        let download = usize::from(Direction::Download.wire());
        self.at_once[upload].store(at_once(limits.max_uploads), Ordering::Relaxed);
        self.at_once[download].store(at_once(limits.max_downloads), Ordering::Relaxed);
        self.buckets[upload].set_rate(limits.upload_bytes_per_second);
        self.buckets[download].set_rate(limits.download_bytes_per_second);
    }

    /// How many tasks of a direction may run.
    pub(crate) fn at_once(&self, direction: Direction) -> usize {
        self.at_once[usize::from(direction.wire())].load(Ordering::Relaxed)
    }

    /// What limits the speed of all tasks of a direction.
    pub(crate) fn bucket(&self, direction: Direction) -> &Bucket {
        &self.buckets[usize::from(direction.wire())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(revision: u64, max_downloads: u32) -> StoredLimits {
        StoredLimits {
            revision,
            limits: Limits {
                download_bytes_per_second: 0,
                upload_bytes_per_second: 0,
                max_downloads,
                max_uploads: 3,
            },
        }
    }

    #[test]
    fn the_newest_limits_count_and_there_is_always_a_most() {
        let limiter = Limiter::new(stored(0, 4));
        let at_once = || limiter.at_once(Direction::Download);
        assert_eq!((at_once(), limiter.at_once(Direction::Upload)), (4, 3));
        limiter.change(stored(2, 7));
        limiter.change(stored(1, 5));
        assert_eq!(at_once(), 7);
        for (set, most) in [(0, 256), (u32::MAX, 256), (256, 256), (255, 255), (1, 1)] {
            limiter.set(stored(0, set).limits);
            assert_eq!(at_once(), most, "{set}");
        }
    }
}
