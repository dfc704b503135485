//! The kit: modules over storage in memory, under conditions that the test chooses.

use std::sync::Arc;

use serde_json::Value;
use stowage_logic::{Logic, Request, Route, rpc};
use stowage_recording::{Recording, RecordingError, ReplayReport, replay};
use stowage_storage::{Error, Store, UpdateError};
use wasmtime::component::{ComponentNamedList, Lift, Lower};

use crate::call_log::CallLog;
use crate::collection;
use crate::conditions::TestConditions;
use crate::error::KitError;
use crate::function;
use crate::recording;
use crate::rows::{self, Row};
use crate::script::Script;

/// The most host calls that [`Kit::fail_each_host_call`] tries.
const MOST_HOST_CALLS: u32 = 10_000;

/// Modules over storage in memory. All methods take `&self`: calls may run at the same time.
#[derive(Debug)]
pub struct Kit {
    pub(crate) logic: Logic,
    pub(crate) store: Store,
    pub(crate) script: Arc<Script>,
    pub(crate) conditions: Arc<TestConditions>,
    pub(crate) call_log: Arc<CallLog>,
}

impl Kit {
    /// Sets the time of the next calls, in milliseconds since 1970.
    pub fn set_now(&self, now_ms: u64) -> &Kit {
        self.conditions.set_now(now_ms);
        self
    }

    /// Moves the time of the next calls forward.
    pub fn advance(&self, by: std::time::Duration) -> &Kit {
        let by_ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.set_now(self.conditions.now_ms().saturating_add(by_ms))
    }

    /// Sets the seed of every later call. Calls with the same seed get the same random numbers.
    pub fn set_seed(&self, seed: [u8; 32]) -> &Kit {
        self.conditions.set_seed(seed, false);
        self
    }

    /// Sets the seed of the next call. Each later call gets another one.
    pub fn vary_seed(&self, first: [u8; 32]) -> &Kit {
        self.conditions.set_seed(first, true);
        self
    }

    /// The script of the cloud and the transfers.
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// What runs the modules, for tests that need more than the kit offers.
    pub fn logic(&self) -> &Logic {
        &self.logic
    }

    /// Storage, for tests that need more than the kit offers.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Calls a method as on the wire and returns the envelope. `MODULE/METHOD` names a method
    /// outside of the storage API.
    ///
    /// # Panics
    /// Never for an answer, whatever its code.
    pub async fn json(&self, method: &str, params: Value) -> Value {
        self.post(&format!("/{method}"), &params).await
    }

