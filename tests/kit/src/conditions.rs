//! What a test decides for each call: its time, its randomness, and where it fails.

use std::sync::{Mutex, MutexGuard, PoisonError};

use stowage_logic::{CallError, Conditions, Moment, Route};

/// The time of a kit that was told none: 2023-11-14 22:13:20 UTC.
const NOW_MS: u64 = 1_700_000_000_000;

/// The conditions of the next calls.
#[derive(Debug)]
pub(crate) struct Laboratory(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    moment: Moment,
    /// Whether each call gets another seed.
    vary: bool,
    /// The host call, counted from 1, that fails in the next call.
    fail_at: Option<u32>,
    /// Whether it was reached.
    fired: bool,
    failure: Option<String>,
}

impl Default for Laboratory {
    fn default() -> Self {
        Laboratory(Mutex::new(Inner {
            moment: Moment {
                now_ms: NOW_MS,
                seed: [0; 32],
            },
            vary: false,
            fail_at: None,
            fired: false,
            failure: None,
        }))
    }
}

impl Laboratory {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_now(&self, now_ms: u64) {
        self.lock().moment.now_ms = now_ms;
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.lock().moment.now_ms
    }

    pub(crate) fn set_seed(&self, seed: [u8; 32], vary: bool) {
        let mut inner = self.lock();
        inner.moment.seed = seed;
        inner.vary = vary;
    }

    /// Lets the next call fail at its `host_call`th host call, counted from 1; none lets it be.
    pub(crate) fn fail_at(&self, host_call: Option<u32>) {
        let mut inner = self.lock();
        inner.fail_at = host_call;
        inner.fired = false;
    }

    /// Whether a call has reached the host call it was to fail at.
    pub(crate) fn fired(&self) -> bool {
        self.lock().fired
    }

    /// Why the last call that gave no answer gave none.
    pub(crate) fn failure(&self) -> Option<String> {
        self.lock().failure.clone()
    }
}

impl Conditions for Laboratory {
    fn moment(&self) -> Moment {
        let mut inner = self.lock();
        let moment = inner.moment;
        if inner.vary {
            for byte in &mut inner.moment.seed {
                *byte = byte.wrapping_add(1);
                if *byte != 0 {
                    break;
                }
            }
        }
        moment
    }

    fn host_calls(&self, most: u32) -> u32 {
        match self.lock().fail_at.take() {
            Some(host_call) => most.min(host_call.saturating_sub(1)),
            None => most,
        }
    }

    fn failed(&self, route: &Route, error: &CallError) {
        let mut inner = self.lock();
        inner.fired |= error.is_host_call_limit();
        inner.failure = Some(format!("{}: {error}", route.export().function));
    }
}
