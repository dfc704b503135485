//! What runs beside the live modules: shadows and canaries.

use std::sync::Arc;

use stowage_logic::codec::fold_name;
use stowage_logic::{Generation, Module, Share, Thresholds, Watch};

use super::api::{CanaryStatus, Difference, ShadowReport};
use super::error::DeployError;
use super::live::LiveModule;

/// Shadows and canaries at once: each keeps a module in memory.
pub(super) const MOST_TRIALS: usize = 8;

/// A version that is not live, with what it takes to make it so.
#[derive(Clone)]
pub(super) struct Candidate {
    pub(super) module: Arc<Module>,
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) from: String,
    pub(super) schema: Option<u32>,
    /// Milliseconds since 1970.
    pub(super) since_ms: u64,
}

impl Candidate {
    /// Its row in a set that is to go live.
    pub(super) fn row(&self, by: &str) -> LiveModule {
        LiveModule {
            name: self.module.name.to_string(),
            version: self.module.version,
            size: self.bytes.len() as u64,
            source: self.from.clone(),
            since_ms: 0,
            by: by.to_owned(),
            schema: self.schema,
        }
    }
}

/// A version that is compared.
pub(super) struct Shadow {
    pub(super) candidate: Candidate,
    pub(super) percent: f64,
    /// Looks on at the live calls; when the last generation with it goes, the comparison ends.
    pub(super) run: Arc<stowage_logic::Shadow>,
}

impl Shadow {
    pub(super) fn report(&self) -> ShadowReport {
        let tally = self.run.tally();
        let difference = |d: stowage_logic::Difference| Difference {
            method: d.method,
            params: d.params,
            lines: d.lines,
        };
        ShadowReport {
            version: format!("{:#}", self.candidate.module.version),
            since: self.candidate.since_ms,
            percent: self.percent,
            compared: tally.compared,
            skipped: tally.skipped,
            different: tally.different,
            live_us: tally.live_us,
            shadow_us: tally.shadow_us,
            differences: tally.differences.into_iter().map(difference).collect(),
        }
    }
}

/// A version that answers some calls.
pub(super) struct Canary {
    pub(super) candidate: Candidate,
    pub(super) percent: f64,
    pub(super) methods: Vec<String>,
    pub(super) thresholds: Thresholds,
    pub(super) watch: Arc<Watch>,
}

impl Canary {
    /// The calls it answers, in a table of the live modules: of the functions that the live module of its name serves, where there is
    /// one. None where no call is left for it.
    pub(super) fn share(&self, table: &Generation, is_new: bool) -> Option<Share> {
        let wanted: Vec<String> = self.methods.iter().map(|m| fold_name(m)).collect();
        let name = &self.candidate.module.name;
        let methods: Vec<String> = table
            .routes()
            .filter(|route| is_new || route.module().name == *name)
            .map(|route| fold_name(&route.export().function))
            .filter(|function| wanted.is_empty() || wanted.contains(function))
            .collect();
        (!methods.is_empty()).then(|| Share::new(self.percent, &methods))
    }

    pub(super) fn status(&self) -> CanaryStatus {
        CanaryStatus {
            version: format!("{:#}", self.candidate.module.version),
            since: self.candidate.since_ms,
            percent: self.percent,
            methods: self.methods.clone(),
            thresholds: self.thresholds,
            watch: self.watch.report(),
            calls: self.candidate.module.summary(),
        }
    }
}

/// # Errors
/// When as many run as may.
pub(super) fn room_for_another(running: usize, name: &str) -> Result<(), DeployError> {
    if running < MOST_TRIALS {
        return Ok(());
    }
    Err(DeployError::Busy {
        name: name.to_owned(),
        reason: format!("{MOST_TRIALS} shadows and canaries run already; abort one of them first"),
    })
}
