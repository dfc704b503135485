//! One call: attempts on snapshots until one commits.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use stowage_storage::{CommitError, Footprint, Snapshot, Store, Transaction};
use tokio::sync::SemaphorePermit;
use wasmtime::Trap;
use wasmtime::component::Val;

use crate::codec::{Answer, Args, Failure};
use crate::deadline::{Elapsed, within};
use crate::effect::{Effect, Request};
use crate::fact::{Facts, Question};
use crate::generation::Route;
use crate::instance::{Call, Instance};
use crate::limits::{HOST_CALLS_USED, Limits};
use crate::moment::{Conditions, Moment};
use crate::observer::Observation;
use crate::pace::Paced;
use crate::services::Services;
use crate::trial::{Beside, Watch};
use crate::typed::Entry;
use crate::{Inner, Logic};

/// The identity of a call, in its answer when it fails and on every line of the log about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallId {
    run: u32,
    number: u64,
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{:x}", self.run, self.number)
    }
}

/// What a function returned. Only `Ok` values, and those that cannot fail, have been committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its value as JSON; null where the function returns nothing.
    Done(Vec<u8>),
    /// The error it decided on; nothing of the call was kept.
    Failed(Failure),
}

impl Outcome {
    /// The code of an error that is a record with one.
    pub fn code(&self) -> Option<i32> {
        self.error().map(|(code, _)| code)
    }

    /// The code and message of an `error { code: s32, message: string }`.
    pub fn error(&self) -> Option<(i32, &str)> {
        match self {
            Outcome::Failed(failure) => failure.coded.as_ref().map(|(code, message)| (*code, message.as_str())),
            Outcome::Done(_) => None,
        }
    }
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Outcome {
        match answer {
            Answer::Value(json) => Outcome::Done(json),
            Answer::Error(failure) => Outcome::Failed(failure),
        }
    }
}

/// Why a call gave no outcome. Nothing of it was kept.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum CallError {
    #[error("the module trapped: {0}")]
    Trap(String),
    #[error("the module used more than its time on the processor")]
    CpuDeadline,
    #[error("the call took too long")]
    WallDeadline,
    #[error("the module went over its {0}")]
    Growth(&'static str),
    #[error("the call was refused: {0}")]
    Refused(String),
    #[error("other calls kept changing what this one read")]
    Contention,
    #[error("the instance could not be made: {0}")]
    Instantiate(String),
    #[error("storage failed: {0}")]
    Storage(String),
    #[error("too many calls take long at once")]
    Crowded,
    #[error("no module serves it")]
    NoRoute,
}

impl CallError {
    /// Whether the call had made as many host calls as it may.
    pub fn is_host_call_limit(&self) -> bool {
        matches!(self, CallError::Refused(reason) if reason == HOST_CALLS_USED)
    }

    /// Whether the module brought it about, rather than storage, the load, or the table.
    pub fn is_of_the_module(&self) -> bool {
        match self {
            CallError::Trap(_)
            | CallError::CpuDeadline
            | CallError::WallDeadline
            | CallError::Growth(_)
            | CallError::Refused(_)
            | CallError::Instantiate(_) => true,
            CallError::Contention | CallError::Storage(_) | CallError::Crowded | CallError::NoRoute => false,
        }
    }
}

/// What surrounds the function in its transaction: the host's own part of a job.
pub trait Job: Send + Sync {
    /// Before the function runs: its parameters, made from what the transaction sees.
    ///
    /// # Errors
    /// When storage fails.
    fn params(&self, transaction: &mut Transaction) -> Result<Cow<'_, [Val]>, stowage_storage::Error>;
    /// After it has returned.
    ///
    /// # Errors
    /// When storage fails.
    fn record(&self, transaction: &mut Transaction) -> Result<(), stowage_storage::Error>;
    /// How the function is entered, where that is not with `params`.
    #[doc(hidden)]
    fn entry(&self) -> Option<&dyn Entry> {
        None
    }
}

/// Parameters that are known beforehand and nothing else to do.
struct Plain<'a>(&'a [Val]);

