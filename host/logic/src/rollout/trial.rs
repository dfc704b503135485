//! A version on trial: a canary that answers some calls, or a version that has just gone live.
//! The version before it stands by.
//!
//! If the version on trial fails a call, the version before it runs the call again, with the same
//! time and randomness. Nothing of the call was committed, so the client sees the old answer and no
//! failure. If the version on trial returns an error, the host compares it with what the version
//! before would have returned.

use std::sync::Arc;

use super::share::Share;
use super::watch::Watch;
use crate::api::error::CallError;
use crate::call::context::CallContext;
use crate::call::dry_run::{self, DryRunInput};
use crate::call::retry::{self, Output, Stopped};
use crate::call::runtime::Runtime;
use crate::call::target::Target;
use crate::call::trace::CallTrace;
use crate::codec::Outcome;
use crate::engine::limits::LimitClass;

/// Which other version may answer the calls of a route.
#[derive(Clone, Debug)]
pub(crate) enum Rollout {
    /// The candidate answers its share.
    Canary {
        candidate: Target,
        share: Arc<Share>,
        watch: Arc<Watch>,
    },
    /// The route's own version has just gone live. The one before it stands by; there is none if
    /// the function is new.
    Probation {
        previous: Option<Target>,
        watch: Arc<Watch>,
    },
}

impl Rollout {
    /// The other version.
    pub(crate) fn other_mut(&mut self) -> Option<&mut Target> {
        match self {
            Rollout::Canary { candidate, .. } => Some(candidate),
            Rollout::Probation { previous, .. } => previous.as_mut(),
        }
    }

    /// Runs a call on the version on trial, or on the version that stands by. `live` is the route's
    /// own version.
    pub(crate) async fn run<'a>(
        &self,
        runtime: &'a Runtime,
        live: &Target,
        call: &mut CallContext<'a>,
    ) -> Result<Output, Stopped> {
        // No response is cached: another version may answer the next call.
        call.sole_version = false;
        let (trial, before, watch) = match self {
            Rollout::Canary {
                candidate,
                share,
                watch,
            } => {
                if watch.tripped() || !share.picks(&call.moment.seed) {
                    return retry::run(runtime, live, call, LimitClass::Live).await;
                }
                (candidate, Some(live), watch)
            }
            Rollout::Probation { previous, watch } => match previous {
                Some(previous) if watch.tripped() => {
                    return retry::run(runtime, previous, call, LimitClass::Live).await;
                }
                previous => (live, previous.as_ref(), watch),
            },
        };
        watch.begin();
        let error = match retry::run(runtime, trial, call, LimitClass::Trial).await {
            Ok(output) => {
                if let (Outcome::Failed(_), Some(before), Some(trace)) = (&output.outcome, before, &output.trace) {
                    compare_error(runtime, trial, before, watch, call, &output.outcome, trace).await;
                }
                return Ok(output);
            }
            Err(Stopped::Fenced) => return Err(Stopped::Fenced),
            Err(Stopped::Failed(error)) => error,
        };
        let function = trial.function.export().function.as_str();
        let before = match before {
            Some(before) if error.is_of_the_module() => before,
            // The version on trial may itself be what the long runs are crowded with.
            Some(before) if matches!(error, CallError::Crowded) => {
                return retry::run(runtime, before, call, LimitClass::Live).await;
            }
            None if error.is_of_the_module() => {
                watch.add_fault(call.id, function, error.to_string(), "has no such function".into());
                return Err(Stopped::Failed(error));
            }
            _ => return Err(Stopped::Failed(error)),
        };
        trial.function.module().log_failure(|| {
            tracing::warn!(
                call_id = %call.id,
                function = ?trial,
                %error,
                "a call failed on trial; the version before answers it"
            );
        });
        let answered = retry::run(runtime, before, call, LimitClass::Live).await;
        // A call that neither version survives is not the new version's fault.
        if let Ok(output) = &answered {
            watch.add_fault(call.id, function, error.to_string(), output.outcome.describe());
        }
        answered
    }
}

/// Asks what the version before would have returned where the one on trial returned an error.
async fn compare_error(
    runtime: &Runtime,
    trial: &Target,
    before: &Target,
    watch: &Watch,
    call: &CallContext<'_>,
    outcome: &Outcome,
    trace: &CallTrace,
) {
    let input = DryRunInput {
        function: &before.function,
        params: &trace.params,
        moment: &call.moment,
        facts: &call.facts,
    };
    let dry_run = dry_run::on_snapshot(runtime, &runtime.scheduler.comparisons, &trace.snapshot, input).await;
    match dry_run.outcome {
        Ok(expected) if expected.code() != outcome.code() || matches!(expected, Outcome::Done(_)) => {
            let function = &trial.function.export().function;
            watch.add_error(call.id, function, outcome.describe(), expected.describe());
        }
        _ => {}
    }
}
