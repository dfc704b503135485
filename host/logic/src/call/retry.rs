//! A call: attempts on snapshots until one commits, on the version that serves or on one that is on trial beside it.

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Instant;

use stowage_storage::Freshness;
use wasmtime::component::Val;

use crate::Logic;
use crate::api::fact::Facts;
use crate::api::invocation::{Invocation, PlainInvocation};
use crate::api::moment::{Conditions, Moment};
use crate::api::outcome::{CallError, Outcome};
use crate::call::attempt::{Attempt, Ended, Ran, Sight, Terms};
use crate::engine::limits::Limits;
use crate::rollout::watch::{Beside, Watch};
use crate::routing::generation::Route;

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

/// One call, whichever versions run it.
struct Called<'a> {
    logic: &'a Logic,
    invocation: &'a dyn Invocation,
    id: &'a CallId,
    moment: Moment,
    /// Host calls that an attempt may make.
    host_calls: u32,
}

impl Logic {
    /// A new call's identity.
    pub fn call_id(&self) -> CallId {
        CallId {
            run: self.inner.run_id,
            number: self.inner.begun.calls.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Calls a function: one transaction, run again while others' commits undo it.
    ///
    /// # Errors
    /// When the module or storage failed; the call then changed nothing, except that after a storage error
    /// it is not known whether its commit became durable.
    pub async fn call(&self, route: &Route, params: &[Val], id: &CallId) -> Result<Outcome, CallError> {
        self.run(route, &PlainInvocation(params), id).await
    }

    /// [`Logic::call`] with a [`Invocation`] around the function.
    ///
    /// # Errors
    /// As [`Logic::call`].
    pub async fn run(&self, route: &Route, invocation: &dyn Invocation, id: &CallId) -> Result<Outcome, CallError> {
        Ok(self.run_once(route, invocation, id).await?.0)
    }

    /// [`Logic::call`], and how long its outcome stands, where that is known.
    pub(crate) async fn call_lasting(
        &self,
        route: &Route,
        params: &[Val],
        id: &CallId,
    ) -> Result<(Outcome, Option<Freshness>), CallError> {
        self.run_once(route, &PlainInvocation(params), id).await
    }

    async fn run_once(
        &self,
        route: &Route,
        invocation: &dyn Invocation,
        id: &CallId,
    ) -> Result<(Outcome, Option<Freshness>), CallError> {
        let config = &self.inner.config;
        let conditions = config.conditions.as_deref();
        let called = Called {
            logic: self,
            invocation,
            id,
            moment: conditions.map_or_else(Moment::now, Conditions::moment),
            host_calls: conditions.map_or(config.limits.host_calls, |c| c.host_calls(config.limits.host_calls)),
        };
        let mut facts = Facts::default();
        let ended = match &route.beside {
            None => called
                .live(route, &mut facts)
                .await
                .map(|ran| (ran.outcome, ran.freshness)),
            // Boxed: few calls are on trial, and what they need is large.
            Some(beside) => Box::pin(called.on_trial(route, beside, &mut facts))
                .await
                .map(|outcome| (outcome, None)),
        };
        if let (Some(conditions), Err(error)) = (conditions, &ended) {
            conditions.failed(route, error);
        }
        ended
    }
}

impl Called<'_> {
    async fn live(&self, route: &Route, facts: &mut Facts) -> Result<Ran, CallError> {
        self.attempts(route, facts, Terms::Live).await
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
                    return Ok(self.live(route, facts).await?.outcome);
                }
                (&**candidate, Some(route), watch)
            }
            Beside::Probation { previous, watch } => match previous.as_deref() {
                Some(previous) if watch.tripped() => return Ok(self.live(previous, facts).await?.outcome),
                previous => (route, previous, watch),
            },
        };
        watch.begin();
        match self.attempts(trial, facts, Terms::Trial).await {
            Ok(Ran {
                outcome: outcome @ Outcome::Failed(_),
                sight,
                ..
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
                trial.module.log_failure(|| {
                    tracing::warn!(call_id = %self.id, route = ?trial, %error, "a call failed on trial and is answered by the version before");
                });
                let answered = self.live(before, facts).await.map(|ran| ran.outcome);
                // What neither version survives is not the new one's fault.
                if let Ok(outcome) = &answered {
                    watch.fault(self.id, trial, &error, told(outcome));
                }
                answered
            }
            // The version on trial may be what it is crowded with.
            Err(error) => match (error, before) {
                (CallError::Crowded, Some(before)) => Ok(self.live(before, facts).await?.outcome),
                (error, _) => Err(error),
            },
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
        let dry_run = self
            .logic
            .dry_run_with(
                &self.logic.inner.comparing,
                before,
                &sight.params,
                &self.moment,
                &sight.snapshot,
                facts,
            )
            .await;
        match dry_run.outcome {
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
        let mut result = loop_attempts(self, route, &mut moved, facts, terms, limits).await;
        if let (Some(_), Ok(ran)) = (&moved, &mut result) {
            // It is not the answer of the generation that was asked.
            ran.freshness = None;
        }
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
        // In a box: it is large, and would be moved with each of the futures around it.
        let ended = Box::pin(attempt.run(called.invocation, facts, fresh)).await;
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
