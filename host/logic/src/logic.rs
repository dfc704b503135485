//! The crate's facade: load modules, serve them, call their functions.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use stowage_storage::{Snapshot, Store, Transaction};
use tracing::{Instrument as _, Span};
use wasmtime::component::{ComponentNamedList, Lift, Lower, Val};

use crate::api::call_id::CallId;
use crate::api::code;
use crate::api::error::{CallError, ServiceError};
use crate::api::fact::Facts;
use crate::api::invocation::{Invocation, PlainInvocation};
use crate::api::moment::Moment;
use crate::api::row_hooks::{HookOutcome, RowHooks};
use crate::api::services::Services;
use crate::background::Background;
use crate::call::commit;
use crate::call::conditions::Conditions;
use crate::call::config::Config;
use crate::call::context::CallContext;
use crate::call::dry_run::{self, DryRun, DryRunInput};
use crate::call::retry::{self, Output, Stopped};
use crate::call::runtime::Runtime;
use crate::codec::Outcome;
use crate::engine::error::{EngineError, LoadError};
use crate::engine::function::Function;
use crate::engine::limits::LimitClass;
use crate::engine::module::Module;
use crate::engine::typed::{Typed, TypedEntry};
use crate::rollout::shadow::Shadow;
use crate::routing::generation::Generation;
use crate::routing::route::Route;
use crate::routing::serving::{CallHold, Serving};
use crate::spans;

/// The modules, and what runs them. A cheap handle.
#[derive(Clone)]
pub struct Logic {
    runtime: Arc<Runtime>,
    serving: Arc<Serving>,
    background: Arc<Background>,
}

impl Logic {
    /// An engine without modules.
    ///
    /// # Errors
    /// When wasmtime does not start on this machine.
    pub fn new(config: Config, store: Store, services: Arc<dyn Services>) -> Result<Logic, EngineError> {
        let background = Background::start().map_err(EngineError::Thread)?;
        let runtime = Runtime::new(config, store, services)?;
        Ok(Logic::over(runtime, Arc::new(background)))
    }

    /// The same engine over another store and other services, without modules. Modules that were
    /// loaded here run there too. Both share one pool of instances. A dry run there has the limits
    /// of a call.
    pub fn with_store(&self, store: Store, services: Arc<dyn Services>) -> Logic {
        Logic::over(self.runtime.with_store(store, services), Arc::clone(&self.background))
    }

    fn over(runtime: Runtime, background: Arc<Background>) -> Logic {
        let runtime = Arc::new(runtime);
        Logic {
            serving: Arc::new(Serving::new(Arc::clone(&runtime))),
            runtime,
            background,
        }
    }

    /// Compiles and checks a module. It does not serve yet.
    ///
    /// # Errors
    /// Says why the host does not take the module.
    pub async fn load(&self, name: &str, bytes: Vec<u8>) -> Result<Module, LoadError> {
        self.runtime.load(name, bytes).await
    }

    /// Makes an instance of a module and drops it. Its start-up code runs with the limits of a
    /// version on trial.
    ///
    /// # Errors
    /// When the start-up code traps, runs out of time or goes over a limit.
    pub async fn instantiate(&self, module: &Module) -> Result<(), CallError> {
        self.runtime.instantiate(module).await
    }

    /// Serves this generation from now on. Calls in flight end on what they began with.
    pub fn serve(&self, generation: Generation) {
        self.serving.serve(generation);
    }

    /// What serves now.
    pub fn generation(&self) -> Arc<Generation> {
        self.serving.generation.load_full()
    }

    /// Holds calls back. Calls that have begun go on: the store's fenced commit
    /// ([`Store::commit_fenced`](stowage_storage::Store::commit_fenced)) makes sure that they
    /// commit before the change or not at all. Only one hold may exist at a time.
    pub fn hold(&self) -> CallHold {
        self.serving.hold()
    }

    /// Requests that reached no function, by code.
    pub fn refused_requests(&self) -> [(i32, u64); 2] {
        self.runtime.refused.read()
    }

