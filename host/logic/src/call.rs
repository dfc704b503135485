//! One call: attempts on snapshots until one commits.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use stowage_storage::{CommitError, Store, Transaction};
use tokio::sync::SemaphorePermit;
use wasmtime::Trap;
use wasmtime::component::Val;

use crate::codec::{Answer, Args, Failure};
use crate::deadline::{Elapsed, within};
use crate::effect::Effect;
use crate::fact::{Facts, Question};
use crate::generation::Route;
use crate::instance::{Call, Instance};
use crate::services::Services;
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
    #[error("no module serves it")]
    NoRoute,
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
    Asked(Question),
    Error(CallError),
}

impl From<CallError> for Ended {
    fn from(error: CallError) -> Ended {
        Ended::Error(error)
    }
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
        let now_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_millis() as u64);
        let seed: [u8; 32] = rand::random();
        let mut facts = Facts::default();
        let mut conflicts = 0;
        let mut fresh = false;
        // The cloud's time to answer a question is not the call's.
        let mut time_left = self.inner.config.limits.wall;
        loop {
            let started = Instant::now();
            let attempt = Attempt {
                inner: &self.inner,
                route,
                id,
                now_ms,
                seed,
                started,
                time_left,
            };
            let ended = attempt.run(job, &facts, fresh).await;
            time_left = time_left.saturating_sub(started.elapsed());
            match ended {
                Ok(outcome) => return Ok(outcome),
                Err(Ended::Conflict) => {
                    conflicts += 1;
                    tracing::debug!(call_id = %id, conflicts, "conflict, the call runs again");
                    if conflicts >= self.inner.config.limits.attempts {
                        return Err(CallError::Contention);
                    }
                }
                Err(Ended::Asked(question)) => {
                    let patience = self.inner.config.limits.question;
                    let answer = tokio::time::timeout(patience, self.inner.services.answer(self, &question))
                        .await
                        .unwrap_or_else(|_| question.unanswered("it did not answer in time"));
                    facts.insert(question, answer);
                }
                Err(Ended::Error(error)) => return Err(error),
            }
            fresh = true;
        }
    }
}

/// One run of a call.
struct Attempt<'a> {
    inner: &'a Inner,
    route: &'a Route,
    id: &'a CallId,
    now_ms: u64,
    seed: [u8; 32],
    started: Instant,
    time_left: Duration,
}

impl Attempt<'_> {
    async fn run(&self, job: &dyn Job, facts: &Facts, fresh: bool) -> Result<Outcome, Ended> {
        // The deadline ends with the module's work: a commit that has begun is waited for.
        let executed = within(self.started + self.time_left, async {
            let _permit = self.permit().await?;
            self.execute(job, facts, fresh).await
        });
        let (outcome, mut call) = executed
            .await
            .unwrap_or_else(|Elapsed| Err(CallError::WallDeadline.into()))?;
        let Outcome::Done(_) = outcome else {
            return Ok(outcome);
        };
        job.record(&mut call.transaction)
            .map_err(|e| CallError::Storage(e.to_string()))?;
        if call.effects.is_empty() {
            commit(&self.inner.store, call.transaction).await?;
        } else {
            // A task of its own: a client that hangs up must not keep what it set going from starting.
            let store = self.inner.store.clone();
            let committed = tokio::spawn(async move {
                commit(&store, call.transaction).await?;
                release(call.effects, &*call.services);
                Ok::<(), Ended>(())
            });
            committed.await.map_err(|e| CallError::Storage(e.to_string()))??;
        }
        Ok(outcome)
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

    /// Runs the function on the latest snapshot.
    async fn execute(&self, job: &dyn Job, facts: &Facts, fresh: bool) -> Result<(Outcome, Box<Call>), Ended> {
        let inner = self.inner;
        let limits = &inner.config.limits;
        let module = &self.route.module;
        let export = self.route.export();
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
            ))
            .await
            .map_err(|e| CallError::Instantiate(format!("{e:#}")))?,
        };
        let mut transaction = inner.store.begin();
        // A walk holds its thread: it gets what a module may use of the processor.
        transaction.set_deadline(Some(self.started + self.time_left.min(limits.cpu)));
        let params = job
            .params(&mut transaction)
            .map_err(|e| CallError::Storage(e.to_string()))?;
        let call = Call {
            transaction,
            now_ms: self.now_ms,
            effects: Vec::new(),
            requests: None,
            facts: facts.clone(),
            asked: None,
            refused: None,
            host_calls_left: limits.host_calls,
            host_bytes_left: limits.host_bytes,
            effects_left: limits.effects,
            services: Arc::clone(&inner.services),
        };
        instance.arm(call, *self.id, self.now_ms, self.seed, limits);
        let Some((store, function)) = instance.function(export.ordinal, &export.index) else {
            return Err(CallError::Trap(format!("no export {}", export.function)).into());
        };
        let returned = match function.typed::<Args<'_>, Answer>(&*store) {
            Ok(function) => function.call_async(store, Args(&params)).await,
            Err(error) => Err(error),
        };
        let Some(mut call) = instance.disarm() else {
            return Err(CallError::Trap("the call's state is gone".into()).into());
        };
        match returned {
            Ok(answer) => {
                module.pool.give(instance, &inner.config.reuse);
                let outcome = match answer {
                    Answer::Value(json) => Outcome::Done(json),
                    Answer::Error(failure) => Outcome::Failed(failure),
                };
                Ok((outcome, call))
            }
            // The instance is thrown away: what a trap leaves behind is anything.
            Err(error) => Err(match call.asked.take() {
                Some(question) => Ended::Asked(question),
                None => Ended::Error(cause(&instance, &mut call, &error)),
            }),
        }
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
