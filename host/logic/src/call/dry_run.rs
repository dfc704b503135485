//! Dry runs: runs of a function of which nothing is kept, unless the caller commits them.

use std::time::{Duration, Instant};

use stowage_storage::{Snapshot, Transaction};
use tokio::sync::Semaphore;
use wasmtime::component::Val;

use super::attempt::{self, AttemptError, FinishedRun, Start};
use super::context::CallContext;
use super::observer::Observation;
use super::runtime::Runtime;
use crate::api::effect::{Effect, Request};
use crate::api::error::{CallError, Refusal};
use crate::api::fact::{Facts, Question};
use crate::api::invocation::PlainInvocation;
use crate::api::moment::Moment;
use crate::api::row_hooks::NoRowHooks;
use crate::codec::Outcome;
use crate::engine::function::Function;
use crate::engine::limits::LimitClass;

/// What a function would do. Nothing of it is committed, and no effect is released.
#[derive(Debug)]
pub struct DryRun {
    /// What it returned, or why it did not.
    pub outcome: Result<Outcome, CallError>,
    /// The transaction as the function left it; none if it did not return.
    pub transaction: Option<Transaction>,
    /// The effects it asked for, in order.
    pub requests: Vec<Request>,
    /// The question to the cloud that `facts` did not answer. The outcome is then an error.
    pub asked: Option<Question>,
    /// From the start of the run to its end.
    pub elapsed: Duration,
    pub(crate) effects: Vec<Effect>,
}

/// What a dry run needs.
pub(crate) struct DryRunInput<'a> {
    pub(crate) function: &'a Function,
    pub(crate) params: &'a [Val],
    pub(crate) moment: &'a Moment,
    /// What the cloud answers.
    pub(crate) facts: &'a Facts,
}

/// Runs what was observed again, with another version of the function.
pub(crate) async fn repeat(
    runtime: &Runtime,
    permits: &Semaphore,
    observation: &Observation,
    function: &Function,
) -> DryRun {
    let input = DryRunInput {
        function,
        params: &observation.params,
        moment: &observation.moment,
        facts: &observation.facts,
    };
    on_snapshot(runtime, permits, &observation.snapshot, input).await
}

/// Runs a function once on a snapshot, with the limits of a version on trial. It waits for one of
/// these permits.
pub(crate) async fn on_snapshot(
    runtime: &Runtime,
    permits: &Semaphore,
    snapshot: &Snapshot,
    input: DryRunInput<'_>,
) -> DryRun {
    // The semaphore is never closed.
    let _permit = permits.acquire().await.ok();
    let transaction = runtime.store.begin_at(snapshot);
    in_transaction(runtime, transaction, input, LimitClass::Trial).await
}

/// Runs a function once in a transaction.
pub(crate) async fn in_transaction(
    runtime: &Runtime,
    transaction: Transaction,
    input: DryRunInput<'_>,
    class: LimitClass,
) -> DryRun {
    let started = Instant::now();
    let invocation = PlainInvocation(input.params);
    let limits = runtime.limits(class);
    let mut call = CallContext::new(runtime.call_id(), *input.moment, &invocation, &NoRowHooks, limits);
    call.facts = input.facts.clone();
    call.keep_requests = true;
    let run = attempt::run(runtime, input.function, &call, Start::In(Box::new(transaction)));
    let mut dry_run = DryRun {
        outcome: Err(CallError::WallDeadline),
        transaction: None,
        requests: Vec::new(),
        asked: None,
        elapsed: Duration::ZERO,
        effects: Vec::new(),
    };
    match tokio::time::timeout(limits.wall, run).await {
        Ok(Ok(FinishedRun { outcome, call, .. })) => {
            dry_run.outcome = Ok(outcome);
            dry_run.transaction = Some(call.transaction);
            dry_run.requests = call.requests.unwrap_or_default();
            dry_run.effects = call.effects;
        }
        Ok(Err(AttemptError::Failed(error))) => dry_run.outcome = Err(error),
        Ok(Err(AttemptError::Asked(question))) => {
            dry_run.outcome = Err(CallError::Refused(Refusal::UnknownFact));
            dry_run.asked = Some(question);
        }
        // Its snapshot is no longer kept.
        Ok(Err(AttemptError::Conflict | AttemptError::Fenced)) => dry_run.outcome = Err(CallError::Contention),
        Err(_) => {}
    }
    dry_run.elapsed = started.elapsed();
    dry_run
}
