//! Hands rows of the cloud space to the module that keeps their collection.

use std::borrow::Cow;

use serde_json::{Map, Value};
use stowage_logic::codec::Decoder;
use stowage_logic::{CallError, Ending, Invocation, RowHooks};
use stowage_storage::{Error, Transaction};
use wasmtime::component::Val;

use crate::error::KitError;
use crate::function::decode;

/// Hands rows to the module that keeps their collection.
pub(crate) async fn apply(
    hooks: &dyn RowHooks,
    collection: &str,
    upserts: &[Value],
    removals: &[&str],
) -> Result<(), KitError> {
    let invocation = ApplyRows { upserts, removals };
    match hooks.apply(collection, &invocation).await.result {
        Ok(outcome) => match Ending::of(&outcome) {
            Ending::Ok(_) => Ok(()),
            ending => Err(KitError::Arguments(format!(
                "{collection}/apply refused the rows: {ending:?}"
            ))),
        },
        Err(CallError::NoRoute) => Err(KitError::NoFunction(format!("{collection}/apply"))),
        Err(CallError::Arguments(reason)) => Err(KitError::Arguments(format!("{collection}/apply: {reason}"))),
        Err(error) => Err(error.into()),
    }
}

/// Rows for the `apply` of a collection, as JSON.
struct ApplyRows<'a> {
    upserts: &'a [Value],
    removals: &'a [&'a str],
}

impl Invocation for ApplyRows<'_> {
    fn params(&self, _: &mut Transaction, taken: &[(String, Decoder)]) -> Result<Cow<'_, [Val]>, CallError> {
        let [(rows, _), (gone, _)] = taken else {
            return Err(CallError::Arguments(
                "expected two parameters, rows and identities".into(),
            ));
        };
        let params = Map::from_iter([
            (rows.clone(), Value::from(self.upserts)),
            (gone.clone(), Value::from(self.removals)),
        ]);
        decode(taken, &params).map_err(CallError::Arguments).map(Cow::Owned)
    }

    fn after_return(&self, _: &mut Transaction) -> Result<(), Error> {
        Ok(())
    }
}
