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

    /// Removes and returns those that wait for one of these channels. The caller wakes them.
    pub(super) fn take(&mut self, channels: u16) -> Vec<Arc<Notify>> {
        self.armed
            .extract_if(|_, (waits, _)| *waits & channels != 0)
            .map(|(_, (_, notify))| notify)
            .collect()
    }

    pub(super) fn wake(&mut self, listener: u64) {
        if let Some((_, notify)) = self.armed.remove(&listener) {
            notify.notify_one();
        }
    }

    pub(super) fn wake_all(&mut self) {
        for (_, (_, notify)) in self.armed.drain() {
            notify.notify_one();
        }
    }
}
