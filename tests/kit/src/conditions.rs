//! What a test chooses for the next calls: their time, their seed, and the host call that fails.

use parking_lot::Mutex;
use stowage_logic::{CallError, Conditions, Function, Moment, Refusal};

/// The time until a test sets another: 2023-11-14 22:13:20 UTC.
const NOW_MS: u64 = 1_700_000_000_000;

/// The conditions of the next calls, and how the last ones failed.
#[derive(Debug)]
pub(crate) struct TestConditions(Mutex<Chosen>);

#[derive(Debug)]
struct Chosen {
    moment: Moment,
    /// Whether the seed changes from call to call.
    varies: bool,
    /// The host call of the next call that fails, counted from 1.
    fail_at: Option<u32>,
    /// Whether a call has reached the host call it was to fail at.
    fired: bool,
    failure: Option<String>,
}

impl Default for TestConditions {
    fn default() -> Self {
        TestConditions(Mutex::new(Chosen {
            moment: Moment {
                now_ms: NOW_MS,
                seed: [0; 32],
            },
            varies: false,
            fail_at: None,
            fired: false,
            failure: None,
        }))
    }
}

impl TestConditions {
    pub(crate) fn set_now(&self, now_ms: u64) {
        self.0.lock().moment.now_ms = now_ms;
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.0.lock().moment.now_ms
    }

    pub(crate) fn set_seed(&self, seed: [u8; 32], varies: bool) {
        let mut chosen = self.0.lock();
        chosen.moment.seed = seed;
        chosen.varies = varies;
    }

    /// Makes the next call fail at its `host_call`th host call, counted from 1. `None` undoes that.
    pub(crate) fn fail_at(&self, host_call: Option<u32>) {
        let mut chosen = self.0.lock();
        chosen.fail_at = host_call;
        chosen.fired = false;
    }

    /// Whether a call has reached the host call that it was to fail at.
    pub(crate) fn fired(&self) -> bool {
        self.0.lock().fired
    }

    /// Why the last call that gave no answer failed.
    pub(crate) fn failure(&self) -> Option<String> {
        self.0.lock().failure.clone()
    }
}

impl Conditions for TestConditions {
    fn moment(&self) -> Moment {
        let mut chosen = self.0.lock();
        let moment = chosen.moment;
        if chosen.varies {
            for byte in &mut chosen.moment.seed {
                *byte = byte.wrapping_add(1);
                if *byte != 0 {
                    break;
                }
            }
        }
        moment
    }

    fn host_calls(&self, max: u32) -> u32 {
        match self.0.lock().fail_at.take() {
            Some(host_call) => max.min(host_call.saturating_sub(1)),
            None => max,
        }
    }

    fn failed(&self, function: &Function, error: &CallError) {
        let mut chosen = self.0.lock();
        chosen.fired |= matches!(error, CallError::Refused(Refusal::HostCallLimit));
        chosen.failure = Some(format!("{}: {error}", function.export().function));
    }
}