impl Job for Plain<'_> {
    fn params(&self, _: &mut Transaction) -> Result<Cow<'_, [Val]>, stowage_storage::Error> {
        Ok(Cow::Borrowed(self.0))
    }

    fn record(&self, _: &mut Transaction) -> Result<(), stowage_storage::Error> {
        Ok(())
    }
}

/// How an attempt ended without an outcome.
enum Ended {
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

/// One call, whichever versions run it.
struct Called<'a> {
    logic: &'a Logic,
    job: &'a dyn Job,
    id: &'a CallId,
    moment: Moment,
    /// Host calls that an attempt may make.
    host_calls: u32,
}

/// How a version is run.
#[derive(Clone, Copy, PartialEq)]
enum Terms {
    /// With all that a call may use, and those who look on.
    Live,
    /// With little time: another version stands by. What the run was is kept where it ends in an error.
    Trial,
}

/// An outcome, and of a failed one on trial what it came from.
struct Ran {
    outcome: Outcome,
    sight: Option<Sight>,
}

/// What a run was a function of.
struct Sight {
    params: Vec<Val>,
    snapshot: Snapshot,
    footprint: Footprint,
    requests: Vec<Request>,
    elapsed: Duration,
}

impl Logic {
    /// A new call's identity.
    pub fn call_id(&self) -> CallId {
        CallId {
            run: self.inner.run_id,
            number: self.inner.calls.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Calls a function: one transaction, run again while others' commits undo it.
    ///
    /// # Errors
    /// When the module or storage failed; the call then changed nothing, except that after a storage error
    /// it is not known whether its commit became durable.
    pub async fn call(&self, route: &Route, params: &[Val], id: &CallId) -> Result<Outcome, CallError> {
        self.run(route, &Plain(params), id).await
    }

    /// [`Logic::call`] with a [`Job`] around the function.
    ///
    /// # Errors
    /// As [`Logic::call`].
    pub async fn run(&self, route: &Route, job: &dyn Job, id: &CallId) -> Result<Outcome, CallError> {
        let config = &self.inner.config;
        let conditions = config.conditions.as_deref();
        let called = Called {
            logic: self,
            job,
            id,
            moment: conditions.map_or_else(Moment::now, Conditions::moment),
            host_calls: conditions.map_or(config.limits.host_calls, |c| c.host_calls(config.limits.host_calls)),
        };
        let mut facts = Facts::default();
        let ended = match &route.beside {
            None => called.live(route, &mut facts).await,
            // Boxed: few calls are on trial, and what they need is large.
            Some(beside) => Box::pin(called.on_trial(route, beside, &mut facts)).await,
        };
        if let (Some(conditions), Err(error)) = (conditions, &ended) {
            conditions.failed(route, error);
        }
        ended
    }
}

impl Called<'_> {
    async fn live(&self, route: &Route, facts: &mut Facts) -> Result<Outcome, CallError> {
        Ok(self.attempts(route, facts, Terms::Live).await?.outcome)
    }

    /// Gives the call to the version on trial, and stands by with the other.
    async fn on_trial(&self, route: &Route, beside: &Beside, facts: &mut Facts) -> Result<Outcome, CallError> {
        let (trial, before, watch) = match beside {
            Beside::Canary {
                candidate,
                share,
                watch,
            } => {
                if watch.tripped() || !share.picks(&self.moment.seed) {
                    return self.live(route, facts).await;
                }
                (&**candidate, Some(route), watch)
            }
            Beside::Probation { previous, watch } => match previous.as_deref() {
                Some(previous) if watch.tripped() => return self.live(previous, facts).await,
                previous => (route, previous, watch),
            },
        };
        watch.begin();
        match self.attempts(trial, facts, Terms::Trial).await {
            Ok(Ran {
                outcome: outcome @ Outcome::Failed(_),
                sight,
            }) => {
                if let (Some(before), Some(sight)) = (before, sight) {
                    self.compare_error(trial, before, watch, &outcome, &sight, facts).await;
                }
                Ok(outcome)
            }
            Ok(ran) => Ok(ran.outcome),
            Err(error) if error.is_of_the_module() => {
                let Some(before) = before else {
                    watch.fault(self.id, trial, &error, "has no such function".into());
                    return Err(error);
                };
                tracing::warn!(call_id = %self.id, route = ?trial, %error, "a call failed on trial and is answered by the version before");
                let answered = self.live(before, facts).await;
                // What neither version survives is not the new one's fault.
                if let Ok(outcome) = &answered {
                    watch.fault(self.id, trial, &error, told(outcome));
                }
                answered
            }
            Err(error) => Err(error),
        }
    }

    /// Asks what the version before would have answered where the one on trial answered an error.
    async fn compare_error(
        &self,
        trial: &Route,
        before: &Route,
        watch: &Watch,
        outcome: &Outcome,
        sight: &Sight,
        facts: &Facts,
    ) {
        let rehearsal = self
            .logic
            .rehearse(before, &sight.params, &self.moment, &sight.snapshot, facts)
            .await;
        match rehearsal.outcome {
            Ok(expected) if expected.code() != outcome.code() || matches!(expected, Outcome::Done(_)) => {
                watch.error(self.id, trial, told(outcome), told(&expected));
            }
            _ => {}
        }
    }

    /// Runs the function until an attempt commits, or ends in an error.
    async fn attempts(&self, route: &Route, facts: &mut Facts, terms: Terms) -> Result<Ran, CallError> {
        let limits = match terms {
            Terms::Live => &self.logic.inner.config.limits,
            Terms::Trial => &self.logic.inner.trial_limits,
        };
        let started = Instant::now();
        let mut moved: Option<Route> = None;
        let result = loop_attempts(self, route, &mut moved, facts, terms, limits).await;
        let route = moved.as_ref().unwrap_or(route);
        route
            .module
            .stats
            .count(result.as_ref().map(|ran| &ran.outcome), started.elapsed());
        result
    }
}

async fn loop_attempts(
    called: &Called<'_>,
    first: &Route,
    moved: &mut Option<Route>,
    facts: &mut Facts,
    terms: Terms,
    limits: &Limits,
) -> Result<Ran, CallError> {
    let inner = &called.logic.inner;
    let mut conflicts = 0;
    let mut fresh = false;
    // The cloud's time to answer a question is not the call's, nor is the time in which calls are held back.
    let mut time_left = limits.wall;
    loop {
        let route = moved.as_ref().unwrap_or(first);
        let started = Instant::now();
        let attempt = Attempt {
            inner,
            route,
            id: called.id,
            moment: called.moment,
            started,
            time_left,
            limits,
            host_calls: called.host_calls,
            terms,
        };
        let ended = attempt.run(called.job, facts, fresh).await;
        time_left = time_left.saturating_sub(started.elapsed());
        match ended {
            Ok(ran) => return Ok(ran),
            Err(Ended::Conflict) => {
                conflicts += 1;
                tracing::debug!(call_id = %called.id, conflicts, "conflict, the call runs again");
                if conflicts >= limits.attempts {
                    return Err(CallError::Contention);
                }
            }
            Err(Ended::Moved) => {
                inner.eras.begun().await;
                let generation = inner.generation.load();
                *moved = Some(generation.same(route).ok_or(CallError::NoRoute)?.clone());
            }
            Err(Ended::Asked(question)) => {
                let patience = limits.question;
                let answer = tokio::time::timeout(patience, inner.services.answer(called.logic, &question))
                    .await
                    .unwrap_or_else(|_| question.unanswered("it did not answer in time"));
                facts.insert(question, answer);
            }
            Err(Ended::Error(error)) => return Err(error),
        }
        fresh = true;
    }
}

/// An outcome for a person.
fn told(outcome: &Outcome) -> String {
    match (outcome, outcome.error()) {
        (_, Some((code, message))) => format!("error {code}: {message}"),
        (Outcome::Done(_), None) => "succeeds".into(),
        (Outcome::Failed(_), None) => "an error without a code".into(),
    }
}

/// One run of a call.
struct Attempt<'a> {
    inner: &'a Inner,
    route: &'a Route,
    id: &'a CallId,
    moment: Moment,
    started: Instant,
    time_left: Duration,
    limits: &'a Limits,
    host_calls: u32,
    terms: Terms,
}

