//! What a module prints, in the log of the host.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use crate::api::call_id::CallId;
use crate::engine::rate_limit::{RateLimit, Verdict};
use crate::engine::version::Version;
use crate::printable::printable;

/// What each line costs in addition to its text: it is logged with its time, call and module.
const LINE_BYTES: usize = 128;
/// A longer line is logged in parts.
const PART_BYTES: usize = 4096;

/// A stream that a guest prints to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }
}

/// The log of one instance. Whole lines go to the host's log, with the call's identifier.
#[derive(Debug)]
pub(crate) struct ModuleLog {
    /// Whether the call has printed.
    used: AtomicBool,
    /// Whether the call's budget is used up. Further output is left out.
    spent: AtomicBool,
    budget: Mutex<Budget>,
    /// The lines that have begun on stdout and stderr. All handles on a stream share its line.
    lines: [Mutex<Vec<u8>>; 2],
}

#[derive(Debug)]
struct Budget {
    call_id: CallId,
    module: Arc<str>,
    version: Version,
    /// Bytes that the call may still print.
    left_bytes: usize,
    /// Bytes that all instances of the module may print in a second.
    limit: Arc<RateLimit>,
}

impl Budget {
    /// Whether the module may print this many bytes now. Logs what is left out.
    fn allows(&self, bytes: usize) -> bool {
        match self.limit.ask(bytes as u64, Instant::now()) {
            Verdict::Granted { left_out } => {
                if left_out > 0 {
                    tracing::warn!(
                        target: "stowage::module",
                        module = %self.module,
                        version = %self.version,
                        left_out,
                        "lines of its calls were left out"
                    );
                }
                true
            }
            Verdict::FirstLeftOut => {
                tracing::warn!(
                    target: "stowage::module",
                    call_id = %self.call_id,
                    module = %self.module,
                    version = %self.version,
                    "its calls print more than is logged in a second, the rest is left out"
                );
                false
            }
            Verdict::LeftOut => false,
        }
    }
}

impl ModuleLog {
    pub(crate) fn new(module: Arc<str>, version: Version, limit: Arc<RateLimit>) -> ModuleLog {
        ModuleLog {
            used: AtomicBool::new(false),
            spent: AtomicBool::new(false),
            budget: Mutex::new(Budget {
                call_id: CallId::default(),
                module,
                version,
                left_bytes: 0,
                limit,
            }),
            lines: Default::default(),
        }
    }

    /// Gives a call its budget.
    pub(crate) fn arm(&self, call_id: CallId, budget_bytes: usize) {
        self.used.store(false, Ordering::Relaxed);
        self.spent.store(false, Ordering::Relaxed);
        let mut budget = self.budget.lock();
        budget.call_id = call_id;
        budget.left_bytes = budget_bytes;
    }

    /// Whether the call has printed.
    pub(crate) fn was_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Logs the lines that have begun. They belong to the call that ends.
    pub(crate) fn finish(&self) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let line = std::mem::take(&mut *self.lines[stream as usize].lock());
            if !line.is_empty() {
                self.print(stream, &line);
            }
        }
    }

    /// Appends what the guest prints to the stream's line, and logs the lines that are complete.
    pub(crate) fn append(&self, stream: Stream, bytes: &[u8]) {
        self.used.store(true, Ordering::Relaxed);
        if self.spent.load(Ordering::Relaxed) {
            return;
        }
        let mut line = self.lines[stream as usize].lock();
        for &byte in bytes {
            if byte != b'\n' {
                line.push(byte);
            }
            if byte == b'\n' || line.len() >= PART_BYTES {
                self.print(stream, &line);
                line.clear();
            }
        }
    }

    fn print(&self, stream: Stream, line: &[u8]) {
        let mut budget = self.budget.lock();
        if budget.left_bytes == 0 {
            return;
        }
        let cost = line.len() + LINE_BYTES;
        let left = budget.left_bytes.checked_sub(cost);
        budget.left_bytes = left.unwrap_or(0);
        self.spent.store(budget.left_bytes == 0, Ordering::Relaxed);
        if !budget.allows(cost) {
            return;
        }
        let Budget {
            call_id,
            module,
            version,
            ..
        } = &*budget;
        if left.is_none() {
            tracing::warn!(
                target: "stowage::module",
                %call_id,
                %module,
                %version,
                "more output than a call may log, the rest is left out"
            );
            return;
        }
        // Control characters must not reach a terminal that shows the log.
        let text = printable(&String::from_utf8_lossy(line));
        let stream = stream.name();
        tracing::info!(target: "stowage::module", %call_id, %module, %version, stream, "{text}");
    }
}
