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
use crate::api::call_id::CallId;
use crate::api::error::CallError;
use crate::call::context::CallContext;
use crate::call::dry_run;
use crate::call::observer::Observation;
use crate::call::retry::{self, Output, Stopped};
use crate::call::runtime::Runtime;
use crate::call::target::Target;
use crate::codec::Outcome;
use crate::engine::limits::LimitClass;

/// Which other version may answer the calls of a route.
#[derive(Clone)]
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
        let version = trial.function.module().version;
        call.span.record("trial_version", tracing::field::display(version));
        let error = match retry::run(runtime, trial, call, LimitClass::Trial).await {
            Ok(output) => {
                if let (Outcome::Failed(_), Some(before), Some(seen)) = (&output.outcome, before, &output.observation) {
                    compare_error(runtime, before, watch, call.id, seen).await;
                }
                return Ok(output);
            }
            Err(Stopped::Fenced) => return Err(Stopped::Fenced),
            Err(Stopped::Failed(error)) => error,
        };
        let function = trial.function.export().function.as_str();
        let Some(before) = before else {
            if error.is_of_the_module() {
                watch.add_fault(call.id, function, error.to_string(), "has no such function".into());
            }
            return Err(Stopped::Failed(error));
        };
        // The version on trial may itself be what the long runs are crowded with.
        if let CallError::Crowded = error {
            return retry::run(runtime, before, call, LimitClass::Live).await;
        }
        if !error.is_of_the_module() {
            return Err(Stopped::Failed(error));
        }
        trial.function.module().log_failure(|| {
            tracing::warn!(
                call_id = %call.id,
                function = ?trial.function,
                %error,
                "a call failed on trial; the version before answers it"
            );
        });
        call.span.record("fell_back", true);
        let answered = retry::run(runtime, before, call, LimitClass::Live).await;
        // A call that neither version survives is not the new version's fault.
        if let Ok(output) = &answered {
            watch.add_fault(call.id, function, error.to_string(), output.outcome.describe());
        }
        answered
    }
}

/// Asks what the version before would have returned where the one on trial returned an error.
async fn compare_error(runtime: &Runtime, before: &Target, watch: &Watch, call_id: CallId, seen: &Observation) {
    let dry_run = dry_run::repeat(runtime, &runtime.scheduler.comparisons, seen, &before.function).await;
    if let Ok(expected) = dry_run.outcome
        && (expected.code() != seen.outcome.code() || matches!(expected, Outcome::Done(_)))
    {
        let function = &seen.function.export().function;
        watch.add_error(call_id, function, seen.outcome.describe(), expected.describe());
    }
}