impl Attempt<'_> {
    async fn run(&self, job: &dyn Job, facts: &Facts, fresh: bool) -> Result<Ran, Ended> {
        // Those who look on are asked once an attempt; most routes have none.
        let observers: Vec<_> = match self.terms {
            Terms::Live => self.route.observers.iter().filter(|o| o.wants(self.route)).collect(),
            Terms::Trial => Vec::new(),
        };
        // The deadline ends with the module's work: a commit that has begun is waited for.
        let executed = within(self.started + self.time_left, async {
            let permit = self.permit().await?;
            let transaction = self.inner.store.begin();
            if !self.inner.eras.is(self.route.era) {
                return Err(Ended::Moved);
            }
            self.execute(transaction, job, facts, fresh, !observers.is_empty(), Some(permit))
                .await
        });
        let executed = executed
            .await
            .unwrap_or_else(|Elapsed| Err(CallError::WallDeadline.into()))?;
        let Executed {
            outcome,
            mut call,
            params,
        } = executed;
        let keep = !observers.is_empty() || (self.terms == Terms::Trial && matches!(outcome, Outcome::Failed(_)));
        let sight = keep.then(|| Sight {
            params: params.into_owned(),
            snapshot: call.transaction.snapshot().clone(),
            footprint: call.transaction.footprint(),
            requests: call.requests.take().unwrap_or_default(),
            elapsed: self.started.elapsed(),
        });
        if let Outcome::Done(_) = outcome {
            job.record(&mut call.transaction)
                .map_err(|e| CallError::Storage(e.to_string()))?;
            self.finish(call).await?;
        }
        if let Some(sight) = &sight {
            for observer in observers {
                observer.observed(self.observation(&outcome, sight, facts));
            }
        }
        Ok(Ran { outcome, sight })
    }

    /// Commits, and releases the effects.
    async fn finish(&self, call: Box<Call>) -> Result<(), Ended> {
        if call.effects.iter().all(|effect| matches!(effect, Effect::CloudChanged)) {
            // The changes are rows: the cloud only has to look for them. It may look in vain.
            let _look = (!call.effects.is_empty()).then(|| LookOnDrop(&*call.services));
            return commit(&self.inner.store, call.transaction).await;
        }
        // A task of its own: a client that hangs up must not keep what it set going from starting.
        let store = self.inner.store.clone();
        let committed = tokio::spawn(async move {
            commit(&store, call.transaction).await?;
            release(call.effects, &*call.services);
            Ok::<(), Ended>(())
        });
        committed.await.map_err(|e| CallError::Storage(e.to_string()))?
    }

    fn observation(&self, outcome: &Outcome, sight: &Sight, facts: &Facts) -> Observation {
        Observation {
            route: self.route.clone(),
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
    async fn execute<'j>(
        &self,
        mut transaction: Transaction,
        job: &'j dyn Job,
        facts: &Facts,
        fresh: bool,
        note: bool,
        permit: Option<SemaphorePermit<'_>>,
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
            None => Box::pin(Instance::new(
                &inner.engine,
                &module.pre,
                &module.name,
                module.exports.len(),
                limits,
                beat,
            ))
            .await
            .map_err(|e| CallError::Instantiate(format!("{e:#}")))?,
        };
        // A walk holds its thread: it gets what a module may use of the processor.
        transaction.set_deadline(Some(self.started + self.time_left.min(limits.cpu)));
        let params = job
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
        };
        instance.arm(call, *self.id, self.moment.now_ms, self.moment.seed, limits);
        let ticks = instance.ticks();
        let Some((store, function)) = instance.function(export.ordinal, &export.index) else {
            return Err(CallError::Trap(format!("no export {}", export.function)).into());
        };
        let returned = {
            let run = std::pin::pin!(async {
                match job.entry() {
                    None => function
                        .typed::<Args<'_>, Answer>(&*store)?
                        .call_async(store, Args(&params))
                        .await
                        .map(Outcome::from),
                    Some(entry) => entry.enter(store, function).await,
                }
            });
            Paced::new(run, &inner.lane, &ticks, permit).await?
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
                None => Ended::Error(cause(&instance, &mut call, &error)),
            }),
        }
    }
}