    /// Counts a request that reached no function.
    pub(crate) fn count_refused(&self, code: i32) {
        self.runtime.refused.count(code);
    }

    /// The permits of short runs that are held now, and all of them.
    pub fn permits(&self) -> (usize, usize) {
        self.runtime.scheduler.short_permits()
    }

    /// A new call's identity.
    pub fn call_id(&self) -> CallId {
        self.runtime.call_id()
    }

    /// Calls a function in a transaction. A call that conflicts with another one runs again.
    ///
    /// # Errors
    /// When the module or storage failed. The call then changed nothing, except that after a failed
    /// commit it is not known whether the commit became durable.
    pub async fn call(&self, route: &Route, params: &[Val], id: &CallId) -> Result<Outcome, CallError> {
        self.run(route, &PlainInvocation(params), id).await
    }

    /// [`Logic::call`] with an [`Invocation`] around the function.
    ///
    /// # Errors
    /// As [`Logic::call`].
    pub async fn run(&self, route: &Route, invocation: &dyn Invocation, id: &CallId) -> Result<Outcome, CallError> {
        let span = spans::call(route.function(), *id, self.generation().number());
        let invoked = self.invoke(route, invocation, None, id, &span).instrument(span.clone());
        let result = invoked.await;
        spans::ended(
            &span,
            match &result {
                Ok(output) => match &output.outcome {
                    Outcome::Done(_) => code::SUCCESS,
                    failed @ Outcome::Failed(_) => failed.code().unwrap_or(code::OTHER),
                },
                Err(_) => code::FAILURE,
            },
        );
        Ok(result?.outcome)
    }

    /// [`Logic::call`] of a function that returns a `result`, with Rust types for parameters and
    /// result. Observers see no arguments.
    ///
    /// # Errors
    /// As [`Logic::call`], and [`CallError::Trap`] when the function has other types.
    pub async fn call_typed<P, T, E>(&self, route: &Route, params: P, id: &CallId) -> Result<Result<T, E>, CallError>
    where
        P: ComponentNamedList + Lower + Clone + Send + Sync + 'static,
        T: Lift + Send + Sync + 'static,
        E: Lift + Send + Sync + 'static,
    {
        let typed = Typed::new(params, |(result,): &(Result<T, E>,)| result.is_err());
        let (result,) = self.enter(route, typed, id).await?;
        Ok(result)
    }

