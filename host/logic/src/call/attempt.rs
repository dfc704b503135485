//! One run of a call: an instance is armed with a transaction, runs, and what it wrote is committed.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stowage_storage::{Commit, CommitError, Footprint, Freshness, Snapshot, Transaction};
use tokio::sync::SemaphorePermit;
use wasmtime::Trap;
use wasmtime::component::Val;

use crate::Inner;
use crate::api::effect::{Effect, Request};
use crate::api::fact::{Facts, Question};
use crate::api::invocation::Invocation;
use crate::api::moment::Moment;
use crate::api::outcome::{CallError, Outcome};
use crate::api::services::Services;
use crate::call::observer::Observation;
use crate::call::retry::CallId;
use crate::codec::{Answer, Args};
use crate::deadline::{Elapsed, within};
use crate::engine::instance::{Call, Instance};
use crate::engine::limits::Limits;
use crate::routing::generation::Route;
use crate::scheduler::fair_turns::Turn;
use crate::scheduler::paced_run::Paced;

/// How an attempt ended without an outcome.
pub(crate) enum Ended {
    Conflict,
    /// The route is of another era than the snapshot.
    Moved,
    Asked(Question),
    Error(CallError),
}

impl From<CallError> for Ended {
    fn from(error: CallError) -> Ended {
        Ended::Error(error)
    }
}

/// How a version is run.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Terms {
    /// With all that a call may use, and those who look on.
    Live,
    /// With little time: another version stands by. What the run was is kept where it ends in an error.
    Trial,
}

/// An outcome, and what it came from: all of it where somebody looked on or a version on trial failed, and how long it stands where it came
/// from nothing but the store.
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) sight: Option<Sight>,
    pub(crate) freshness: Option<Freshness>,
}

/// What a run was a function of.
pub(crate) struct Sight {
    pub(crate) params: Vec<Val>,
    pub(crate) snapshot: Snapshot,
    pub(crate) footprint: Footprint,
    pub(crate) requests: Vec<Request>,
    pub(crate) elapsed: Duration,
}

/// One run of a call.
pub(crate) struct Attempt<'a> {
    pub(crate) inner: &'a Inner,
    pub(crate) route: &'a Route,
    pub(crate) id: &'a CallId,
    pub(crate) moment: Moment,
    pub(crate) started: Instant,
    pub(crate) time_left: Duration,
    pub(crate) limits: &'a Limits,
    pub(crate) host_calls: u32,
    pub(crate) terms: Terms,
}

