//! The generation that serves, and the hold that lets code and data change together.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::generation::Generation;
use crate::call::runtime::Runtime;

/// The generation that serves.
pub(crate) struct Serving {
    runtime: Arc<Runtime>,
    /// Read from outside; only `publish` replaces it.
    pub(crate) generation: ArcSwap<Generation>,
}

impl Serving {
    /// Nothing serves yet.
    pub(crate) fn new(runtime: Arc<Runtime>) -> Serving {
        Serving {
            runtime,
            generation: ArcSwap::from_pointee(Generation::default()),
        }
    }

    /// Serves this generation from now on. Calls in flight end on what they began with.
    pub(crate) fn serve(&self, generation: Generation) {
        // While calls are held back, this is the era before the hold. It comes back if the hold is
        // dropped.
        self.publish(generation, self.runtime.fence.last_open_era());
    }

    /// Holds calls back.
    pub(crate) fn hold(self: &Arc<Self>) -> CallHold {
        let era = self.runtime.fence.era();
        self.runtime.fence.set_era(era + 1);
        CallHold {
            serving: Arc::clone(self),
            era,
            released: false,
        }
    }

    fn publish(&self, generation: Generation, era: u64) {
        let config = &self.runtime.config;
        let response_cache_bytes = match config.conditions {
            None => config.response_cache_bytes,
            Some(_) => 0,
        };
        self.generation
            .store(Arc::new(generation.serving(era, response_cache_bytes)));
    }
}

/// While it lives no call begins. Calls that come wait, and the wait does not count against their
/// wall limit. If it is dropped, the old generation goes on.
pub struct CallHold {
    serving: Arc<Serving>,
    /// The era before the hold.
    era: u64,
    released: bool,
}

impl CallHold {
    /// Lets the calls that wait, and all later ones, begin on this generation.
    pub fn release(mut self, generation: Generation) {
        let era = self.era + 2;
        self.serving.publish(generation, era);
        self.serving.runtime.fence.set_era(era);
        self.released = true;
    }
}

impl Drop for CallHold {
    fn drop(&mut self) {
        if !self.released {
            self.serving.runtime.fence.set_era(self.era);
        }
    }
}

impl fmt::Debug for CallHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallHold")
            .field("era", &self.era)
            .finish_non_exhaustive()
    }
}