    /// Posts a body to a path and returns the envelope.
    ///
    /// # Panics
    /// The envelope is no JSON: a bug of the host.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let envelope = rpc::answer(&self.logic, path, body.to_string().into()).await;
        serde_json::from_slice(&envelope.into_json()).expect("an envelope is JSON")
    }

    /// Calls a method that succeeds and returns its data.
    ///
    /// # Panics
    /// The method fails. The message has the envelope and, for code 500, the reason.
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

    /// Calls a function that returns a `result`, with a tuple of parameters. `function` is
    /// `FUNCTION` or `INTERFACE/FUNCTION`.
    ///
    /// The types must be those of the function. For records, derive `ComponentType`, `Lift` and
    /// `Lower`, or use the types of wasmtime's `bindgen!`.
    ///
    /// # Errors
    /// No module has the function, it has other types, or the call gave no answer.
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

    /// [`Kit::call_typed`] for a function that cannot fail. `R` is a tuple of its result, or the
    /// empty tuple.
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

    /// Calls any exported function, hooks included, with its parameters as JSON. The inner result
    /// is that of the function; a function that cannot fail gives `Ok`.
    ///
    /// # Errors
    /// No module has the function, the parameters have other types, or the call gave no answer.
    pub async fn call_json(&self, function: &str, params: Value) -> Result<Result<Value, Value>, KitError> {
        let route = self.route(function)?;
        let Value::Object(params) = params else {
            return Err(KitError::Arguments("the parameters: expected a JSON object".into()));
        };
        function::call(&self.logic, &route, &params).await
    }

    /// Hands rows of a collection, and the identities of removed rows, to the module that keeps the
    /// collection, as a sync does.
    ///
    /// # Errors
    /// No module keeps the collection, a row has other types, or the call failed.
    pub async fn apply(&self, collection: &str, upserts: &[Value], removals: &[&str]) -> Result<(), KitError> {
        collection::apply(&self.logic, collection, upserts, removals).await
    }

    /// The effects of all calls that succeeded, in their order, since the kit was made or
    /// [`Kit::take_requests`] was called. A password in them is [`HIDDEN`](crate::HIDDEN).
    pub fn requests(&self) -> Vec<Request> {
        self.call_log.requests()
    }

    /// Takes the effects that [`Kit::requests`] would return.
    pub fn take_requests(&self) -> Vec<Request> {
        self.call_log.take_requests()
    }

    /// Begins to record calls, for [`Kit::recording`].
    pub fn record(&self) -> &Kit {
        self.call_log.record();
        self
    }

    /// Ends [`Kit::record`] and returns the calls since then as a recording. It leaves out calls
    /// with Rust types, whose arguments are not known as JSON.
    ///
    /// # Panics
    /// Never: a recording in memory can be written.
    pub fn recording(&self) -> String {
        recording::write(&self.logic, &self.call_log.recorded(), self.conditions.now_ms())
    }

    /// Runs the calls of a recording on the kit's modules and reports each difference. Each call
    /// reads what was recorded; the kit's storage and script are not used.
    ///
    /// # Errors
    /// The text is no recording.
    pub async fn replay(&self, recording: &str) -> Result<ReplayReport, RecordingError> {
        let generation = self.logic.generation();
        let mut recording = Recording::new(recording.as_bytes())?;
        replay(&self.logic, generation.modules(), &mut recording).await
    }

    /// The rows of a table, in the order of their keys. A table that was never written has none.
    ///
    /// # Panics
    /// The name cannot be that of a table.
    pub fn rows(&self, table: &str) -> Vec<Row> {
        rows::of_table(&self.store, table).unwrap_or_else(|error| panic!("{table}: {error}"))
    }

    /// The names of the tables that are not empty.
    ///
    /// # Panics
    /// Never: memory can be read.
    pub fn tables(&self) -> Vec<String> {
        self.store.snapshot().tables().expect("memory can be read")
    }

    /// Puts a value into storage.
    ///
    /// # Errors
    /// The table, the key or the value is out of bounds.
    pub async fn put(&self, table: &str, key: &[u8], value: &[u8]) -> Result<(), UpdateError<Error>> {
        self.store.update(|tx| tx.put(table, key, value.to_vec())).await
    }

    /// Adds to a counter in storage.
    ///
    /// # Errors
    /// The table or the key is out of bounds, or the key holds a value.
    pub async fn add(&self, table: &str, key: &[u8], delta: i64) -> Result<(), UpdateError<Error>> {
        self.store.update(|tx| tx.add(table, key, delta)).await
    }

    /// Makes the next call fail at its `host_call`th call of `stowage:host`, counted from 1 in each
    /// attempt.
    pub fn fail_host_call(&self, host_call: u32) -> &Kit {
        self.conditions.fail_at(Some(host_call));
        self
    }

    /// The reason of the last failure with code 500.
    pub fn failure(&self) -> Option<String> {
        self.conditions.failure()
    }

    /// Fails every host call of a call, one after another, and asserts that nothing is left behind.
    ///
    /// `call` makes one call of a module. It is run again and again: the first run fails at its
    /// first host call, the second at its second, until a run passes. Returns the number of host
    /// calls of that run, which has its effects.
    ///
    /// # Panics
    /// A failed run changed storage or has effects, or no run passes.
    pub async fn fail_each_host_call(&self, call: impl AsyncFn()) -> u32 {
        let all = || rows::of_all(&self.store).expect("memory can be read");
        let before = all();
        let requests = self.requests().len();
        for host_call in 1..=MOST_HOST_CALLS {
            self.conditions.fail_at(Some(host_call));
            call().await;
            if !self.conditions.fired() {
                self.conditions.fail_at(None);
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

    /// The route of `FUNCTION` or `INTERFACE/FUNCTION`, as in WIT or as on the wire.
    fn route(&self, function: &str) -> Result<Route, KitError> {
        let generation = self.logic.generation();
        function::find(&generation, function).ok_or_else(|| KitError::NoFunction(function.to_owned()))
    }
}
