//! The types of the program.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout_at;

pub(crate) use std::sync::atomic::AtomicU64;
pub(crate) use std::sync::mpsc;
pub(crate) use std::thread;

pub(crate) use arc_swap::ArcSwap;
pub(crate) use parking_lot::{Mutex, RwLock, RwLockReadGuard};
pub(crate) use tokio::sync::oneshot;

use super::Elapsed;

pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) fn sleep(time: Duration) {
    thread::sleep(time);
}

/// Waits for a message, at most until `due`. `None` if no sender is left.
pub(crate) fn receive<T>(queue: &mut Receiver<T>, due: Option<Instant>, clock: &Runtime) -> Result<Option<T>, Elapsed> {
    match due {
        None => Ok(queue.blocking_recv()),
        Some(due) => clock
            .block_on(async { timeout_at(due.into(), queue.recv()).await })
            .map_err(|_| Elapsed),
    }
}
