//! One attempt: an instance is armed with a transaction and runs the function.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;

use stowage_storage::Transaction;
use tracing::Instrument as _;
use wasmtime::Trap;
use wasmtime::component::Val;

use super::context::CallContext;
use super::runtime::Runtime;
use crate::api::error::CallError;
use crate::api::fact::Question;
use crate::codec::{self, Outcome};
use crate::engine::active_call::ActiveCall;
use crate::engine::function::Function;
use crate::engine::instance::Instance;
use crate::engine::module::Module;
use crate::engine::stats::InstanceEnd;
use crate::scheduler::paced_run::PacedRun;
use crate::scheduler::permits::{Crowded, RunPermits};
use crate::spans;

/// Why an attempt has no outcome.
pub(crate) enum AttemptError {
    /// Another call changed what the attempt read, or its snapshot is no longer kept.
    Conflict,
    /// The snapshot is of another era than the target.
    Fenced,
    /// The run asked a question whose answer is not known yet.
    Asked(Question),
    Failed(CallError),
}

impl From<CallError> for AttemptError {
    fn from(error: CallError) -> AttemptError {
        AttemptError::Failed(error)
    }
}

/// Where a run begins.
pub(crate) enum Start {
    /// With permits, on a new snapshot of this era.
    Scheduled { era: u64 },
    /// In this transaction, without permits.
    In(Box<Transaction>),
}

/// What a run left behind, before anything is committed.
pub(crate) struct FinishedRun<'a> {
    pub(crate) outcome: Outcome,
    pub(crate) call: Box<ActiveCall>,
    pub(crate) params: Cow<'a, [Val]>,
}

/// Runs the function once.
pub(crate) async fn run<'a>(
    runtime: &Runtime,
    function: &Function,
    call: &CallContext<'a>,
    start: Start,
) -> Result<FinishedRun<'a>, AttemptError> {
    let (module, export) = (function.module(), function.export());
    let (mut transaction, permits) = begin(runtime, function, call, start).await?;
    let mut instance = instance(runtime, module, call).await?;
    let params = call.invocation.params(&mut transaction, &export.params)?;
    let active = active_call(runtime, call, transaction);
    instance.arm(active, call.id, &call.moment, call.limits);
    let ticks = Arc::clone(&instance.ticks);
    let Some((store, func)) = instance.function(export.ordinal, &export.index) else {
        return Err(CallError::NoExport(export.function.clone()).into());
    };
    let returned = {
        let run = pin!(async {
            match call.typed {
                None => codec::call(store, func, &params).await,
                Some(typed) => typed.enter(store, func).await,
            }
        });
        PacedRun::new(run, &runtime.scheduler, &ticks, permits, &export.average)
            .await
            .map_err(|Crowded| CallError::Crowded)?
    };
    let mut active = instance.disarm().ok_or(CallError::NoState)?;
    match returned {
        Ok(outcome) => {
            module.pool.put(instance, &runtime.config.reuse, &module.stats);
            Ok(FinishedRun {
                outcome,
                call: active,
                params,
            })
        }
        // The instance is dropped: a trap can leave it in any state.
        Err(error) => {
            module.stats.count_dropped(InstanceEnd::Interrupted, 1);
            Err(match active.asked.take() {
                Some(question) => AttemptError::Asked(question),
                None if active.transaction.is_outdated() => AttemptError::Conflict,
                None => AttemptError::Failed(cause(&instance, &mut active, error)),
            })
        }
    }
}

/// Waits for permits and takes a snapshot, unless the run has a transaction.
async fn begin<'r>(
    runtime: &'r Runtime,
    function: &Function,
    call: &CallContext<'_>,
    start: Start,
) -> Result<(Transaction, RunPermits<'r>), AttemptError> {
    let era = match start {
        Start::Scheduled { era } => era,
        Start::In(transaction) => return Ok((*transaction, RunPermits::default())),
    };
    let module = function.module();
    let admitted = runtime.scheduler.admit(&module.turns, &function.export().average);
    let permits = admitted.instrument(spans::wait(&call.span)).await;
    if permits.has_turn() {
        module.stats.count_paced();
    }
    let transaction = runtime.store.begin();
    // After the snapshot is taken: see `fence.rs`.
    if runtime.fence.era() != era {
        return Err(AttemptError::Fenced);
    }
    Ok((transaction, permits))
}

/// An idle instance of the module, or a new one.
async fn instance(runtime: &Runtime, module: &Module, call: &CallContext<'_>) -> Result<Instance, CallError> {
    let activity = runtime.ticker.activity();
    activity.busy();
    if !call.fresh_instance
        && let Some(instance) = module.pool.take(&runtime.config.reuse, &module.stats)
    {
        return Ok(instance);
    }
    // Boxed: this future is large, and most attempts find an idle instance.
    let making = Box::pin(Instance::new(
        &runtime.engine,
        module.blueprint(),
        call.limits,
        activity,
    ));
    let made = making.await.map_err(CallError::Instantiate)?;
    module.stats.count_made();
    Ok(made)
}

fn active_call(runtime: &Runtime, call: &CallContext<'_>, transaction: Transaction) -> ActiveCall {
    ActiveCall {
        transaction,
        now_ms: call.moment.now_ms,
        effects: Vec::new(),
        requests: call.keep_requests.then(Vec::new),
        facts: call.facts.clone(),
        asked: None,
        refused: None,
        host_calls_left: call.host_calls,
        host_bytes_left: call.limits.host_bytes,
        effects_left: call.limits.effects,
        services: Arc::clone(&runtime.services),
        span: call.span.clone(),
        used_world: false,
    }
}

/// What ended a run: the host's own refusal, a limit, or the module itself.
fn cause(instance: &Instance, call: &mut ActiveCall, error: wasmtime::Error) -> CallError {
    if let Some(reason) = call.refused.take() {
        return CallError::Refused(reason);
    }
    if error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) && instance.out_of_time() {
        return CallError::CpuDeadline;
    }
    match instance.refused_growth() {
        Some(limit) => CallError::Growth(limit),
        None => CallError::Trap(error),
    }
}
