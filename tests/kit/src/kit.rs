//! The kit: modules, storage, and the hand of the test in time, chance and failure.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};
use stowage_logic::codec::fold_name;
use stowage_logic::{Ending, Generation, Logic, Module, Request, Route, rpc};
use stowage_recording::{Recording, RecordingError, ReplayReport, replay};
use stowage_storage::{Error, Store, UpdateError};
use wasmtime::component::{ComponentNamedList, Lift, Lower, Val};

use crate::builder::KitBuilder;
use crate::conditions::Laboratory;
use crate::error::KitError;
use crate::recording;
use crate::rows::{self, Row};
use crate::script::Script;
use crate::witness::Witness;

/// Host calls that [`Kit::fail_each_host_call`] goes through at most.
const MOST_HOST_CALLS: u32 = 10_000;

/// Modules over storage in memory. Its methods take `&self`; calls may run side by side.
#[derive(Debug)]
pub struct Kit {
    pub(crate) logic: Logic,
    pub(crate) store: Store,
    pub(crate) script: Arc<Script>,
    pub(crate) laboratory: Arc<Laboratory>,
    pub(crate) witness: Arc<Witness>,
}

impl Kit {
    /// A kit with one component.
    ///
    /// # Errors
    /// When the file cannot be read, or the host does not take the module.
    pub async fn load(path: impl AsRef<Path>) -> Result<Kit, KitError> {
        Kit::builder().file(path).build().await
    }

    /// For several modules, other limits, or bytes instead of a file.
    pub fn builder() -> KitBuilder {
        KitBuilder::new()
    }

    /// The time of the next calls, in milliseconds since 1970.
    pub fn set_now(&self, now_ms: u64) -> &Kit {
        self.laboratory.set_now(now_ms);
        self
    }

    /// Moves the time of the next calls on.
    pub fn advance(&self, by: std::time::Duration) -> &Kit {
        let by_ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.set_now(self.laboratory.now_ms().saturating_add(by_ms))
    }

    /// The seed that the random numbers of every next call follow from.
    pub fn set_seed(&self, seed: [u8; 32]) -> &Kit {
        self.laboratory.set_seed(seed, false);
        self
    }

    /// The seed of the next call; each call after it gets the next seed.
    pub fn vary_seed(&self, first: [u8; 32]) -> &Kit {
        self.laboratory.set_seed(first, true);
        self
    }

    /// What the cloud and the transfers do.
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// What runs the modules, for what the kit has no word for.
    pub fn logic(&self) -> &Logic {
        &self.logic
    }

    /// Storage, for what the kit has no word for.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The envelope that a method answers, as on the wire. `MODULE/METHOD` names one outside the storage API.
    ///
    /// # Panics
    /// Never on an answer, whatever its code: the envelope is JSON.
    pub async fn json(&self, method: &str, params: Value) -> Value {
        self.post(&format!("/{method}"), &params).await
    }

