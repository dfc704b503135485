//! Holding calls back for a moment, so that code and data change together.
//!
//! An *era* is a time in which the stored bytes mean one thing. It is even while calls begin and odd while they are held back. Every
//! route knows the era it belongs to; a call compares it with the present one after it has taken its snapshot, so that
//! no call begins with old code on new data or with new code on old. Calls that began before on an older snapshot are kept
//! from committing by the store's fence, and run again.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::Logic;
use crate::routing::generation::Generation;

/// The present era.
#[derive(Debug, Default)]
pub(crate) struct Eras {
    now: AtomicU64,
    changed: Notify,
}

impl Eras {
    /// Whether a call of a route of this era may run on the snapshot that it has just taken.
    pub(crate) fn is(&self, era: u64) -> bool {
        self.now.load(Ordering::SeqCst) == era
    }

    pub(crate) fn now(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }

    /// Waits while calls are held back.
    pub(crate) async fn begun(&self) {
        loop {
            let changed = self.changed.notified();
            if self.now().is_multiple_of(2) {
                return;
            }
            changed.await;
        }
    }

    fn set(&self, era: u64) {
        self.now.store(era, Ordering::SeqCst);
        self.changed.notify_waiters();
    }
}

/// While it lives no call begins: those that come wait, and their time does not run. Dropped, the old generation goes on.
#[derive(Debug)]
pub struct CallHold {
    logic: Logic,
    era: u64,
    released: bool,
}

impl Logic {
    /// Holds calls back. Calls that have begun go on; [`Store::commit_fenced`](stowage_storage::Store::commit_fenced)
    /// sees to it that they commit before the change or not at all. For one caller at a time.
    pub fn hold(&self) -> CallHold {
        let era = self.inner.eras.now();
        self.inner.eras.set(era + 1);
        CallHold {
            logic: self.clone(),
            era,
            released: false,
        }
    }
}

impl CallHold {
    /// Lets the calls that wait, and all later ones, begin on this generation.
    pub fn release(mut self, generation: Generation) {
        let era = self.era + 2;
        let inner = &self.logic.inner;
        inner.publish(generation, era);
        inner.eras.set(era);
        self.released = true;
    }
}

impl Drop for CallHold {
    fn drop(&mut self) {
        if !self.released {
            self.logic.inner.eras.set(self.era);
        }
    }
}
