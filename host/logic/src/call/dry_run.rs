//! Runs of a function that are not calls: nothing of them happens unless somebody commits it.

use std::time::{Duration, Instant};

use stowage_storage::{Snapshot, Transaction};
use tokio::sync::Semaphore;
use wasmtime::component::Val;

use crate::Logic;
use crate::api::effect::{Effect, Request};
use crate::api::fact::{Facts, Question};
use crate::api::invocation::PlainInvocation;
use crate::api::moment::Moment;
use crate::api::outcome::{CallError, Outcome};
use crate::call::attempt::{Attempt, Ended, Executed, Terms, release};
use crate::engine::limits::Limits;
use crate::routing::generation::Route;

/// What a function would do on a state. Nothing of it has been committed or released.
#[derive(Debug)]
pub struct DryRun {
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
    pub async fn dry_run(
        &self,
        route: &Route,
        params: &[Val],
        moment: &Moment,
        snapshot: &Snapshot,
        facts: &Facts,
    ) -> DryRun {
        self.dry_run_with(&self.inner.dry_runs, route, params, moment, snapshot, facts)
            .await
    }

    /// [`Logic::dry_run`], with one of these permits.
    pub(crate) async fn dry_run_with(
        &self,
        permits: &Semaphore,
        route: &Route,
        params: &[Val],
        moment: &Moment,
        snapshot: &Snapshot,
        facts: &Facts,
    ) -> DryRun {
        // The semaphore is never closed.
        let _permit = permits.acquire().await.ok();
        let transaction = self.inner.store.begin_at(snapshot);
        self.try_in(transaction, route, params, moment, facts, &self.inner.trial_limits)
            .await
    }

    /// Runs a function once in a transaction that the caller commits, with all that a call may use.
    pub async fn run_in_transaction(
        &self,
        transaction: Transaction,
        route: &Route,
        params: &[Val],
        moment: &Moment,
    ) -> DryRun {
        let limits = &self.inner.config.limits;
        self.try_in(transaction, route, params, moment, &Facts::default(), limits)
            .await
    }

    /// Sets going what a run asked for, once its transaction is durable.
    pub fn release(&self, dry_run: DryRun) {
        release(dry_run.effects, &*self.inner.services);
    }

    async fn try_in(
        &self,
        transaction: Transaction,
        route: &Route,
        params: &[Val],
        moment: &Moment,
        facts: &Facts,
        limits: &Limits,
    ) -> DryRun {
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
        let invocation = PlainInvocation(params);
        let ran = tokio::time::timeout(
            limits.wall,
            attempt.execute(transaction, &invocation, facts, false, true, (None, None)),
        );
        let mut dry_run = DryRun {
            outcome: Err(CallError::WallDeadline),
            transaction: None,
            requests: Vec::new(),
            asked: None,
            elapsed: Duration::ZERO,
            effects: Vec::new(),
        };
        match ran.await {
            Ok(Ok(Executed { outcome, call, .. })) => {
                dry_run.outcome = Ok(outcome);
                dry_run.transaction = Some(call.transaction);
                dry_run.requests = call.requests.unwrap_or_default();
                dry_run.effects = call.effects;
            }
            Ok(Err(Ended::Error(error))) => dry_run.outcome = Err(error),
            Ok(Err(Ended::Asked(question))) => {
                dry_run.outcome = Err(CallError::Refused("it asks the cloud what is not known".into()));
                dry_run.asked = Some(question);
            }
            // Its snapshot is no longer kept.
            Ok(Err(Ended::Conflict | Ended::Moved)) => dry_run.outcome = Err(CallError::Contention),
            Err(_) => {}
        }
        dry_run.elapsed = started.elapsed();
        dry_run
    }
}
