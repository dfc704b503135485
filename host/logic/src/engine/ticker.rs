//! The thread that advances the engine's epoch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, Thread};

use wasmtime::Engine;

use crate::scheduler::tick::TICK;

/// Ticks after the last run in which the epoch still advances.
const IDLE_TICKS: u32 = 500;

/// Tells the ticker whether any run needs the epoch.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    used: AtomicBool,
    parked: AtomicBool,
    stop: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Activity {
    /// A run goes on: the epoch advances for a while.
    pub(crate) fn busy(&self) {
        // Most runs find the flag set, and do not write to memory that all of them share.
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::SeqCst);
            if self.parked.load(Ordering::SeqCst)
                && let Some(thread) = self.thread.get()
            {
                thread.unpark();
            }
        }
    }
}

/// Advances the engine's epoch once in each tick while anything runs. It has its own thread, so a
/// busy runtime does not stop it.
pub(crate) struct Ticker {
    activity: Arc<Activity>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// # Errors
    /// When the thread cannot be started.
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Ticker> {
        let activity = Arc::new(Activity::default());
        let engine = engine.weak();
        let seen = Arc::clone(&activity);
        let thread = std::thread::Builder::new().name("epoch".into()).spawn(move || {
            let mut idle = 0;
            while !seen.stop.load(Ordering::SeqCst) {
                std::thread::park_timeout(TICK);
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
                }
                idle = if seen.used.swap(false, Ordering::SeqCst) {
                    0
                } else {
                    idle + 1
                };
                if idle >= IDLE_TICKS {
                    seen.parked.store(true, Ordering::SeqCst);
                    // A run that sets the flag after this check unparks the thread.
                    if !seen.used.load(Ordering::SeqCst) && !seen.stop.load(Ordering::SeqCst) {
                        std::thread::park();
                    }
                    seen.parked.store(false, Ordering::SeqCst);
                    idle = 0;
                }
            }
        })?;
        // Set once, here.
        let _ = activity.thread.set(thread.thread().clone());
        Ok(Ticker {
            activity,
            thread: Some(thread),
        })
    }

    pub(crate) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.activity.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread's loop does not panic, so there is nothing to report.
            let _ = thread.join();
        }
    }
}
