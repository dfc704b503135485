//! What one call may use.

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
    /// Bytes of linear memory.
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
pub(super) const HOST_CALLS_USED: &str = "more host calls than a call may make";

/// Calls of a module version that fail and are logged each; further ones in the same second are counted.
pub(super) const FAILURES_A_SECOND: u64 = 20;

/// Bytes that all calls of a module version may print in a second; the rest is left out of the log.
pub(super) const PRINTED_BYTES_A_SECOND: u64 = 1 << 20;

/// What a line costs besides its text: each is logged with its time, its call and its module.
pub(super) const LINE_BYTES: usize = 128;

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

/// Counts a store's memory and tables against the limits, and remembers a refusal, for wasmtime reports the trap that follows
/// and not its cause.
#[derive(Debug)]
pub(super) struct Limiter {
    memory_bytes: usize,
    table_elements: usize,
    pub(super) refused: Option<&'static str>,
}

impl Limiter {
    pub(super) fn new(limits: &Limits) -> Limiter {
        Limiter {
            memory_bytes: limits.memory_bytes,
            table_elements: limits.table_elements,
            refused: None,
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let fits = desired <= self.memory_bytes;
        if !fits {
            self.refused = Some("memory limit");
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