/// What a run left behind, before anything is committed.
struct Executed<'j> {
    outcome: Outcome,
    call: Box<Call>,
    params: Cow<'j, [Val]>,
}

/// What a function would do on a state. Nothing of it has been committed or released.
#[derive(Debug)]
pub struct Rehearsal {
    /// What it returned, or why it did not.
    pub outcome: Result<Outcome, CallError>,
    /// The transaction as the function left it; none where it did not return.
    pub transaction: Option<Transaction>,
    /// The effects it asked for, in order.
    pub requests: Vec<Request>,
    /// What it asked of the cloud that `facts` did not answer; the outcome is then an error.
    pub asked: Option<Question>,
    /// From the start of the run to its end.
    pub elapsed: Duration,
    effects: Vec<Effect>,
}

impl Logic {
    /// Runs a function once on a snapshot, with a given time, randomness and answers of the cloud, and keeps what it did from
    /// happening. At most a few such runs go on at once; further ones wait.
    pub async fn rehearse(
        &self,
        route: &Route,
        params: &[Val],
        moment: &Moment,
        snapshot: &Snapshot,
        facts: &Facts,
    ) -> Rehearsal {
        // The semaphore is never closed.
        let _permit = self.inner.rehearsing.acquire().await.ok();
        let transaction = self.inner.store.begin_at(snapshot);
        self.try_in(transaction, route, params, moment, facts, &self.inner.trial_limits)
            .await
    }

