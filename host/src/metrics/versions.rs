//! The module versions whose counts are shown: those in use, and for a while those before them.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use stowage_logic::{Module, ModuleStats};

/// How long the counts of a version are shown after it was last in use. A scraper needs them once
/// more, to see its last calls.
const SHOWN_AFTER_USE: Duration = Duration::from_secs(600);
/// Most versions that are shown and not in use. The one that is out of use for longest goes first.
const MAX_OUT_OF_USE: usize = 16;

/// The versions that are shown.
#[derive(Debug, Default)]
pub(super) struct Versions(Mutex<Vec<Shown>>);

/// A version that is shown.
#[derive(Clone)]
pub(super) struct Shown {
    pub(super) stats: Arc<ModuleStats>,
    /// Its text, which labels need.
    pub(super) version: String,
    module: Weak<Module>,
    last_used: Instant,
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.stats.name, self.version)
    }
}

impl Shown {
    /// Its instances that wait for a call.
    pub(super) fn idle_instances(&self) -> usize {
        self.module.upgrade().map_or(0, |module| module.idle_instances())
    }
}

impl Versions {
    /// Takes note of the modules in use. Call it more often than versions come and go.
    pub(super) fn look(&self, in_use: &[Arc<Module>], now: Instant) {
        let mut shown = self.0.lock();
        for (index, module) in in_use.iter().enumerate() {
            // Two modules with one version would have the same labels: the first one counts.
            let is_same = |other: &Arc<Module>| other.name == module.name && other.version == module.version;
            if in_use[..index].iter().any(is_same) {
                continue;
            }
            let known = shown
                .iter_mut()
                .find(|shown| shown.stats.name == module.name && shown.stats.version == module.version);
            match known {
                Some(known) => {
                    known.stats = Arc::clone(module.stats());
                    known.module = Arc::downgrade(module);
                    known.last_used = now;
                }
                None => shown.push(Shown {
                    stats: Arc::clone(module.stats()),
                    version: module.version.to_string(),
                    module: Arc::downgrade(module),
                    last_used: now,
                }),
            }
        }
        shown.retain(|shown| now.duration_since(shown.last_used) < SHOWN_AFTER_USE);
        let out_of_use = shown.iter().filter(|shown| shown.last_used < now).count();
        for _ in MAX_OUT_OF_USE..out_of_use {
            let oldest = shown.iter().enumerate().min_by_key(|(_, shown)| shown.last_used);
            if let Some((index, _)) = oldest {
                shown.remove(index);
            }
        }
    }

    /// The versions that are shown.
    pub(super) fn shown(&self) -> Vec<Shown> {
        self.0.lock().clone()
    }
}
