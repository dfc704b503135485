//! Attempts until one commits.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use stowage_storage::TableVersions;
use tracing::Instrument as _;

use super::attempt::{self, AttemptError, FinishedRun, Start};
use super::commit;
use super::context::CallContext;
use super::observer::{Observation, Observer};
use super::runtime::Runtime;
use super::target::Target;
use crate::api::error::CallError;
use crate::codec::Outcome;
use crate::deadline::{Elapsed, within};
use crate::engine::active_call::ActiveCall;
use crate::engine::limits::LimitClass;
use crate::engine::stats::Retry;
use crate::spans;

/// What a call came to.
pub(crate) struct Output {
    pub(crate) outcome: Outcome,
    /// The call, if somebody observed it or a version on trial returned an error.
    pub(crate) observation: Option<Observation>,
    /// If the response may be cached: the versions of the tables that it depends on.
    pub(crate) cacheable: Option<TableVersions>,
}

/// Why the attempts stopped without an output.
pub(crate) enum Stopped {
    /// Calls are held back, or another generation serves: the call has to be routed again.
    Fenced,
    Failed(CallError),
}

/// Makes attempts until one commits or fails for good.
pub(crate) async fn run<'a>(
    runtime: &'a Runtime,
    target: &Target,
    call: &mut CallContext<'a>,
    class: LimitClass,
) -> Result<Output, Stopped> {
    let function = &target.function;
    let stats = &function.module().stats;
    let began = Instant::now();
    call.begin(class, runtime.limits(class));
    let mut conflicts = 0;
    let result = loop {
        call.started = Instant::now();
        call.attempts += 1;
        let observers: Vec<_> = target.observers.iter().filter(|o| o.wants(function)).collect();
        call.keep_requests = !observers.is_empty();
        let start = Start::Scheduled { era: target.era };
        let shared: &CallContext<'a> = call;
        // Boxed: this future is large, and the futures around it are moved.
        let ended = Box::pin(async {
            // The block ends the run's future, so what follows can use its memory.
            let finished = {
                let run = pin!(attempt::run(runtime, function, shared, start));
                // The wall limit ends with the run: a commit that has begun is always awaited.
                within(shared.started + shared.time_left, run).await
            };
            let finished = finished.unwrap_or_else(|Elapsed| Err(CallError::WallDeadline.into()))?;
            complete(runtime, target, shared, finished, &observers).await
        })
        .await;
        call.time_left = call.time_left.saturating_sub(call.started.elapsed());
        match ended {
            Ok(output) => break Ok(output),
            Err(AttemptError::Failed(error)) => break Err(error),
            Err(AttemptError::Fenced) => return Err(Stopped::Fenced),
            Err(AttemptError::Conflict) => {
                conflicts += 1;
                stats.count_retry(Retry::Conflict);
                tracing::debug!(call_id = %call.id, conflicts, "conflict, the call runs again");
                if conflicts >= call.limits.attempts {
                    break Err(CallError::Contention);
                }
            }
            Err(AttemptError::Asked(question)) => {
                stats.count_retry(Retry::Question);
                let span = spans::question(&call.span, question.kind());
                let answering = runtime.services.answer(call.hooks, &question).instrument(span);
                let answer = tokio::time::timeout(call.limits.question, answering)
                    .await
                    .unwrap_or_else(|_| question.unanswered("it did not answer in time"));
                call.facts.insert(question, answer);
            }
        }
        call.fresh_instance = true;
    };
    let counted = result.as_ref().map(|output| &output.outcome);
    stats.count(function.ordinal(), counted, began.elapsed());
    result.map_err(Stopped::Failed)
}

/// Commits a finished run, and tells its observers.
async fn complete(
    runtime: &Runtime,
    target: &Target,
    call: &CallContext<'_>,
    finished: FinishedRun<'_>,
    observers: &[&Arc<dyn Observer>],
) -> Result<Output, AttemptError> {
    let FinishedRun {
        outcome,
        call: mut active,
        params,
    } = finished;
    let on_trial = call.class == LimitClass::Trial && matches!(outcome, Outcome::Failed(_));
    let observation = (on_trial || !observers.is_empty()).then(|| Observation {
        function: target.function.clone(),
        params: params.into_owned(),
        moment: call.moment,
        facts: call.facts.clone(),
        snapshot: active.transaction.snapshot().clone(),
        footprint: active.transaction.footprint(),
        requests: active.requests.take().unwrap_or_default(),
        outcome: outcome.clone(),
        elapsed: call.started.elapsed(),
    });
    let mut cacheable = None;
    if let Outcome::Done(_) = outcome {
        cacheable = table_versions_to_cache(call, &active, observers);
        let after = call.invocation.after_return(&mut active.transaction);
        after.map_err(CallError::Storage)?;
        commit::commit(runtime, active, &call.span).await?;
    }
    if let Some(observation) = &observation {
        for observer in observers {
            observer.observed(observation.clone());
        }
    }
    Ok(Output {
        outcome,
        observation,
        cacheable,
    })
}

/// Decides whether a response may be cached. If so, returns the versions of the tables that it
/// stays valid for. Only this function decides; the cache itself bounds the sizes.
///
/// Nobody may observe the call, and its route must have one version only. The run must only have
/// read the store. It must have read something: a result that follows from the arguments alone is
/// cheap to make again.
fn table_versions_to_cache(
    call: &CallContext<'_>,
    active: &ActiveCall,
    observers: &[&Arc<dyn Observer>],
) -> Option<TableVersions> {
    let routed = call.class == LimitClass::Live && call.sole_version && observers.is_empty();
    if !routed || !active.only_read() {
        return None;
    }
    active.transaction.table_versions().filter(TableVersions::has_reads)
}
