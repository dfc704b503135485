//! Finds exported functions and calls them with JSON.

use std::sync::Arc;

use serde_json::{Map, Value};
use stowage_logic::codec::{Decoder, fold_name};
use stowage_logic::{Ending, Function, Generation, Logic, Module, Route};
use wasmtime::component::Val;

use crate::error::KitError;

/// The function of the last module that has it. A route of the table carries the observers.
pub(crate) fn find(generation: &Generation, function: &str) -> Option<Route> {
    let (interface, function) = match function.split_once('/') {
        Some((interface, function)) => (Some(interface), fold_name(function)),
        None => (None, fold_name(function)),
    };
    let wanted = |i: &str, f: &str| interface.is_none_or(|wanted| wanted == i) && fold_name(f) == function;
    let of_table = generation.routes().find(|route| {
        let export = route.export();
        wanted(&export.interface.interface, &export.function)
    });
    of_table.cloned().or_else(|| {
        // Hooks and collections are in no table.
        generation.modules().iter().rev().find_map(|module: &Arc<Module>| {
            let export = module
                .exports
                .iter()
                .find(|e| wanted(&e.interface.interface, &e.function))?;
            Function::find(module, &export.interface.interface, &export.function).map(Route::from)
        })
    })
}

/// Calls a function with its parameters as JSON.
pub(crate) async fn call(
    logic: &Logic,
    route: &Route,
    params: &Map<String, Value>,
) -> Result<Result<Value, Value>, KitError> {
    let params = decode(&route.export().params, params).map_err(KitError::Arguments)?;
    let outcome = logic.call(route, &params, &logic.call_id()).await?;
    Ok(match Ending::of(&outcome) {
        Ending::Ok(value) => Ok(value),
        Ending::Err(value) => Err(value),
        Ending::Fault(reason) => return Err(KitError::Arguments(reason)),
    })
}

/// The arguments of a function from the JSON of its parameters.
pub(crate) fn decode(taken: &[(String, Decoder)], params: &Map<String, Value>) -> Result<Vec<Val>, String> {
    taken
        .iter()
        .map(|(name, decoder)| decoder.decode_member(params, name))
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}
