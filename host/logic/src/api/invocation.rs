//! What is called: parameters, and what surrounds the function in its transaction.

use std::borrow::Cow;

use stowage_storage::Transaction;
use wasmtime::component::Val;

use crate::engine::typed::Entry;

/// What surrounds the function in its transaction: the host's own part of a invocation.
pub trait Invocation: Send + Sync {
    /// Before the function runs: its parameters, made from what the transaction sees.
    ///
    /// # Errors
    /// When storage fails.
    fn params(&self, transaction: &mut Transaction) -> Result<Cow<'_, [Val]>, stowage_storage::Error>;
    /// After it has returned.
    ///
    /// # Errors
    /// When storage fails.
    fn after_return(&self, transaction: &mut Transaction) -> Result<(), stowage_storage::Error>;
    /// How the function is entered, where that is not with `params`.
    #[doc(hidden)]
    fn entry(&self) -> Option<&dyn Entry> {
        None
    }
}

/// Parameters that are known beforehand and nothing else to do.
pub(crate) struct PlainInvocation<'a>(pub(crate) &'a [Val]);

impl Invocation for PlainInvocation<'_> {
    fn params(&self, _: &mut Transaction) -> Result<Cow<'_, [Val]>, stowage_storage::Error> {
        Ok(Cow::Borrowed(self.0))
    }

    fn after_return(&self, _: &mut Transaction) -> Result<(), stowage_storage::Error> {
        Ok(())
    }
}