    /// The envelope that a body gets on a path.
    ///
    /// # Panics
    /// When the envelope is no JSON, which would be the host's fault.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let envelope = rpc::answer(&self.logic, path, body.to_string().into()).await;
        serde_json::from_slice(&envelope.into_json()).expect("an envelope is JSON")
    }

    /// The data of a method that succeeds.
    ///
    /// # Panics
    /// When it does not, with the envelope and, where the module failed, why.
    pub async fn data(&self, method: &str, params: Value) -> Value {
        let mut envelope = self.json(method, params).await;
        if envelope["code"] != 200 {
            let why = match envelope["code"] == 500 {
                true => self.failure().unwrap_or_default(),
                false => String::new(),
            };
            panic!("{method}: {envelope} {why}");
        }
        envelope["data"].take()
    }

    /// Calls a function that returns a `result`, with a tuple of parameters: `FUNCTION` or `INTERFACE/FUNCTION`. The types must be the
    /// function's own; derive `ComponentType`, `Lift` and `Lower` for records, or take those of wasmtime's `bindgen!`.
    ///
    /// # Errors
    /// When no module has the function, its types are others, or the call gave no answer.
    pub async fn call_typed<P, T, E>(&self, function: &str, params: P) -> Result<Result<T, E>, KitError>
    where
        P: ComponentNamedList + Lower + Clone + Send + Sync + 'static,
        T: Lift + Send + Sync + 'static,
        E: Lift + Send + Sync + 'static,
    {
        let route = self.route(function)?;
        let id = self.logic.call_id();
        Ok(self.logic.call_typed(&route, params, &id).await?)
    }

    /// [`Kit::call_typed`] of a function that cannot fail: `R` is a tuple of its result, or the empty tuple.
    ///
    /// # Errors
    /// As [`Kit::call_typed`].
    pub async fn call_plain<P, R>(&self, function: &str, params: P) -> Result<R, KitError>
    where
        P: ComponentNamedList + Lower + Clone + Send + Sync + 'static,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let route = self.route(function)?;
        let id = self.logic.call_id();
        Ok(self.logic.call_plain(&route, params, &id).await?)
    }

    /// Calls any exported function, hooks included, with the JSON of its parameters. The inner result is the
    /// function's own; of one that cannot fail it is `Ok`.
    ///
    /// # Errors
    /// When no module has the function, the parameters are not what it takes, or the call gave no answer.
    pub async fn call_json(&self, function: &str, params: Value) -> Result<Result<Value, Value>, KitError> {
        let route = self.route(function)?;
        let Value::Object(params) = params else {
            return Err(KitError::Arguments("the parameters: expected a JSON object".into()));
        };
        call(&self.logic, &route, &params).await
    }

    /// Hands rows of a collection of the cloud space, and the identities of rows that are gone, to the module that keeps them, as a
    /// sync does.
    ///
    /// # Errors
    /// When no module keeps the collection, a row is not what it takes, or the call failed.
    pub async fn apply(&self, collection: &str, upserts: &[Value], removals: &[&str]) -> Result<(), KitError> {
        apply(&self.logic, collection, upserts, removals).await
    }

    /// The effects that calls which succeeded have asked for, in order, since the kit was made or they were last taken. A password in
    /// them is [`HIDDEN`](crate::HIDDEN).
    pub fn requests(&self) -> Vec<Request> {
        self.witness.requests()
    }

    /// [`Kit::requests`], and forgets them.
    pub fn take_requests(&self) -> Vec<Request> {
        self.witness.take_requests()
    }

    /// Keeps what the next calls read and did, for [`Kit::recording`].
    pub fn record(&self) -> &Kit {
        self.witness.record();
        self
    }

    /// The calls since [`Kit::record`] as a recording, and keeps no further ones. Calls with Rust types are left out of it: their
    /// arguments are not seen.
    ///
    /// # Panics
    /// Never: what is in memory can be written.
    pub fn recording(&self) -> String {
        recording::write(&self.logic, &self.witness.recorded(), self.laboratory.now_ms())
    }

    /// Runs the calls of a recording on the kit's modules, each on what it read then, and says what they do otherwise. The kit's own
    /// storage and script take no part.
    ///
    /// # Errors
    /// When it is no recording.
    pub async fn replay(&self, recording: &str) -> Result<ReplayReport, RecordingError> {
        let generation = self.logic.generation();
        let mut recording = Recording::new(recording.as_bytes())?;
        replay(&self.logic, generation.modules(), &mut recording).await
    }

    /// The rows of a table, by key; none where there is no such table.
    ///
    /// # Panics
    /// When it is no name of a table.
    pub fn rows(&self, table: &str) -> Vec<Row> {
        rows::of_table(&self.store, table).unwrap_or_else(|error| panic!("{table}: {error}"))
    }

    /// The names of the tables that hold anything.
    ///
    /// # Panics
    /// Never: memory can be read.
    pub fn tables(&self) -> Vec<String> {
        self.store.snapshot().tables().expect("memory can be read")
    }

    /// Puts a value into storage.
    ///
    /// # Errors
    /// When table, key or value are out of bounds.
    pub async fn put(&self, table: &str, key: &[u8], value: &[u8]) -> Result<(), UpdateError<Error>> {
        self.store.update(|tx| tx.put(table, key, value.to_vec())).await
    }

    /// Adds to a counter in storage.
    ///
    /// # Errors
    /// When table or key are out of bounds, or the key holds a value.
    pub async fn add(&self, table: &str, key: &[u8], delta: i64) -> Result<(), UpdateError<Error>> {
        self.store.update(|tx| tx.add(table, key, delta)).await
    }

    /// Lets the next call fail when it makes its `host_call`th call of `stowage:host`, counted from 1 in each attempt.
    pub fn fail_host_call(&self, host_call: u32) -> &Kit {
        self.laboratory.fail_at(Some(host_call));
        self
    }

    /// Why the last call that gave no answer (code 500) gave none.
    pub fn failure(&self) -> Option<String> {
        self.laboratory.failure()
    }

    /// Runs `call`, which makes one call of a module, again and again: first failing at its first host call, then at its second, and so
    /// on until it passes; and says how many host calls it makes. The run that passed has its effects.
    ///
    /// # Panics
    /// When a run that failed changed storage or has effects, or the call never passes.
    pub async fn fail_each_host_call(&self, call: impl AsyncFn()) -> u32 {
        let all = || rows::of_all(&self.store).expect("memory can be read");
        let before = all();
        let requests = self.requests().len();
        for host_call in 1..=MOST_HOST_CALLS {
            self.laboratory.fail_at(Some(host_call));
            call().await;
            if !self.laboratory.fired() {
                self.laboratory.fail_at(None);
                return host_call - 1;
            }
            let after = all();
            if before != after {
                let place = rows::first_difference(&before, &after).unwrap_or_default();
                panic!("the call failed at host call {host_call} and changed {place}");
            }
            assert_eq!(
                self.requests().len(),
                requests,
                "the call failed at host call {host_call} and has effects"
            );
        }
        panic!("the call makes more than {MOST_HOST_CALLS} host calls");
    }

    /// The route of `FUNCTION` or `INTERFACE/FUNCTION`, written as in WIT or as on the wire.
    fn route(&self, function: &str) -> Result<Route, KitError> {
        let generation = self.logic.generation();
        find(&generation, function).ok_or_else(|| KitError::NoFunction(function.to_owned()))
    }
}

