//! What one call may use.

use std::time::Duration;

use crate::scheduler::tick::TICK;

/// The largest file of a module.
pub const MAX_MODULE_BYTES: usize = 64 << 20;
/// The longest answer of a call, as JSON. Its bytes exist twice for a moment.
pub(crate) const MAX_ANSWER_BYTES: usize = 16 << 20;
/// Most bytes that a module passes to the host at once, in one host call or as its answer. An
/// answer counts twice: as it lies in the module's memory, and as JSON.
pub(crate) const MAX_PASSED_BYTES: usize = 40 << 20;
/// How long a module may take to compile.
pub(crate) const MAX_COMPILE_TIME: Duration = Duration::from_secs(60);

/// The limits of a call. Each has its own error in the log. The client gets code 500 and the call's
/// identifier.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Processor time, in steps of 2 ms.
    pub cpu: Duration,
    /// How long a call may wait for a permit and run. The commit does not count: a commit that has
    /// begun is always awaited, so that its outcome is known.
    pub wall: Duration,
    /// How long the cloud may take to answer a question. A sync of a large space takes a while.
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
    /// Bytes that a call may print. Each line counts 128 bytes more. The rest is not logged.
    pub log_bytes: usize,
    /// Attempts of one call. After a conflict with another call, the next attempt follows.
    pub attempts: u32,
}

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
    /// The limits of a version on trial. It gets little time, because another version stands by.
    pub fn on_trial(&self) -> Limits {
        Limits {
            cpu: self.cpu.min(Duration::from_millis(500)),
            wall: self.wall.min(Duration::from_secs(5)),
            ..self.clone()
        }
    }

    /// The processor time in ticks, at least one.
    pub(crate) fn cpu_ticks(&self) -> u64 {
        (self.cpu.as_millis() / TICK.as_millis()).max(1) as u64
    }
}

/// Which limits a run gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitClass {
    /// All that a call may use.
    Live,
    /// Little time. The trace of a run that ends in an error is kept, to compare it.
    Trial,
}
