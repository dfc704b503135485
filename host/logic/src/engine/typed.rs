//! Calls with Rust types for parameters and results, checked against the function's own types, for tests of modules.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;
use stowage_storage::Transaction;
use wasmtime::Store;
use wasmtime::component::{ComponentNamedList, Func, Lift, Lower, Val};

use crate::Logic;
use crate::api::invocation::Invocation;
use crate::api::outcome::{CallError, Outcome};
use crate::call::retry::CallId;
use crate::codec::Failure;
use crate::engine::instance::State;
use crate::routing::generation::Route;

/// How a function is entered.
pub trait Entry: Send + Sync {
    /// Calls it and says how it ended.
    #[allow(private_interfaces, reason = "nobody outside implements it")]
    fn enter<'a>(&'a self, store: &'a mut Store<State>, function: Func) -> BoxFuture<'a, wasmtime::Result<Outcome>>;
}

/// Enters a function with typed parameters and keeps its typed result.
struct Typed<P, R> {
    params: P,
    /// Whether a result is an error, which undoes the call.
    failed: fn(&R) -> bool,
    result: Mutex<Option<R>>,
}

impl<P, R> Entry for Typed<P, R>
where
    P: ComponentNamedList + Lower + Clone + Send + Sync + 'static,
    R: ComponentNamedList + Lift + Send + Sync + 'static,
{
    #[allow(private_interfaces, reason = "nobody outside implements it")]
    fn enter<'a>(&'a self, store: &'a mut Store<State>, function: Func) -> BoxFuture<'a, wasmtime::Result<Outcome>> {
        Box::pin(async move {
            let function = function.typed::<P, R>(&*store)?;
            let result = function.call_async(store, self.params.clone()).await?;
            let outcome = match (self.failed)(&result) {
                true => Outcome::Failed(Failure::default()),
                false => Outcome::Done(Vec::new()),
            };
            *self.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
            Ok(outcome)
        })
    }
}

impl<P, R> Invocation for Typed<P, R>
where
    Typed<P, R>: Entry,
{
    fn params(&self, _: &mut Transaction) -> Result<Cow<'_, [Val]>, stowage_storage::Error> {
        Ok(Cow::Borrowed(&[]))
    }

    fn after_return(&self, _: &mut Transaction) -> Result<(), stowage_storage::Error> {
        Ok(())
    }

    fn entry(&self) -> Option<&dyn Entry> {
        Some(self)
    }
}

impl Logic {
    /// [`Logic::call`] of a function that returns a `result`, with typed parameters and result. Observers see neither of both.
    ///
    /// # Errors
    /// As [`Logic::call`], and [`CallError::Trap`] when the function has other types.
    pub async fn call_typed<P, T, E>(&self, route: &Route, params: P, id: &CallId) -> Result<Result<T, E>, CallError>
    where
        P: ComponentNamedList + Lower + Clone + Send + Sync + 'static,
        T: Lift + Send + Sync + 'static,
        E: Lift + Send + Sync + 'static,
    {
        let (result,) = self
            .enter(route, params, |(result,): &(Result<T, E>,)| result.is_err(), id)
            .await?;
        Ok(result)
    }

    /// [`Logic::call_typed`] of a function that cannot fail: `R` is a tuple of its result, or the empty tuple.
    ///
    /// # Errors
    /// As [`Logic::call_typed`].
    pub async fn call_plain<P, R>(&self, route: &Route, params: P, id: &CallId) -> Result<R, CallError>
    where
        P: ComponentNamedList + Lower + Clone + Send + Sync + 'static,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        self.enter(route, params, |_| false, id).await
    }

    async fn enter<P, R>(&self, route: &Route, params: P, failed: fn(&R) -> bool, id: &CallId) -> Result<R, CallError>
    where
        P: ComponentNamedList + Lower + Clone + Send + Sync + 'static,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let invocation = Typed {
            params,
            failed,
            result: Mutex::new(None),
        };
        self.run(route, &invocation, id).await?;
        let result = invocation.result.into_inner().unwrap_or_else(PoisonError::into_inner);
        result.ok_or_else(|| CallError::Trap("the function returned nothing".into()))
    }
}