/// The function of the last module that has it. Functions of the table come with those who look on.
fn find(generation: &Generation, function: &str) -> Option<Route> {
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
        // What a module exports about itself is in no table.
        generation.modules().iter().rev().find_map(|module: &Arc<Module>| {
            let export = module
                .exports
                .iter()
                .find(|e| wanted(&e.interface.interface, &e.function))?;
            Route::of(module, &export.interface.interface, &export.function)
        })
    })
}

/// Calls a function with the JSON of its parameters.
async fn call(logic: &Logic, route: &Route, params: &Map<String, Value>) -> Result<Result<Value, Value>, KitError> {
    let params: Vec<Val> = route
        .export()
        .params
        .iter()
        .map(|(name, decoder)| decoder.decode_member(params, name))
        .collect::<Result<_, _>>()
        .map_err(|error| KitError::Arguments(error.to_string()))?;
    let outcome = logic.call(route, &params, &logic.call_id()).await?;
    Ok(match Ending::of(&outcome) {
        Ending::Ok(value) => Ok(value),
        Ending::Err(value) => Err(value),
        Ending::Fault(reason) => return Err(KitError::Arguments(reason)),
    })
}

/// Hands rows to the module that keeps them.
pub(crate) async fn apply(
    logic: &Logic,
    collection: &str,
    upserts: &[Value],
    removals: &[&str],
) -> Result<(), KitError> {
    let generation = logic.generation();
    let route = generation
        .collection(collection)
        .ok_or_else(|| KitError::NoFunction(format!("{collection}/apply")))?;
    let names: Vec<_> = route.export().params.iter().map(|(name, _)| name.clone()).collect();
    let [rows, gone] = names.as_slice() else {
        return Err(KitError::Arguments(format!(
            "{collection}/apply: expected two parameters, rows and identities"
        )));
    };
    let params = Map::from_iter([
        (rows.clone(), Value::from(upserts)),
        (gone.clone(), Value::from(removals)),
    ]);
    match call(logic, route, &params).await? {
        Ok(_) => Ok(()),
        Err(error) => Err(KitError::Arguments(format!(
            "{collection}/apply refused the rows: {error}"
        ))),
    }
}
