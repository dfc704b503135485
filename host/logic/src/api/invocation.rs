//! What the host does around a function, in the function's transaction.

use std::borrow::Cow;

use stowage_storage::Transaction;
use wasmtime::component::Val;

use super::error::CallError;
use crate::codec::Decoder;

/// What the host does around a function, in the function's transaction. An attempt that runs again
/// does it again.
pub trait Invocation: Send + Sync {
    /// The arguments, made before the function runs from what the transaction sees. `taken` are the
    /// function's parameters: their wire names and decoders.
    ///
    /// # Errors
    /// When storage fails, or the function takes other parameters.
    fn params(&self, transaction: &mut Transaction, taken: &[(String, Decoder)]) -> Result<Cow<'_, [Val]>, CallError>;

    /// Runs after the function returned a value, before the commit.
    ///
    /// # Errors
    /// When storage fails.
    fn after_return(&self, transaction: &mut Transaction) -> Result<(), stowage_storage::Error>;
}

/// An invocation with arguments that are known beforehand, and nothing to do afterwards.
pub(crate) struct PlainInvocation<'a>(pub(crate) &'a [Val]);

impl Invocation for PlainInvocation<'_> {
    fn params(&self, _: &mut Transaction, _: &[(String, Decoder)]) -> Result<Cow<'_, [Val]>, CallError> {
        Ok(Cow::Borrowed(self.0))
    }

    fn after_return(&self, _: &mut Transaction) -> Result<(), stowage_storage::Error> {
        Ok(())
    }
}
