//! The unit of run time.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// The length of an epoch: how long a module has a thread before others get it.
pub(crate) const TICK: Duration = Duration::from_millis(2);

/// How many ticks interrupted the runs of an instance. The engine's callback counts them.
pub(crate) type TickCount = Arc<AtomicU64>;

/// The processors that long runs share: half of them, and at least one.
pub(crate) fn shared_processors() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (processors / 2).max(1)
}
