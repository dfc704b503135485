//! Calls with Rust types for parameters and results, checked against the function's own types.

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use wasmtime::Store;
use wasmtime::component::{ComponentNamedList, Func, Lift, Lower};

use super::state::State;
use crate::codec::{Failure, Outcome};

/// Enters a function with arguments that are no component values.
pub(crate) trait TypedEntry: Send + Sync {
    /// Calls the function, keeps its result, and says how it ended.
    fn enter<'a>(&'a self, store: &'a mut Store<State>, function: Func) -> BoxFuture<'a, wasmtime::Result<Outcome>>;
}

/// Typed parameters, and the typed result once the function has returned.
pub(crate) struct Typed<P, R> {
    params: P,
    /// Whether a result is an error. An error undoes the call.
    is_error: fn(&R) -> bool,
    result: Mutex<Option<R>>,
}

impl<P, R> Typed<P, R> {
    pub(crate) fn new(params: P, is_error: fn(&R) -> bool) -> Typed<P, R> {
        Typed {
            params,
            is_error,
            result: Mutex::new(None),
        }
    }

    /// The result of the last run; none if no run returned.
    pub(crate) fn into_result(self) -> Option<R> {
        self.result.into_inner()
    }
}

impl<P, R> TypedEntry for Typed<P, R>
where
    P: ComponentNamedList + Lower + Clone + Send + Sync + 'static,
    R: ComponentNamedList + Lift + Send + Sync + 'static,
{
    fn enter<'a>(&'a self, store: &'a mut Store<State>, function: Func) -> BoxFuture<'a, wasmtime::Result<Outcome>> {
        Box::pin(async move {
            let function = function.typed::<P, R>(&*store)?;
            let result = function.call_async(store, self.params.clone()).await?;
            let outcome = match (self.is_error)(&result) {
                true => Outcome::Failed(Failure::default()),
                false => Outcome::Done(Vec::new()),
            };
            *self.result.lock() = Some(result);
            Ok(outcome)
        })
    }
}
