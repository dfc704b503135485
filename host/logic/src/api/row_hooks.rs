//! Calls of the modules that keep the rows of the cloud space.

use futures_util::future::BoxFuture;

use super::call_id::CallId;
use super::error::CallError;
use super::invocation::Invocation;
use crate::codec::Outcome;

/// The functions of modules that keep the rows of the cloud space.
pub trait RowHooks: Send + Sync {
    /// Whether a module keeps the rows of this collection.
    fn keeps(&self, collection: &str) -> bool;

    /// Calls `apply` of the module that keeps the collection, in a call of its own.
    fn apply<'a>(&'a self, collection: &'a str, invocation: &'a dyn Invocation) -> BoxFuture<'a, HookOutcome>;
}

/// How a call that the host made for itself ended.
#[derive(Debug)]
pub struct HookOutcome {
    /// The call.
    pub call_id: CallId,
    /// What the function returned, or why it did not.
    pub result: Result<Outcome, CallError>,
}

/// Hooks where no module keeps rows. Dry runs have these: they call nothing else.
pub(crate) struct NoRowHooks;

impl RowHooks for NoRowHooks {
    fn keeps(&self, _: &str) -> bool {
        false
    }

    fn apply<'a>(&'a self, _: &'a str, _: &'a dyn Invocation) -> BoxFuture<'a, HookOutcome> {
        Box::pin(async {
            HookOutcome {
                call_id: CallId::default(),
                result: Err(CallError::NoRoute),
            }
        })
    }
}
