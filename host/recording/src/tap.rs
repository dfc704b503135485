//! The queue from live calls to the thread that writes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};

use parking_lot::Mutex;
use stowage_logic::codec::fold_name;
use stowage_logic::{Function, Observation, Observer};

use crate::capture::bytes_of;

/// Calls that wait to be written. Each keeps its snapshot, so the database cannot reuse its space.
const MAX_WAITING: usize = 256;
/// Bytes of the writes of waiting calls.
const MAX_WAITING_BYTES: u64 = 64 << 20;

/// Where calls come in. A call that finds no room is dropped and counted.
#[derive(Debug)]
pub(crate) struct Tap {
    /// Folded names. Empty means all functions.
    methods: Vec<String>,
    open: AtomicBool,
    waiting_bytes: AtomicU64,
    dropped: AtomicU64,
    /// Calls that are written.
    recorded: AtomicU64,
    /// None after the recording has stopped.
    queue: Mutex<Option<SyncSender<Observation>>>,
}

impl Tap {
    /// A tap for calls of these methods, or of all if the list is empty, and the end of its queue.
    pub(crate) fn new(methods: &[String]) -> (Arc<Tap>, Receiver<Observation>) {
        let (sender, receiver) = mpsc::sync_channel(MAX_WAITING);
        let tap = Tap {
            methods: methods.iter().map(|method| fold_name(method)).collect(),
            open: AtomicBool::new(true),
            waiting_bytes: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            recorded: AtomicU64::new(0),
            queue: Mutex::new(Some(sender)),
        };
        (Arc::new(tap), receiver)
    }

    /// Takes no further calls. The receiver ends after the calls that wait.
    pub(crate) fn close(&self) {
        self.open.store(false, Ordering::Relaxed);
        self.queue.lock().take();
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Notes that a call was taken out of the queue.
    pub(crate) fn taken(&self, observation: &Observation) {
        let bytes = bytes_of(&observation.footprint.writes);
        self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(crate) fn recorded(&self) -> u64 {
        self.recorded.load(Ordering::Relaxed)
    }

    pub(crate) fn set_recorded(&self, calls: u64) {
        self.recorded.store(calls, Ordering::Relaxed);
    }
}

impl Observer for Tap {
    fn wants(&self, function: &Function) -> bool {
        self.is_open() && (self.methods.is_empty() || self.methods.contains(&fold_name(&function.export().function)))
    }

    fn observed(&self, observation: Observation) {
        let bytes = bytes_of(&observation.footprint.writes);
        let queue = self.queue.lock();
        let Some(queue) = queue.as_ref() else { return };
        let waiting = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        if waiting.saturating_add(bytes) > MAX_WAITING_BYTES || queue.try_send(observation).is_err() {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
