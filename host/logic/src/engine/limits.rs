//! What one call may use.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use wasmtime::ResourceLimiter;

/// Limits of a call. Each has an error of its own, which goes to the log; the client gets code 500 and the call's identifier.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Time on the processor, in steps of [`TICK`].
    pub cpu: Duration,
    /// Time from the first attempt to the answer, waiting for the commit included.
    pub wall: Duration,
    /// Time that the cloud has to answer a question; a sync of a large space takes a while.
    pub question: Duration,
    /// Bytes of linear memory. All instances of a module together may have 16 times that.
    pub memory_bytes: usize,
    /// Elements of tables.
    pub table_elements: usize,
    /// Calls of host functions.
    pub host_calls: u32,
    /// Bytes that host functions take and give.
    pub host_bytes: u64,
    /// Effects (transfers, cloud changes, subscriptions) of one call.
    pub effects: usize,
    /// Bytes a call may print, with 128 more for each line; the rest is left out of the log.
    pub log_bytes: usize,
    /// Runs of one call that others' commits may undo.
    pub attempts: u32,
}

/// Why a call ends that makes one host call more.
pub(crate) const HOST_CALLS_USED: &str = "more host calls than a call may make";

/// Calls of a module version that fail and are logged each; further ones in the same second are counted.
pub(crate) const FAILURES_A_SECOND: u64 = 20;

/// Bytes that all calls of a module version may print in a second; the rest is left out of the log.
pub(crate) const PRINTED_BYTES_A_SECOND: u64 = 256 << 10;

/// What a line costs besides its text: each is logged with its time, its call and its module.
pub(crate) const LINE_BYTES: usize = 128;

/// Instances of a module that may have all the memory that one may have; the others then get none.
const FULL_INSTANCES: usize = 16;

/// The length of an epoch: how long a module has a thread before others get it.
pub const TICK: Duration = Duration::from_millis(2);

impl Default for Limits {
    fn default() -> Self {
        Limits {
            cpu: Duration::from_secs(5),
            wall: Duration::from_secs(60),
            question: Duration::from_secs(600),
            memory_bytes: 64 << 20,
            table_elements: 20_000,
            host_calls: 1_000_000,
            host_bytes: 256 << 20,
            effects: 100_000,
            log_bytes: 64 << 10,
            attempts: 64,
        }
    }
}

impl Limits {
    /// What a version on trial may use, for another one stands by: little time.
    pub fn on_trial(&self) -> Limits {
        Limits {
            cpu: self.cpu.min(Duration::from_millis(500)),
            wall: self.wall.min(Duration::from_secs(5)),
            ..self.clone()
        }
    }

    /// The processor time in epochs, at least one.
    pub fn cpu_ticks(&self) -> u64 {
        (self.cpu.as_millis() / TICK.as_millis()).max(1) as u64
    }
}

/// Bytes of linear memory that the instances of one module have together.
#[derive(Debug, Default)]
pub(crate) struct Held(AtomicUsize);

/// Counts a store's memory and tables against the limits, and remembers a refusal, for wasmtime reports the trap that follows
/// and not its cause.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_bytes: usize,
    table_elements: usize,
    pub(crate) refused: Option<&'static str>,
    /// What this store has, and what all of its module have.
    own_bytes: usize,
    held: Arc<Held>,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits, held: &Arc<Held>) -> Limiter {
        Limiter {
            memory_bytes: limits.memory_bytes,
            table_elements: limits.table_elements,
            refused: None,
            own_bytes: 0,
            held: Arc::clone(held),
        }
    }

    /// Bytes of linear memory that the store has.
    pub(crate) fn own_bytes(&self) -> usize {
        self.own_bytes
    }

    /// Takes part of what all instances of the module may have.
    fn take(&mut self, bytes: usize) -> bool {
        let most = self.memory_bytes.saturating_mul(FULL_INSTANCES);
        let taken = self.held.0.fetch_add(bytes, Ordering::Relaxed);
        if taken.saturating_add(bytes) > most {
            self.held.0.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.own_bytes += bytes;
        true
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.held.0.fetch_sub(self.own_bytes, Ordering::Relaxed);
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.memory_bytes {
            self.refused = Some("memory limit");
            return Ok(false);
        }
        let fits = self.take(desired.saturating_sub(current));
        if !fits {
            self.refused = Some("memory limit of all its instances");
        }
        Ok(fits)
    }

    // Without a pool these bound how many there are; with one, its own limits are lower or the same.
    fn memories(&self) -> usize {
        2
    }

    fn tables(&self) -> usize {
        8
    }

    fn instances(&self) -> usize {
        20
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let fits = desired <= self.table_elements;
        if !fits {
            self.refused = Some("table limit");
        }
        Ok(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instances_of_a_module_share_what_all_may_have() {
        let limits = Limits {
            memory_bytes: 100,
            ..Limits::default()
        };
        let held = Arc::default();
        let mut full: Vec<Limiter> = (0..FULL_INSTANCES).map(|_| Limiter::new(&limits, &held)).collect();
        for limiter in &mut full {
            assert!(limiter.memory_growing(0, 60, None).is_ok_and(|fits| fits));
            assert!(limiter.memory_growing(60, 100, None).is_ok_and(|fits| fits));
            assert!(limiter.memory_growing(100, 101, None).is_ok_and(|fits| !fits));
            assert_eq!((limiter.refused, limiter.own_bytes()), (Some("memory limit"), 100));
        }
        let mut another = Limiter::new(&limits, &held);
        assert!(another.memory_growing(0, 1, None).is_ok_and(|fits| !fits));
        assert_eq!(another.refused, Some("memory limit of all its instances"));
        full.pop();
        assert!(another.memory_growing(0, 100, None).is_ok_and(|fits| fits));
        drop((full, another));
        assert_eq!(held.0.load(Ordering::Relaxed), 0);
    }
}
