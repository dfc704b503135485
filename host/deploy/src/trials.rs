//! The two kinds of trial of a version that is not live: shadows and canaries.

use std::sync::Arc;

use stowage_logic::codec::fold_name;
use stowage_logic::{Generation, Share, Thresholds, Watch};

use super::api::{CanaryStatus, Difference, ShadowReport};
use super::candidate::Candidate;

/// A version that repeats live calls for comparison and answers none.
pub(crate) struct Shadow {
    pub(crate) candidate: Candidate,
    pub(crate) percent: f64,
    /// Observes the live calls. The comparison ends when the last generation that has it is
    /// dropped.
    pub(crate) run: Arc<stowage_logic::Shadow>,
}

impl Shadow {
    pub(crate) fn report(&self) -> ShadowReport {
        let tally = self.run.tally();
        let difference = |d: stowage_logic::Difference| Difference {
            method: d.method,
            params: d.params,
            lines: d.lines,
            live: d.live,
            shadow: d.shadow,
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

    /// The report without the answers of the calls, which may be long.
    pub(crate) fn short_report(&self) -> ShadowReport {
        let mut report = self.report();
        for difference in &mut report.differences {
            difference.live = serde_json::Value::Null;
            difference.shadow = serde_json::Value::Null;
        }
        report
    }
}

/// A version that answers a share of the calls.
pub(crate) struct Canary {
    pub(crate) candidate: Candidate,
    pub(crate) percent: f64,
    pub(crate) methods: Vec<String>,
    pub(crate) thresholds: Thresholds,
    pub(crate) watch: Arc<Watch>,
}

impl Canary {
    /// The calls that it answers, given the table of the live modules. A canary of a live module
    /// (`is_new` is false) takes only calls that this module serves. `None` if no call is left.
    pub(crate) fn share(&self, table: &Generation, is_new: bool) -> Option<Share> {
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

    pub(crate) fn status(&self) -> CanaryStatus {
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