    /// Runs a function once in a transaction that the caller commits, with all that a call may use.
    pub async fn run_in(&self, transaction: Transaction, route: &Route, params: &[Val], moment: &Moment) -> Rehearsal {
        let limits = &self.inner.config.limits;
        self.try_in(transaction, route, params, moment, &Facts::default(), limits)
            .await
    }

    /// Sets going what a run asked for, once its transaction is durable.
    pub fn release(&self, rehearsal: Rehearsal) {
        release(rehearsal.effects, &*self.inner.services);
    }

    async fn try_in(
        &self,
        transaction: Transaction,
        route: &Route,
        params: &[Val],
        moment: &Moment,
        facts: &Facts,
        limits: &Limits,
    ) -> Rehearsal {
        let started = Instant::now();
        let id = self.call_id();
        let attempt = Attempt {
            inner: &self.inner,
            route,
            id: &id,
            moment: *moment,
            started,
            time_left: limits.wall,
            limits,
            host_calls: limits.host_calls,
            terms: Terms::Trial,
        };
        let job = Plain(params);
        let ran = tokio::time::timeout(
            limits.wall,
            attempt.execute(transaction, &job, facts, false, true, None),
        );
        let mut rehearsal = Rehearsal {
            outcome: Err(CallError::WallDeadline),
            transaction: None,
            requests: Vec::new(),
            asked: None,
            elapsed: Duration::ZERO,
            effects: Vec::new(),
        };
        match ran.await {
            Ok(Ok(Executed { outcome, call, .. })) => {
                rehearsal.outcome = Ok(outcome);
                rehearsal.transaction = Some(call.transaction);
                rehearsal.requests = call.requests.unwrap_or_default();
                rehearsal.effects = call.effects;
            }
            Ok(Err(Ended::Error(error))) => rehearsal.outcome = Err(error),
            Ok(Err(Ended::Asked(question))) => {
                rehearsal.outcome = Err(CallError::Refused("it asks the cloud what is not known".into()));
                rehearsal.asked = Some(question);
            }
            Ok(Err(Ended::Conflict | Ended::Moved)) | Err(_) => {}
        }
        rehearsal.elapsed = started.elapsed();
        rehearsal
    }
}

/// Lets the cloud look for changes when the commit of a call is done, or when nobody waits for it any more.
struct LookOnDrop<'a>(&'a dyn Services);

impl Drop for LookOnDrop<'_> {
    fn drop(&mut self) {
        self.0.cloud_changed();
    }
}

async fn commit(store: &Store, transaction: Transaction) -> Result<(), Ended> {
    match store.commit(transaction).await {
        Ok(_) => Ok(()),
        Err(CommitError::Conflict) => Err(Ended::Conflict),
        Err(error) => Err(CallError::Storage(error.to_string()).into()),
    }
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
fn release(effects: Vec<Effect>, services: &dyn Services) {
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
