//! Runs of a function that are not calls: nothing of them happens unless somebody commits it.

use std::time::{Duration, Instant};

use stowage_storage::{Snapshot, Transaction};
use tokio::sync::Semaphore;
use wasmtime::component::Val;

use crate::Logic;
use crate::attempt::{Attempt, Ended, Executed, Terms, release};
use crate::effect::{Effect, Request};
use crate::fact::{Facts, Question};
use crate::generation::Route;
use crate::job::Plain;
use crate::limits::Limits;
use crate::moment::Moment;
use crate::outcome::{CallError, Outcome};

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
        self.rehearse_with(&self.inner.rehearsing, route, params, moment, snapshot, facts)
            .await
    }

    /// [`Logic::rehearse`], with one of these permits.
    pub(crate) async fn rehearse_with(
        &self,
        permits: &Semaphore,
        route: &Route,
        params: &[Val],
        moment: &Moment,
        snapshot: &Snapshot,
        facts: &Facts,
    ) -> Rehearsal {
        // The semaphore is never closed.
        let _permit = permits.acquire().await.ok();
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
            attempt.execute(transaction, &job, facts, false, true, (None, None)),
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
            // Its snapshot is no longer kept.
            Ok(Err(Ended::Conflict | Ended::Moved)) => rehearsal.outcome = Err(CallError::Contention),
            Err(_) => {}
        }
        rehearsal.elapsed = started.elapsed();
        rehearsal
    }
}
