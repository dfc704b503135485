//! The connections that wait for a change.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Notify;

/// The connections that wait for something to happen.
#[derive(Default)]
pub(super) struct Listeners {
    armed: HashMap<u64, (u16, Arc<Notify>)>,
    next: u64,
}

impl Listeners {
    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(super) fn arm(&mut self, listener: u64, channels: u16, notify: &Arc<Notify>) {
        self.armed.insert(listener, (channels, notify.clone()));
    }

    pub(super) fn disarm(&mut self, listener: u64) {
        self.armed.remove(&listener);
    }

    pub(super) fn wake(&mut self, channel: usize) {
        let bit = 1u16 << channel;
        self.armed.retain(|_, (channels, notify)| {
            let waits = *channels & bit != 0;
            if waits {
                notify.notify_one();
            }
            !waits
        });
    }

    pub(super) fn wake_all(&mut self) {
        for (_, (_, notify)) in self.armed.drain() {
            notify.notify_one();
        }
    }
}