    /// [`Logic::call_typed`] of a function that cannot fail: `R` is a tuple of its result, or the
    /// empty tuple.
    ///
    /// # Errors
    /// As [`Logic::call_typed`].
    pub async fn call_plain<P, R>(&self, route: &Route, params: P, id: &CallId) -> Result<R, CallError>
    where
        P: ComponentNamedList + Lower + Clone + Send + Sync + 'static,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        self.enter(route, Typed::new(params, |_| false), id).await
    }

    async fn enter<P, R>(&self, route: &Route, typed: Typed<P, R>, id: &CallId) -> Result<R, CallError>
    where
        P: ComponentNamedList + Lower + Clone + Send + Sync + 'static,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        self.invoke(route, &PlainInvocation(&[]), Some(&typed), id, &Span::none())
            .await?;
        typed.into_result().ok_or(CallError::NoState)
    }

    /// Runs a call to its end, in this span. If calls are held back before it begins, it is routed
    /// again.
    pub(crate) async fn invoke(
        &self,
        route: &Route,
        invocation: &dyn Invocation,
        typed: Option<&dyn TypedEntry>,
        id: &CallId,
        span: &Span,
    ) -> Result<Output, CallError> {
        let config = &self.runtime.config;
        let conditions = config.conditions.as_deref();
        let moment = conditions.map_or_else(Moment::now, Conditions::moment);
        let mut call = CallContext::new(*id, moment, invocation, self, &config.limits);
        call.typed = typed;
        call.span = span.clone();
        if let Some(conditions) = conditions {
            call.host_calls = conditions.host_calls(config.limits.host_calls);
        }
        let mut moved: Option<Route> = None;
        loop {
            let route = moved.as_ref().unwrap_or(route);
            let result = match &route.rollout {
                None => retry::run(&self.runtime, &route.live, &mut call, LimitClass::Live).await,
                // Boxed: few calls are on trial, and their future is large.
                Some(rollout) => Box::pin(rollout.run(&self.runtime, &route.live, &mut call)).await,
            };
            span.record("attempts", call.attempts);
            let error = match result {
                Ok(output) => return Ok(output),
                Err(Stopped::Failed(error)) => error,
                Err(Stopped::Fenced) => {
                    self.runtime.fence.until_open().await;
                    call.sole_version = false;
                    match self.serving.generation.load().version_of(route.function()) {
                        Some(route) => {
                            moved = Some(route.clone());
                            continue;
                        }
                        None => CallError::NoRoute,
                    }
                }
            };
            if let Some(conditions) = conditions {
                conditions.failed(route.function(), &error);
            }
            return Err(error);
        }
    }

    /// Runs a function once on a snapshot, with a given time, randomness and answers of the cloud.
    /// Nothing of the run is kept. Only a few such runs go on at once. Further ones wait.
    pub async fn dry_run(
        &self,
        function: &Function,
        params: &[Val],
        moment: &Moment,
        snapshot: &Snapshot,
        facts: &Facts,
    ) -> DryRun {
        let input = DryRunInput {
            function,
            params,
            moment,
            facts,
        };
        dry_run::on_snapshot(&self.runtime, &self.runtime.scheduler.dry_runs, snapshot, input).await
    }

    /// Runs a function once in a transaction that the caller commits, with the limits of a call.
    pub async fn run_in_transaction(
        &self,
        transaction: Transaction,
        function: &Function,
        params: &[Val],
        moment: &Moment,
    ) -> DryRun {
        let input = DryRunInput {
            function,
            params,
            moment,
            facts: &Facts::default(),
        };
        dry_run::in_transaction(&self.runtime, transaction, input, LimitClass::Live).await
    }

    /// Releases the effects of a run, once the caller has committed its transaction.
    pub fn release(&self, dry_run: DryRun) {
        commit::release(dry_run.effects, &*self.runtime.services, &Span::none());
    }

    /// Begins to compare `candidate` with the live version in `percent` of the calls it observes.
    /// To let it observe, add it to a generation with [`Generation::observed_by`], for the
    /// functions that [`Shadow::covers`].
    pub fn shadow(&self, candidate: Arc<Module>, percent: f64) -> Arc<Shadow> {
        // Weak: calls that wait to be compared must not keep the runtime alive.
        Shadow::start(Arc::downgrade(&self.runtime), &self.background, candidate, percent)
    }

    /// A transaction on a snapshot, to see what a call read.
    pub fn begin_at(&self, snapshot: &Snapshot) -> Transaction {
        self.runtime.store.begin_at(snapshot)
    }

    /// The size of the space in bytes, as a call in this transaction sees it.
    ///
    /// # Errors
    /// When storage fails.
    pub fn total_bytes(&self, transaction: &mut Transaction) -> Result<u64, ServiceError> {
        self.runtime.services.total_bytes(transaction)
    }
}

impl RowHooks for Logic {
    fn keeps(&self, collection: &str) -> bool {
        self.serving.generation.load().collection(collection).is_some()
    }

    fn apply<'a>(&'a self, collection: &'a str, invocation: &'a dyn Invocation) -> BoxFuture<'a, HookOutcome> {
        Box::pin(async move {
            let generation = self.generation();
            let call_id = self.call_id();
            let result = match generation.collection(collection) {
                Some(route) => self.run(route, invocation, &call_id).await,
                None => Err(CallError::NoRoute),
            };
            HookOutcome { call_id, result }
        })
    }
}

impl fmt::Debug for Logic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logic").finish_non_exhaustive()
    }
}
