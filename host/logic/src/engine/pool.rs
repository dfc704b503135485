//! The idle instances of a module.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::instance::Instance;
use super::stats::{InstanceEnd, ModuleStats};

/// An idle instance with more linear memory is not kept.
const MAX_KEPT_BYTES: usize = 8 << 20;
/// An idle instance with more handles of the host is not kept. A module that prints keeps a few.
const MAX_KEPT_HANDLES: usize = 16;

/// How long and how often an instance is used again.
#[derive(Clone, Copy, Debug)]
pub struct Reuse {
    /// Calls that an instance serves before it is thrown away. With 1 every call gets a fresh one.
    pub calls: u32,
    /// How long an idle instance is kept.
    pub idle: Duration,
    /// Idle instances that are kept for each module.
    pub kept: usize,
}

impl Default for Reuse {
    fn default() -> Self {
        Reuse {
            calls: 1000,
            idle: Duration::from_secs(60),
            kept: 16,
        }
    }
}

/// The idle instances of one module version, the last used at the end.
#[derive(Default)]
pub(crate) struct Pool {
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    instance: Instance,
    since: Instant,
}

impl Pool {
    /// An idle instance that may still be used.
    pub(crate) fn take(&self, reuse: &Reuse, stats: &ModuleStats) -> Option<Instance> {
        let now = Instant::now();
        let mut idle = self.idle.lock();
        let stale = idle.partition_point(|i| now.duration_since(i.since) > reuse.idle);
        let stale: Vec<_> = idle.drain(..stale).collect();
        let taken = idle.pop();
        drop(idle);
        if !stale.is_empty() {
            stats.count_dropped(InstanceEnd::Idle, stale.len());
        }
        // Stores are dropped outside the lock, because freeing their memory takes a while.
        drop(stale);
        taken.map(|i| i.instance)
    }

    /// Keeps an instance for another call. It is dropped if it served its calls, has grown large,
    /// left many handles open, or enough instances are idle.
    pub(crate) fn put(&self, mut instance: Instance, reuse: &Reuse, stats: &ModuleStats) {
        if instance.calls >= reuse.calls {
            return stats.count_dropped(InstanceEnd::Served, 1);
        }
        if instance.memory_bytes() > MAX_KEPT_BYTES || instance.handles() > MAX_KEPT_HANDLES {
            return stats.count_dropped(InstanceEnd::Large, 1);
        }
        let since = Instant::now();
        let mut idle = self.idle.lock();
        if idle.len() < reuse.kept {
            return idle.push(Idle { instance, since });
        }
        drop(idle);
        stats.count_dropped(InstanceEnd::Surplus, 1);
    }

    /// How many instances are idle.
    pub(crate) fn len(&self) -> usize {
        self.idle.lock().len()
    }
}
