//! What runs beside the live modules: shadows, canaries, and the parts of the host that compare and replay.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use stowage_logic::{Logic, Module, Observer, Share, Thresholds, Watch};

use super::error::DeployError;
use super::live::LiveModule;
use super::report::{CanaryStatus, ShadowReport};

/// Shadows and canaries at once: each keeps a module in memory.
pub(super) const MOST_TRIALS: usize = 8;

/// Lines of what was found: how it went, or what differs.
pub type ReplayResult = Result<Vec<String>, Vec<String>>;

/// Replays a recording with a module, beside what is served.
pub type Replay = Arc<dyn Fn(Logic, Vec<u8>, Arc<Module>) -> BoxFuture<'static, ReplayResult> + Send + Sync>;

/// A comparison that is under way.
pub struct ShadowRun {
    /// Looks on at the live calls; when it is dropped, the comparison ends.
    pub observer: Arc<dyn Observer>,
    /// What was found so far. The deployer fills in the shadow's version and since when it runs.
    pub report: Arc<dyn Fn() -> ShadowReport + Send + Sync>,
}

/// Begins to compare a module with the live calls it looks on at, a percentage of them.
pub type StartShadow = Arc<dyn Fn(&Logic, Arc<Module>, f64) -> ShadowRun + Send + Sync>;

/// The parts of the host that show beforehand how a version behaves.
#[derive(Clone, Default)]
pub struct Proofs {
    /// For a check that is given a recording.
    pub replay: Option<Replay>,
    /// For shadows.
    pub shadow: Option<StartShadow>,
}

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
    pub(super) run: ShadowRun,
}

impl Shadow {
    pub(super) fn report(&self) -> ShadowReport {
        ShadowReport {
            version: format!("{:#}", self.candidate.module.version),
            since: self.candidate.since_ms,
            percent: self.percent,
            ..(self.run.report)()
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
    pub(super) fn share(&self) -> Share {
        Share::new(self.percent, &self.methods)
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