impl Attempt<'_> {
    pub(crate) async fn run(&self, invocation: &dyn Invocation, facts: &Facts, fresh: bool) -> Result<Ran, Ended> {
        // Those who look on are asked once an attempt; most routes have none.
        let observers = self.route.observers.iter().filter(|o| o.wants(self.route));
        let observers: Vec<_> = observers.collect();
        let is_watched = !observers.is_empty();
        // The deadline ends with the module's work: a commit that has begun is waited for.
        // In a block of its own: what follows has its room.
        let executed = {
            let executed = pin!(async {
                let turn = self.turn().await;
                let permit = self.permit().await?;
                let transaction = self.inner.store.begin();
                if !self.inner.eras.is(self.route.era) {
                    return Err(Ended::Moved);
                }
                self.execute(transaction, invocation, facts, fresh, is_watched, (turn, Some(permit)))
                    .await
            });
            within(self.started + self.time_left, executed).await
        };
        let executed = executed.unwrap_or_else(|Elapsed| Err(CallError::WallDeadline.into()))?;
        let Executed {
            outcome,
            mut call,
            params,
        } = executed;
        let keep = is_watched || (self.terms == Terms::Trial && matches!(outcome, Outcome::Failed(_)));
        let sight = keep.then(|| Sight {
            params: params.into_owned(),
            snapshot: call.transaction.snapshot().clone(),
            footprint: call.transaction.footprint(),
            requests: call.requests.take().unwrap_or_default(),
            elapsed: self.started.elapsed(),
        });
        let mut freshness = None;
        if let Outcome::Done(_) = outcome {
            if sight.is_none() && self.terms == Terms::Live {
                freshness = freshness_of(&call);
            }
            invocation
                .after_return(&mut call.transaction)
                .map_err(|e| CallError::Storage(e.to_string()))?;
            self.finish(call).await?;
        }
        if let Some(sight) = &sight {
            for observer in observers {
                observer.observed(self.observation(&outcome, sight, facts));
            }
        }
        Ok(Ran {
            outcome,
            sight,
            freshness,
        })
    }

    /// Commits, and releases the effects.
    async fn finish(&self, call: Box<Call>) -> Result<(), Ended> {
        if call.effects.iter().all(|effect| matches!(effect, Effect::CloudChanged)) {
            // The changes are rows: the cloud only has to look for them. It may look in vain.
            let _look = (!call.effects.is_empty()).then(|| LookOnDrop(&*call.services));
            return ended(self.inner.store.commit(call.transaction).await);
        }
        // A task of its own: a client that hangs up must not keep what it set going from starting.
        let store = self.inner.store.clone();
        let committed = tokio::spawn(async move {
            ended(store.commit(call.transaction).await)?;
            release(call.effects, &*call.services);
            Ok::<(), Ended>(())
        });
        committed.await.map_err(|e| CallError::Storage(e.to_string()))?
    }

    fn observation(&self, outcome: &Outcome, sight: &Sight, facts: &Facts) -> Observation {
        Observation {
            // Not with those who look on: what waits for an observer must not keep it alive.
            route: self.route.alone(),
            params: sight.params.clone(),
            moment: self.moment,
            facts: facts.clone(),
            snapshot: sight.snapshot.clone(),
            footprint: sight.footprint.clone(),
            requests: sight.requests.clone(),
            outcome: outcome.clone(),
            elapsed: sight.elapsed,
        }
    }

    /// Waits for its turn, where the function usually needs much of the processor.
    async fn turn(&self) -> Option<Turn> {
        let module = &self.route.module;
        let turn = module.turns.take(&self.route.export().usual, &self.inner.begun).await;
        if turn.is_some() {
            module.stats.count_paced();
        }
        turn
    }

    async fn permit(&self) -> Result<SemaphorePermit<'_>, CallError> {
        if let Ok(permit) = self.inner.running.try_acquire() {
            return Ok(permit);
        }
        self.inner
            .running
            .acquire()
            .await
            .map_err(|closed| CallError::Refused(closed.to_string()))
    }

    /// Runs the function in a transaction.
    pub(crate) async fn execute<'j>(
        &self,
        mut transaction: Transaction,
        invocation: &'j dyn Invocation,
        facts: &Facts,
        fresh: bool,
        note: bool,
        places: (Option<Turn>, Option<SemaphorePermit<'_>>),
    ) -> Result<Executed<'j>, Ended> {
        let inner = self.inner;
        let limits = self.limits;
        let module = &self.route.module;
        let export = self.route.export();
        let beat = inner.ticker.beat();
        beat.busy();
        let reused = if fresh {
            None
        } else {
            module.pool.take(&inner.config.reuse)
        };
        let mut instance = match reused {
            Some(instance) => instance,
            // In a box, for calls that find an instance are many and need not carry this one's room.
            None => Box::pin(Instance::new(&inner.engine, module, limits, beat))
                .await
                .map_err(|e| CallError::Instantiate(format!("{e:#}")))?,
        };
        let params = invocation
            .params(&mut transaction)
            .map_err(|e| CallError::Storage(e.to_string()))?;
        let call = Call {
            transaction,
            now_ms: self.moment.now_ms,
            effects: Vec::new(),
            requests: note.then(Vec::new),
            facts: facts.clone(),
            asked: None,
            refused: None,
            host_calls_left: self.host_calls,
            host_bytes_left: limits.host_bytes,
            effects_left: limits.effects,
            services: Arc::clone(&inner.services),
            touched: false,
        };
        instance.arm(call, *self.id, self.moment.now_ms, self.moment.seed, limits);
        let ticks = instance.ticks();
        let Some((store, function)) = instance.function(export.ordinal, &export.index) else {
            return Err(CallError::Trap(format!("no export {}", export.function)).into());
        };
        let returned = {
            let run = pin!(async {
                match invocation.entry() {
                    None => function
                        .typed::<Args<'_>, Answer>(&*store)?
                        .call_async(store, Args(&params))
                        .await
                        .map(Outcome::from),
                    Some(entry) => entry.enter(store, function).await,
                }
            });
            Paced::new(run, &inner.lane, &ticks, places, &export.usual).await?
        };
        let Some(mut call) = instance.disarm() else {
            return Err(CallError::Trap("the call's state is gone".into()).into());
        };
        match returned {
            Ok(outcome) => {
                module.pool.give(instance, &inner.config.reuse);
                Ok(Executed { outcome, call, params })
            }
            // The instance is thrown away: what a trap leaves behind is anything.
            Err(error) => Err(match call.asked.take() {
                Some(question) => Ended::Asked(question),
                // Run again, on what is kept.
                None if call.transaction.is_outdated() => Ended::Conflict,
                None => Ended::Error(cause(&instance, &mut call, &error)),
            }),
        }
    }
}

/// What a run left behind, before anything is committed.
pub(crate) struct Executed<'j> {
    pub(crate) outcome: Outcome,
    pub(crate) call: Box<Call>,
    pub(crate) params: Cow<'j, [Val]>,
}

/// Lets the cloud look for changes when the commit of a call is done, or when nobody waits for it any more.
struct LookOnDrop<'a>(&'a dyn Services);

impl Drop for LookOnDrop<'_> {
    fn drop(&mut self) {
        self.0.cloud_changed();
    }
}

fn ended(committed: Result<Commit, CommitError>) -> Result<(), Ended> {
    match committed {
        Ok(_) => Ok(()),
        Err(CommitError::Conflict) => Err(Ended::Conflict),
        Err(error) => Err(CallError::Storage(error.to_string()).into()),
    }
}

/// How long the outcome of a call stands that did nothing but read the store.
fn freshness_of(call: &Call) -> Option<Freshness> {
    let only_read = !call.touched && call.effects.is_empty() && call.facts.is_empty();
    let freshness = only_read.then(|| call.transaction.freshness())??;
    // What a function makes of its parameters alone costs less to make again, and may be what its instance counts.
    freshness.has_reads().then_some(freshness)
}

/// What ended a run: the host's own refusal, a limit, or the module itself.
fn cause(instance: &Instance, call: &mut Call, error: &wasmtime::Error) -> CallError {
    if let Some(reason) = call.refused.take() {
        return CallError::Refused(reason);
    }
    if error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) && instance.out_of_time() {
        return CallError::CpuDeadline;
    }
    match instance.refused_growth() {
        Some(limit) => CallError::Growth(limit),
        None => CallError::Trap(format!("{error:#}")),
    }
}

/// Sets going what a committed call asked for.
pub(crate) fn release(effects: Vec<Effect>, services: &dyn Services) {
    let mut cloud_changed = false;
    for effect in effects {
        match effect {
            Effect::Start(start) => start(),
            Effect::CloudChanged => cloud_changed = true,
            Effect::Subscribe { key, filter } => services.subscribe(&key, filter),
        }
    }
    if cloud_changed {
        services.cloud_changed();
    }
}
