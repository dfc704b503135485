//! The probation of a generation that went live a short while ago.

use std::sync::Arc;
use std::time::Duration;

use stowage_logic::{Module, Thresholds, Watch};

use super::clock::now_ms;

/// Watches the new modules of the live generation, with the previous ones ready to answer.
#[derive(Clone)]
pub(crate) struct Probation {
    /// The modules of the previous generation.
    pub(crate) previous: Vec<Arc<Module>>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) thresholds: Thresholds,
    /// When it ends, in milliseconds since 1970.
    pub(crate) until_ms: u64,
    /// The number of the previous generation.
    pub(crate) back_to: u64,
    /// The data was migrated: previous versions of changed modules cannot read it.
    pub(crate) migrated: bool,
}

impl Probation {
    /// The previous modules that may answer in place of `modules`.
    pub(crate) fn standing_by(&self, modules: &[Arc<Module>]) -> Vec<Arc<Module>> {
        let unchanged = |m: &&Arc<Module>| modules.iter().any(|n| n.name == m.name && n.version == m.version);
        self.previous
            .iter()
            .filter(|m| !self.migrated || unchanged(m))
            .cloned()
            .collect()
    }

    /// How long it still lasts.
    pub(crate) fn left(&self) -> Duration {
        Duration::from_millis(self.until_ms.saturating_sub(now_ms()))
    }

    /// Whether the module is one of the new ones, which are watched.
    pub(crate) fn watches(&self, module: &Module) -> bool {
        let is_same = |m: &Arc<Module>| m.name == module.name && m.version == module.version;
        !self.previous.iter().any(is_same)
    }
}
